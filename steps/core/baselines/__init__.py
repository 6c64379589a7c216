"""Baselines: simpler methods on the same splits, so that the network's numbers have something to stand beside.

A baseline sees the trials of a fold's training subjects and the *values* of its test trials, never their labels.
"""
