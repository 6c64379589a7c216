"""A study whose files a description explains: ``study.yaml``."""
