"""Declared sets of parameters, for the kinds of studies that are made most often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from steps.parameter_types import Value


@dataclass(frozen=True)
class Preset:
    """A declared set of parameters.

    Attributes:
        description: what it is for and what it does, one line.
        parameters: by their names.
    """

    description: str
    parameters: Mapping[str, Value]


# Every value can be given otherwise, in a file or on the command line.
PRESETS: Mapping[str, Preset] = {
    "landing": Preset(
        "one movement per trial: 101 points of each, ends without values cut, gaps of up to 10 samples filled",
        {"timesteps": 101, "trim": True, "max_gap": 10},
    ),
    "gait": Preset(
        "one cycle per trial: 101 points of each, ends without values cut, gaps of up to 5 samples filled",
        {"timesteps": 101, "trim": True, "max_gap": 5, "thresholds": "0.5"},
    ),
    "physiology": Preset(
        "everybody in both conditions: each subject standardised by all of their own trials, gaps of up to 25 samples",
        {"normalise": "subject", "trim": True, "max_gap": 25, "thresholds": "0.5"},
    ),
}
