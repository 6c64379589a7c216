"""Trials that the user leaves out, by the parameter ``exclude``: named, checked, and said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from steps.core.data.dataset import Dataset
from steps.core.readers.choice import closest
from steps.errors import UserError, listed, shown

# (subject,), (subject, trial) or (subject, label, trial)
Names = tuple[tuple[str, ...], ...]
_TOLD: Final = 12


@dataclass(frozen=True)
class Named:
    """A trial as its source calls it.

    Attributes:
        subject: whose it is.
        label: its label, or that of its class.
        trial: its name.
        test_number: tells repeats of it apart; "" where there is none.
    """

    subject: str
    label: str
    trial: str
    test_number: str = ""

    def names(self) -> Collection[str]:
        """What it may be called in a dataset, too: with test number, with label."""
        with_number = [self.trial, f"{self.trial}_t{self.test_number}"] if self.test_number else [self.trial]
        return {*with_number, *(f"{name}_{self.label}" for name in with_number if self.label)}

    def is_meant(self, entry: tuple[str, ...]) -> bool:
        """Whether an entry of ``exclude`` names it."""
        if entry[0] != self.subject or (len(entry) == 3 and entry[1] != self.label):
            return False
        return len(entry) == 1 or entry[-1] in self.names()


def excluded(trials: Sequence[Named], exclude: Names) -> npt.NDArray[np.bool_]:
    """Which trials are left out, shape ``(trials,)``.

    Raises:
        UserError: an entry names no trial, or all trials are left out.
    """
    left_out = np.zeros(len(trials), dtype=np.bool_)
    for entry in exclude:
        meant = np.array([one.is_meant(entry) for one in trials], dtype=np.bool_)
        if not meant.any():
            raise UserError(f"exclude names {shown('/'.join(entry))}, but {_why_none(trials, entry)}")
        left_out |= meant
    if left_out.all() and exclude:
        raise UserError(f"exclude leaves out all {len(trials)} trials, expected some to be left")
    return left_out


def _why_none(trials: Sequence[Named], entry: tuple[str, ...]) -> str:
    subjects = sorted({one.subject for one in trials})
    if entry[0] not in subjects:
        return f"there is no such subject; there are {listed(subjects)}{_meant(entry[0], subjects)}"
    own = [one for one in trials if one.subject == entry[0]]
    labels = sorted({one.label for one in own})
    if len(entry) == 3 and entry[1] not in labels:
        return f"the subject has no such label; there are {listed(labels)}{_meant(entry[1], labels)}"
    names = sorted({f"{one.trial}_t{one.test_number}" if one.test_number else one.trial for one in own})
    return f"the subject has no such trial; there are {listed(names)}{_meant(entry[-1], names)}"


def _meant(name: str, names: Sequence[str]) -> str:
    close = closest(name, names)
    return f"; did you mean {shown(close[0])}?" if close else ""


def told(trials: Sequence[Named], left_out: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    """Names of the trials left out, as ``exclude`` takes them: with the label where the name alone is not enough."""
    repeats = Counter((one.subject, one.trial, one.test_number) for one in trials)
    names = []
    for number in np.flatnonzero(left_out).tolist():
        one = trials[number]
        trial = f"{one.trial}_t{one.test_number}" if one.test_number else one.trial
        alone = repeats[one.subject, one.trial, one.test_number] == 1
        names.append("/".join([one.subject, trial] if alone else [one.subject, one.label, trial]))
    return tuple(names)


def note(names: Sequence[str]) -> str:
    """A sentence about the trials left out."""
    subjects = len({name.partition("/")[0] for name in names})
    some = ", ".join(names[:_TOLD]) + (f" and {len(names) - _TOLD} more" if len(names) > _TOLD else "")
    return (
        f"Left out {len(names)} trial{'s' * (len(names) != 1)} of {subjects} subject{'s' * (subjects != 1)} as asked "
        f"(exclude): {some}."
    )


def without(dataset: Dataset, exclude: Names) -> Dataset:
    """A dataset without the trials that ``exclude`` names.

    Raises:
        UserError: as `excluded`.
    """
    if not exclude:
        return dataset
    named = [
        Named(subject, dataset.label_names[label], trial)
        for subject, label, trial in zip(
            dataset.subjects.tolist(), dataset.labels.tolist(), dataset.trials.tolist(), strict=True
        )
    ]
    left_out = excluded(named, exclude)
    names = told(named, left_out)
    return replace(dataset.select(~left_out), excluded=names, notes=(*dataset.notes, note(names)))
