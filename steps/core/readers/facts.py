"""What recordings tell about how they were made, before they are brought to one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from steps.core.data.recording_facts import RecordingFacts
from steps.core.readers.quantisation import quantisation_steps
from steps.core.readers.resample import Doubles
from steps.core.readers.trials import Recording


def facts_of(trials: Sequence[Recording], *, has_time: bool, has_order: bool) -> RecordingFacts:
    """Facts of recordings, in their order.

    Args:
        trials: in the order of the source.
        has_time: whether time was recorded; else it counts samples.
        has_order: whether the source has an order of its own; files of a folder have that of their names.
    """
    unknown = np.full(len(trials), np.nan)
    first = np.array([one.time[0] for one in trials])
    return RecordingFacts(
        order=np.arange(len(trials), dtype=np.float64) if has_order else unknown,
        samples=np.array([len(one.time) for one in trials], dtype=np.float64),
        duration=np.array([one.time[-1] for one in trials]) - first if has_time else unknown,
        start=first if has_time else unknown,
        missing=np.array([one.missing for one in trials]),
        quantisation=quantisation_steps(_Recorded(trials)),
    )


@dataclass(frozen=True)
class _Recorded(Sequence[Doubles]):
    """Values as recorded, one trial at a time."""

    trials: Sequence[Recording]

    def __len__(self) -> int:
        return len(self.trials)

    def __getitem__(self, i: Any) -> Any:
        return self.trials[i].recorded
