"""What was recorded while a tracking server was away -> the server."""
