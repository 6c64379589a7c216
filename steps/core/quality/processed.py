"""One trial before and after its signals were processed, with as few points as a small drawing shows."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from steps.core.data.dataset import Dataset
from steps.core.data.example import Curve

DRAWN: Final = 6  # features
_BINS: Final = 240


def processed(dataset: Dataset) -> dict[str, Any] | None:
    """What it takes to draw the dataset's example, as JSON has it; None where nothing was processed."""
    example = dataset.example
    if example is None:
        return None
    return {
        "subject": example.subject,
        "trial": example.trial,
        "features": [
            {"feature": name, "before": _drawn(example.before[name]), "after": _drawn(example.after[name])}
            for name in list(example.after)[:DRAWN]
        ],
        "left_out": max(len(example.after) - DRAWN, 0),
    }


def _drawn(curve: Curve) -> dict[str, list[float]]:
    """A curve, of many points the lowest and the highest in each of `_BINS` pieces, so that no oscillation is lost."""
    time, values = curve
    kept = np.arange(len(time))
    if len(time) > 2 * _BINS:
        pieces = np.array_split(kept, _BINS)
        ends = [(one[values[one].argmin()], one[values[one].argmax()]) for one in pieces]
        kept = np.unique([0, len(time) - 1, *np.ravel(ends).tolist()])
    return {
        "time": [float(f"{value:.5g}") for value in (time[kept] - time[0]).tolist()],
        "values": [float(f"{value:.5g}") for value in values[kept].tolist()],
    }
