"""Recordings, from files to a dataset."""
