"""Studies that are too large to be held at once, checked as all others: in parts of whole trials, one after the other.

What is looked at in one trial is looked at while its part is there; then its values go to a file for temporary data
(`steps.core.readers.stored`), from where each trial is read again when it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np

from steps.core.readers.choice import Choice
from steps.core.readers.counted import Said
from steps.core.readers.exclude import Named, excluded, note, told
from steps.core.readers.files import Request
from steps.core.readers.long_table import LongTable
from steps.core.readers.missing_codes import codes_among, ends_of
from steps.core.readers.precision import check_precision
from steps.core.readers.resample import DEFAULT_TIMESTEPS, Doubles
from steps.core.readers.stored import Store, StoredRecording, StoredTable
from steps.core.readers.suspects import check_suspects, without_empty
from steps.core.readers.trials import Recording, check_one_file_per_trial, split
from steps.core.readers.validate import check
from steps.errors import UserError, shown
from steps.system.untrusted_files import check_memory

STREAMED_FROM: Final = 256 << 20  # bytes: what is smaller is read at once, which is faster
PART: Final = 16 << 20  # bytes
_COPIES: Final = 2  # of the dataset, while it is made and looked at
_FLOAT32: Final = 4


@dataclass(frozen=True)
class InParts:
    """A study that is read in parts.

    Attributes:
        names: of each trial its first row, without values: whose it is, and where it stands.
        parts: reads the study; long tables of whole trials, in order.
        whole: ``names``, with what is known when all parts were read.
    """

    names: LongTable
    parts: Callable[[], Iterator[LongTable]]
    whole: Callable[[], LongTable]


def changed(study: LongTable | InParts, change: Callable[[LongTable], LongTable]) -> LongTable | InParts:
    """A study as read, with something changed that is no row."""
    return replace(study, whole=lambda: change(study.whole())) if isinstance(study, InParts) else change(study)


def checked_in_parts(
    study: InParts, request: Request, max_gap: int, *, trim: bool
) -> tuple[LongTable, list[Recording], list[str]]:
    """What `steps.core.readers.recorded.checked_trials` makes of a study that is held at once.

    Raises:
        UserError: as there.
    """
    check(study.names, labelled=request.labelled)
    check_one_file_per_trial(study.names)
    named, left_out = _named(study.names), np.zeros(len(study.names.frame), dtype=np.bool_)
    if request.exclude:
        left_out = excluded(named, request.exclude)
    columns, said, store = _Columns(request.choice), Said(), Store()
    trials: list[Recording] = []
    done = 0
    for read in study.parts():
        part = columns.taken(read)
        check(part, labelled=request.labelled)
        count = len(part.frame.drop_duplicates(["subject", "label", "trial", "test_number"]))
        own, done = slice(done, done + count), done + count
        if left_out[own].all():
            continue
        meant = tuple(entry for entry in request.exclude if any(one.is_meant(entry) for one in named[own]))
        _, some, more = split(part, max_gap, trim=trim, exclude=meant)
        trials += [StoredRecording(one, store) for one in some]
        said.add(more)
    whole = study.whole()
    table = StoredTable(
        **{one.name: getattr(whole, one.name) for one in fields(LongTable)}
        | {"features": columns.features, "notes": (*whole.notes, *columns.notes)},
        trials=trials,
        greatest=columns.largest,
    )
    names = told(named, left_out)
    table = replace(table, excluded=names)
    check_fits([len(one.time) for one in trials], request.timesteps, len(table.features), table.origins[0])
    codes = codes_among(table, columns.ends)
    kept = check_suspects(table, trials, request.choice, columns.empty)
    check_precision(table, trials, request.choice)
    notes = [*table.notes, *codes, *kept, *([note(names)] if names else []), *said.notes(max_gap)]
    return table, trials, notes


def check_fits(lengths: Sequence[int], timesteps: int, features: int, name: str) -> None:
    """Check that the dataset fits into memory.

    Args:
        lengths: time points of each trial.
        timesteps: that are wanted; 0 = as recorded, or 101 where lengths differ.
        features: how many there are.
        name: what messages call the source.

    Raises:
        UserError: it does not.
    """
    wanted = timesteps or (lengths[0] if min(lengths) == max(lengths) else DEFAULT_TIMESTEPS)
    needed = _COPIES * _FLOAT32 * len(lengths) * wanted * features
    check_memory(
        needed,
        f"{name}: the dataset has {len(lengths):,} trials of {wanted:,} time points x {features} features",
    )


def _named(names: LongTable) -> list[Named]:
    columns = [names.frame[key].astype(str).tolist() for key in ("subject", "label", "trial", "test_number")]
    return [Named(*one) for one in zip(*columns, strict=True)]


class _Columns:
    """The features of all parts: the empty ones, and the smallest and largest of each other."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self._all: tuple[str, ...] = ()
        self.features: tuple[str, ...] = ()
        self.empty: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.largest = 0.0
        self.ends: Doubles = np.zeros((2, 0))

    def taken(self, part: LongTable) -> LongTable:
        """A part without columns that hold nothing.

        Raises:
            UserError: one of them holds something after all.
        """
        if not self._all:
            taken, self.empty = without_empty(part, self._choice, named=True)
            self._all, self.features = part.features, taken.features
            self.notes = taken.notes[len(part.notes) :]
        elif len(self._all) > len(self.features):
            kept = [part.features.index(name) for name in self.features]
            dropped = [i for i, name in enumerate(part.features) if name not in self.features]
            if (some := np.isfinite(part.values[:, dropped]).any(axis=0)).any():
                late = part.features[dropped[int(some.argmax())]]
                raise UserError(
                    f"{part.origins[0]}: column {shown(late)} holds numbers, but none in what stands before; expected "
                    f"numbers throughout, or leave it out with {self._choice.without([late])}"
                )
            taken = replace(part, values=np.ascontiguousarray(part.values[:, kept]), features=self.features)
        else:
            taken = part
        ends = ends_of(taken.values)
        if self.ends.size:
            ends = np.stack([np.fmin(self.ends[0], ends[0]), np.fmax(self.ends[1], ends[1])])
        self.ends = ends
        self.largest = float(np.maximum(self.largest, taken.largest))
        return taken
