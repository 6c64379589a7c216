"""What was interpolated and cut in trials, and what looks odd, counted for the notes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from steps.core.data.manifest import WARNING

MUCH_CUT: Final = 0.25  # of a trial


@dataclass
class Filled:
    """What was interpolated and cut, counted for the notes."""

    points: int = 0
    cells: int = 0
    trials: int = 0
    cut: int = 0
    cut_trials: int = 0
    most_cut: float = 0.0  # share of one trial

    def add(self, other: Filled) -> None:
        """Count what was done to other trials of the same study, too."""
        for name in ("points", "cells", "trials", "cut", "cut_trials"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.most_cut = max(self.most_cut, other.most_cut)

    def notes(self, max_gap: int) -> list[str]:
        """One sentence if anything was cut, and one if anything was interpolated."""
        sentences = []
        if self.cut_trials:
            sentences.append(
                f"Cut {self.cut} samples with missing values at the start or end of {self.cut_trials} trials (trim)."
            )
        if self.most_cut > MUCH_CUT:
            sentences.append(
                f"{WARNING}trim cut {self.most_cut:.0%} of one trial: a column that begins late or ends early, as one "
                "of another sampling rate does, cuts all others; leave it out, or give it files of its own."
            )
        if self.trials:
            sentences.append(
                f"Interpolated {self.points} missing time points and {self.cells} missing values in {self.trials} "
                f"trials (gaps of up to {max_gap} samples)."
            )
        return sentences


@dataclass
class Said:
    """What there is to say about trials.

    Attributes:
        filled: what was interpolated and cut.
        alternating: trials whose samples jump between two levels.
        first: where the first of these begins.
        trials: how many there are.
    """

    filled: Filled = field(default_factory=Filled)
    alternating: int = 0
    first: str = ""
    trials: int = 0

    def add(self, other: Said) -> None:
        """Take in what there is to say about other trials of the same study."""
        self.filled.add(other.filled)
        self.first = self.first or other.first
        self.alternating += other.alternating
        self.trials += other.trials

    def notes(self, max_gap: int) -> list[str]:
        """One sentence each."""
        notes = self.filled.notes(max_gap)
        if self.alternating:
            notes.append(
                f"{WARNING}in {self.alternating} of {self.trials} trials successive samples jump between two levels "
                f"(first in {self.first}), as when two recordings have one trial name and were sorted by time; if so, "
                "give each a trial name of its own."
            )
        return notes
