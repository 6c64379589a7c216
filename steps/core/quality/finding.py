"""What is found wrong with recordings: kinds of faults, and one fault of one subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from steps.core.quality.hits import Hit


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes:
        title: what people read.
        seems: what features seem to be, in a sentence.
        severity: what the number of a finding of this kind says.
        shown: how it is written, for `str.format`.
        advice: what to do about it.
        whole: whether all of a trial's values are wrong as they stand.
        judged: whether people have to judge if it is a fault at all.
    """

    title: str
    seems: str
    severity: str
    shown: str
    advice: str
    whole: bool = False
    judged: bool = False


KINDS: Final[Mapping[str, Kind]] = {
    "units": Kind(
        "other unit",
        "in another unit",
        "factor by which it is too large or too small",
        "× {:.3g}",
        "convert the values, or exclude the trials",
        whole=True,
    ),
    "flipped": Kind(
        "upside down",
        "upside down",
        "how many times closer to the others it is with the sign changed",
        "{:.3g} × closer",
        "check the direction of the axis; change the sign, or exclude the trials",
        whole=True,
    ),
    "swapped": Kind(
        "swapped features",
        "swapped",
        "how many times closer to the others they are when swapped",
        "{:.3g} × closer",
        "check the order of columns or sensors; swap them back, or exclude the trials",
        whole=True,
    ),
    "flat": Kind(
        "flat line", "a flat line", "share of the trial", "{:.0%}", "check cable and sensor; exclude the trials"
    ),
    "clipping": Kind(
        "cut off",
        "cut off at a limit",
        "share of samples at the limit",
        "{:.0%}",
        "check the range of the sensor; exclude the trials",
    ),
    "gap": Kind(
        "bridged gap",
        "a straight line over a gap",
        "share of the trial",
        "{:.0%}",
        "look at the recording; exclude the trials",
    ),
    "jumps": Kind(
        "jumps",
        "full of jumps",
        "height of the jump, in usual steps between samples",
        "{:,.0f} steps",
        "unwrap angles; check for lost samples; exclude the trials",
    ),
    "spikes": Kind(
        "spikes",
        "full of spikes",
        "height of the spike, in usual steps between samples",
        "{:,.0f} steps",
        "filter, or exclude the trials",
    ),
    "drift": Kind(
        "drift",
        "drifting",
        "standard deviations",
        "{:,.0f} SD",
        "check the sensor's zero; remove the trend, or exclude the trials",
        judged=True,
    ),
    "outlying": Kind(
        "unlike the rest",
        "unlike the rest",
        "standard deviations",
        "{:,.0f} SD",
        "look at the recording; exclude it if it is no trial",
        judged=True,
    ),
}

_MOST: Final = 0.5  # of the samples


@dataclass(frozen=True)
class Finding:
    """A fault of one subject's recordings.

    Attributes:
        kind: a row of `KINDS`.
        subject: whose.
        trials: numbers of the trials in the dataset, ascending.
        features: numbers of the features in the dataset, ascending.
        severity: the largest over its trials; `Kind.severity` says what it means.
        share: of the samples of these trials and features, how many are affected.
        all_trials: whether these are all trials of the subject.
        sentence: what was found where it shows most, in plain words, without the names of subject and trials.
        worst: where it shows most.
    """

    kind: str
    subject: str
    trials: tuple[int, ...]
    features: tuple[int, ...]
    severity: float
    share: float
    all_trials: bool
    sentence: str
    worst: Hit

    @property
    def is_severe(self) -> bool:
        """Whether a person would count with wrong values alone: all of somebody's trials, and most of their samples."""
        return self.all_trials and self.share >= _MOST and not KINDS[self.kind].judged

    @property
    def affected(self) -> float:
        """How many trials' worth of samples are affected: what findings are sorted by."""
        return self.share * len(self.trials) * len(self.features)
