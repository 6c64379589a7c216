"""The step ``tune``: a search for better settings of a network, judged by people who had no part in it."""
