"""Reading recordings to score: as `prepare` reads a study, but labels are optional and one subject is enough."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from steps.dataset import MANIFEST_FILE, Dataset
from steps.errors import UserError
from steps.prepare.folder import PARTICIPANTS, read_folder
from steps.prepare.load import SIMULATED, existing, trial_names
from steps.prepare.read import shown
from steps.prepare.recordings import Recording, recordings
from steps.prepare.table import SUFFIXES, read_table
from steps.prepare.validate import check
from steps.timing import Timing

_EXPECTED = (
    f"a folder with {PARTICIPANTS}/, a {' or '.join(SUFFIXES)} table, or a dataset artifact (a folder or "
    "runs:/<run id>/dataset)"
)


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


def is_uri(source: str) -> bool:
    """Whether ``source`` names an artifact rather than a path."""
    return "://" in source or source.startswith("runs:/")


def read_source(source: str, max_gap: int = 0, *, trim: bool = False) -> Recorded:
    """The recordings at a path.

    Args:
        source: a folder ``participants/<subject>/<trial>.csv`` (with or without label folders), a long ``.csv`` or
            ``.parquet`` table (with or without ``label``), or a dataset artifact.
        max_gap: interpolate gaps of up to this many samples.
        trim: cut samples at a trial's start and end where a value is missing.

    Raises:
        UserError: nothing to score was named, or anything is wrong with the files, in one line.
    """
    if source == SIMULATED:
        raise UserError(f"predict needs the recordings to score: -P source=..., {_EXPECTED}")
    path = existing(source, _EXPECTED)
    if (path / MANIFEST_FILE).is_file():
        return from_dataset(Dataset.load(path), source)
    if path.is_dir():
        table = read_folder(path, labelled=False)
    elif not path.is_file():
        raise UserError(f"source {shown(source)} is neither a folder nor a file, expected {_EXPECTED}")
    elif path.suffix.lower() not in SUFFIXES:
        raise UserError(f"source {shown(source)} ends in {shown(path.suffix)}, expected {_EXPECTED}")
    else:
        table = read_table(path, labelled=False)
    check(table, labelled=False)
    found, notes = recordings(table, max_gap, trim=trim)
    return Recorded(
        source=source,
        recordings=tuple(found),
        trials=tuple(trial_names(found, [0] * len(found))),
        features=table.features,
        has_time=table.has_time,
        has_labels=any(one.label for one in found if not one.is_control),
        notes=tuple(notes),
    )


def from_dataset(dataset: Dataset, source: str) -> Recorded:
    """The trials of a dataset artifact, which knows units and labels."""
    time = np.asarray(dataset.time, dtype=np.float64)
    found = [
        Recording(
            subject=str(dataset.subjects[i]),
            label="" if dataset.is_control[i] else dataset.label_names[dataset.labels[i]],
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
        recordings=tuple(found),
        trials=tuple(trial_names(found, [0] * len(found))),
        features=dataset.features,
        has_time=dataset.time_unit != "sample",
        has_labels=True,
        units=dataset.units,
        time_unit=dataset.time_unit,
        notes=dataset.notes,
        timing=dataset.timing,
    )
