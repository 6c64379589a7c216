"""A local store whose content is copied to a tracking server."""
