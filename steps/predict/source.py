"""Reading recordings to score: as `prepare` reads a study, but labels are optional and one subject is enough."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from steps.core.data.artifact import read_artifact
from steps.core.data.dataset import Dataset
from steps.core.data.manifest import MANIFEST_FILE
from steps.core.data.timing import Timing
from steps.core.models.training_reference import TrainedOn
from steps.core.readers.choice import EVERYTHING, Choice
from steps.core.readers.folder import PARTICIPANTS, read_folder
from steps.core.readers.load import SIMULATED, trial_names
from steps.core.readers.precision import check_precision
from steps.core.readers.same_recording import same_recordings
from steps.core.readers.source import is_file_uri, locate, source_path
from steps.core.readers.suspects import without_empty
from steps.core.readers.table import SUFFIXES, read_table
from steps.core.readers.text import shown
from steps.core.readers.trials import Recording, recordings
from steps.core.readers.validate import check
from steps.errors import UserError

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


def is_uri(source: str) -> bool:
    """Whether ``source`` names an artifact rather than a path."""
    return ("://" in source or source.startswith("runs:/")) and not is_file_uri(source)


def source_uri(source: str) -> str:
    """A source as an address: an artifact's own, or that of a file or folder of this machine."""
    return source if is_uri(source) else source_path(source).resolve().as_uri()


def read_source(source: str, max_gap: int = 0, *, trim: bool = False, choice: Choice = EVERYTHING) -> Recorded:
    """The recordings at a path.

    Args:
        source: a folder ``participants/<subject>/<trial>.csv`` (with or without label folders), a long ``.csv`` or
            ``.parquet`` table (with or without ``label``), or a dataset artifact.
        max_gap: interpolate gaps of up to this many samples.
        trim: cut samples at a trial's start and end where a value is missing.
        choice: which columns of the files are wanted.

    Raises:
        UserError: nothing to score was named, or anything is wrong with the files, in one line.
    """
    if source == SIMULATED:
        raise UserError(f"predict needs the recordings to score: -P source=..., {_EXPECTED}")
    path, is_folder = locate(source, _EXPECTED)
    if (path / MANIFEST_FILE).is_file():
        check_artifact(source, choice)
        return from_dataset(read_artifact(path), source)
    table = (read_folder if is_folder else read_table)(path, labelled=False, choice=choice)
    table, _ = without_empty(table, choice, named=False)
    check(table, labelled=False)
    found, notes = recordings(table, max_gap, trim=trim)
    check_precision(table, found, choice)
    return Recorded(
        source=source,
        recordings=tuple(found),
        trials=tuple(trial_names(found, [0] * len(found))),
        features=table.features,
        has_time=table.has_time,
        has_labels=any(one.label for one in found if not one.is_control),
        notes=(*table.notes, *notes, *same_recordings(table, found, allowed=True)),
        choice=choice,
    )


def choice_for(features: str, ignore: str, trained: TrainedOn) -> Choice:
    """Which columns are wanted, from the parameters and from what the model knows.

    Raises:
        UserError: the parameters are no lists of names.
    """
    given = Choice.of(features, ignore)
    return replace(given, known=tuple(trained.features), left_out=tuple(trained.left_out))


def check_artifact(source: str, choice: Choice) -> None:
    """Check that nobody chooses among the columns of a dataset artifact, whose features were chosen by `prepare`.

    Raises:
        UserError: somebody does.
    """
    if not choice.is_everything:
        raise UserError(
            f"features and ignore choose among the columns of files, but {shown(source)} is a dataset artifact; "
            "prepare it anew with them"
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
