"""Files of the field: the bytes of one file become named columns."""
