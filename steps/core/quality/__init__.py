"""Faults of recordings, looked for before anything is trained. Labels are never looked at."""
