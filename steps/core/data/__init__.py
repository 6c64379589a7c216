"""Datasets, folds, and what holds them."""
