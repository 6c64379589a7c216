"""Values as Markdown, CSV and PNG that are safe to open."""
