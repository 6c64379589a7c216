"""Decision thresholds as the user writes them, for every step that takes them."""

from steps.evaluate.thresholds import parse_thresholds

__all__ = ["parse_thresholds"]
