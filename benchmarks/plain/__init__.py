"""The plain way: what a scientist would write with the same libraries. The baseline of every ratio.

Nothing here uses the project, and nothing is slowed down: defaults of the libraries, and what their tutorials show.
"""
