"""Text of any dialect and with any header: recognised by its beginning, read by Arrow."""
