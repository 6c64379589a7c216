"""Searching for better settings of a network: the space, the search, what an inner fold says of settings."""
