"""Steps of a recipe on whole recordings, before they are resampled and cut: ends, gaps, and an example to look at."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np

from steps.core.data.example import Curve, Example
from steps.core.readers.described.cutting import Stretch
from steps.core.readers.described.joining import Signals, filled
from steps.core.readers.described.processing import Processing
from steps.errors import UserError, listed


@dataclass
class WholeRecordings:
    """Processes recordings one after the other.

    Attributes:
        processing: the recipe.
        max_gap: the longest gap to fill before, in samples.
        trim: whether ends where a value is missing may be cut off before.
        trimmed: samples that were cut off so far.
        filled: samples that were interpolated so far.
        example: the first trial, as it was before.
    """

    processing: Processing = field(default_factory=Processing)
    max_gap: int = 0
    trim: bool = False
    trimmed: int = 0
    filled: int = 0
    example: Example | None = None
    _raw: list[Signals] = field(default_factory=list)

    def begin(self) -> None:
        """A new recording begins."""
        self._raw = []

    def processed(self, signals: Signals) -> Signals:
        """Signals of a recording, or of one of its sources, after the steps for whole recordings.

        Raises:
            UserError: a gap is too long, or a step does not fit.
        """
        touched = self.processing.touched(signals.features)
        if not len(touched):
            return signals
        if self.trim:
            there = np.flatnonzero(np.isfinite(signals.values[:, touched]).all(axis=1))
            if not len(there):
                raise UserError(
                    f"{signals.name}: no sample has a number in all of "
                    f"{listed([signals.features[i] for i in touched], 3)}, expected signals to process"
                )
            kept = slice(int(there[0]), int(there[-1]) + 1)
            self.trimmed += len(signals.time) - (kept.stop - kept.start)
            signals = replace(signals, time=signals.time[kept], values=signals.values[kept])
        signals, count = filled(signals, self.max_gap, "process", touched.tolist())
        self.filled += count
        if self.example is None:
            self._raw.append(signals)
        return self.processing.of_signals(signals)

    def notes(self, when: str) -> list[str]:
        """What was cut off and interpolated, one sentence each."""
        notes = []
        if self.trimmed:
            notes.append(f"Cut {self.trimmed} samples with missing values at ends of recordings (trim).")
        if self.filled:
            notes.append(f"Interpolated {self.filled} samples{when} (gaps of up to {self.max_gap}).")
        return notes

    def keep_first(self, subject: str, trial: str, stretch: Stretch, features: Collection[str]) -> None:
        """Keep a trial as it was before, if it is the first one.

        Args:
            subject: whose it is.
            trial: its name.
            stretch: of the recording that was begun last.
            features: that are wanted.
        """
        if self.example or not self._raw:
            return
        curves: dict[str, Curve] = {}
        for one in self._raw:
            inside = (one.time >= stretch.start) & (one.time < stretch.end)
            for i in self.processing.touched(one.features).tolist():
                if one.features[i] in features:
                    curves[one.features[i]] = (one.time[inside], one.values[inside, i])
        self.example, self._raw = Example(subject, trial, curves, {}), []
