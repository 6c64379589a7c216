"""Statistics that more than one step needs; the steps import them from here, never from each other."""
