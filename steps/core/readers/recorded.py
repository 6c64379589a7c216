"""Recordings, read and checked, before they become a dataset or are fitted to a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from steps.core.data.dataset import Dataset
from steps.core.data.example import Example
from steps.core.data.timing import Timing
from steps.core.readers.choice import EVERYTHING, Choice
from steps.core.readers.described.processing import Processing
from steps.core.readers.files import Request
from steps.core.readers.long_table import LongTable
from steps.core.readers.missing_codes import missing_codes
from steps.core.readers.precision import check_precision
from steps.core.readers.same_recording import same_recordings
from steps.core.readers.suspects import check_suspects, without_empty
from steps.core.readers.trials import Recording, recordings
from steps.core.readers.validate import check
from steps.errors import UserError, shown


def checked_trials(
    table: LongTable, request: Request, max_gap: int, *, trim: bool
) -> tuple[LongTable, list[Recording], list[str]]:
    """The trials of a long table, after all checks that need no labels.

    Args:
        table: as read.
        request: how it was read; of a study to train on, columns that are no signal are refused.
        max_gap: interpolate gaps of up to this many samples.
        trim: cut samples at a trial's start and end where a value is missing.

    Returns:
        The table without empty columns, which says what was excluded; its trials, and notes, one sentence each.

    Raises:
        UserError: anything wrong with names, groups, clocks, gaps or values.
    """
    choice = request.choice
    table, empty = without_empty(table, choice, named=request.labelled)
    check(table, labelled=request.labelled)
    codes = missing_codes(table)
    table, trials, notes = recordings(table, max_gap, trim=trim, exclude=request.exclude)
    kept = check_suspects(table, trials, choice, empty) if request.labelled else []
    check_precision(table, trials, choice)
    done: list[str] = []
    if request.processing.steps:
        table, trials, done = processed(table, trials, request.processing)
    return table, trials, [*table.notes, *codes, *kept, *notes, *done]


def processed(
    table: LongTable, trials: Sequence[Recording], processing: Processing
) -> tuple[LongTable, list[Recording], list[str]]:
    """Trials after all steps of a recipe that were not done to whole recordings, each with its values before as `raw`.

    Returns:
        The table, with the units after them; the trials; a sentence on all steps.

    Raises:
        UserError: a step does not fit to a trial, or makes numbers that float32 does not hold.
    """
    where = [table.trial(one.row) for one in trials]
    after, said = processing.of_trials(trials, table.features, table.processed, where, has_time=table.has_time)
    kept = []
    for name, one, before in zip(where, after, trials, strict=True):
        if not (np.abs(one.values) <= np.finfo(np.float32).max).all():
            odd = int(np.argmin((np.abs(one.values) <= np.finfo(np.float32).max).all(axis=0)))
            raise UserError(
                f"{name}: {shown(table.features[odd])} holds numbers that float32 does not hold after processing; "
                "convert its unit, or leave out a step"
            )
        kept.append(replace(one, raw=before.values if before.raw is None else before.raw))
    units, example = processing.units(table.units, table.features), _example(table, trials[0], after[0])
    return replace(table, units=units, example=example), kept, [said]


def _example(table: LongTable, before: Recording, after: Recording) -> Example | None:
    """The first trial as it was and as it is; as it was before it was cut, where that is another clock."""
    cut = table.example
    if table.processed and (cut is None or (cut.subject, cut.trial) != (after.subject, after.trial)):
        return None  # the first recording's trial was left out
    was = {name: (before.time, before.values[:, i]) for i, name in enumerate(table.features)}
    was |= cut.before if cut else {}
    now = {name: (after.time, after.values[:, i]) for i, name in enumerate(table.features)}
    changed = [name for name in table.features if not np.array_equal(was[name][1], now[name][1])]
    curves = [{name: one[name] for name in changed} for one in (was, now)]
    return Example(after.subject, after.trial, *curves) if changed else None


@dataclass(frozen=True, eq=False)
class Recorded:
    """Recordings as they were made, before anything is done to fit a model.

    Attributes:
        source: where they came from, as the user named it.
        recordings: one per trial; each has its own time and values ``(timesteps, features)``.
        trials: a name per recording, unique within its subject.
        features: names of the features, in the order of the values.
        has_time: whether time was recorded; else it counts samples.
        has_labels: whether the recordings outside the control group have labels.
        units: unit of a feature, where the source says.
        time_unit: unit of time, "" where the source does not say.
        notes: what was done on the way, one sentence each.
        timing: how they were sampled and resampled, where they are a dataset that says so.
        choice: which columns of the files were wanted.
    """

    source: str
    recordings: tuple[Recording, ...]
    trials: tuple[str, ...]
    features: tuple[str, ...]
    has_time: bool
    has_labels: bool
    units: dict[str, str] = field(default_factory=dict)
    time_unit: str = ""
    notes: tuple[str, ...] = ()
    timing: Timing | None = None
    choice: Choice = EVERYTHING


def from_table(table: LongTable, source: str, request: Request, max_gap: int, *, trim: bool) -> Recorded:
    """The trials of a long table, whose labels may be missing.

    Args:
        table: as read.
        source: that it was read from, as the user named it.
        request: how.
        max_gap: interpolate gaps of up to this many samples.
        trim: cut samples at a trial's start and end where a value is missing.

    Raises:
        UserError: anything is wrong with it, in one line.
    """
    table, trials, notes = checked_trials(table, request, max_gap, trim=trim)
    return Recorded(
        source=source,
        recordings=tuple(trials),
        trials=tuple(trial_names(trials, [0] * len(trials))),
        features=table.features,
        has_time=table.has_time,
        has_labels=any(one.label for one in trials if not one.is_control),
        units=dict(table.units),
        notes=(*notes, *same_recordings(table, trials, allowed=True)),
        choice=request.choice,
    )


def from_dataset(dataset: Dataset, source: str) -> Recorded:
    """The trials of a dataset artifact, which knows units and labels."""
    time = np.asarray(dataset.time, dtype=np.float64)
    trials = [
        Recording(
            subject=str(dataset.subjects[i]),
            label="" if dataset.is_control[i] else _label(dataset, i),
            trial=str(dataset.trials[i]),
            test_number="",
            is_control=bool(dataset.is_control[i]),
            time=time,
            values=dataset.values[i].astype(np.float64),
        )
        for i in range(len(dataset.labels))
    ]
    return Recorded(
        source=source,
        recordings=tuple(trials),
        trials=tuple(trial_names(trials, [0] * len(trials))),
        features=dataset.features,
        has_time=dataset.time_unit != "sample",
        has_labels=True,
        units=dataset.units,
        time_unit=dataset.time_unit,
        notes=dataset.notes,
        timing=dataset.timing,
    )


def _label(dataset: Dataset, trial: int) -> str:
    if dataset.labelling and dataset.label_values is not None:
        return dataset.labelling.name(float(dataset.label_values[trial]))
    return dataset.label_names[dataset.labels[trial]]


def trial_names(trials: Sequence[Recording], labels: Sequence[int]) -> list[str]:
    """A name per trial, unique within subject and class: test number and label are added where needed."""
    repeats = Counter((trial.subject, trial.label, trial.trial) for trial in trials)
    names = [
        f"{trial.trial}_t{trial.test_number}"
        if trial.test_number and repeats[trial.subject, trial.label, trial.trial] > 1
        else trial.trial
        for trial in trials
    ]
    # Several labels may have become one class, so the label has to tell their trials apart.
    keys = [(trial.subject, label, name) for trial, label, name in zip(trials, labels, names, strict=True)]
    counts = Counter(keys)
    names = [
        f"{name}_{trial.label}" if trial.label and counts[key] > 1 else name
        for trial, name, key in zip(trials, names, keys, strict=True)
    ]
    final = Counter((trial.subject, label, name) for trial, label, name in zip(trials, labels, names, strict=True))
    (subject, _, name), count = final.most_common(1)[0]
    if count > 1:
        raise UserError(
            f"subject {subject!r} has {count} trials called {name!r} with test number and label added; "
            "expected different names"
        )
    return names
