"""What to score: a dataset, or recordings, read as `prepare` reads a study; one trial without a label is enough."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from steps.core.data.artifact import read_artifact
from steps.core.data.dataset import Dataset
from steps.core.data.manifest import MANIFEST_FILE
from steps.core.data.training_reference import TrainingReference
from steps.core.readers.choice import EVERYTHING, Choice
from steps.core.readers.files import Request
from steps.core.readers.recorded import Recorded, from_dataset, from_table
from steps.core.readers.sources import SOURCES, find_source, one_of
from steps.errors import UserError, shown
from steps.system.local_path import local_path

_EXPECTED: Final = one_of(
    [
        *(kind.expected for kind in SOURCES.values() if kind.files),
        "a dataset artifact (a folder or runs:/<run id>/dataset)",
    ]
)


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
    path = local_path(source)
    if (Path(path) / MANIFEST_FILE).is_file():
        check_artifact(source, choice)
        return from_dataset(read_artifact(Path(path)), source)
    kind, request = find_source(path, _EXPECTED), Request(choice, labelled=False)
    if kind.files is None:
        raise UserError(f"predict needs the recordings to score: -P source=..., {_EXPECTED}")
    read = kind.read(path, request)
    return (
        from_dataset(read, source)
        if isinstance(read, Dataset)
        else from_table(read, source, request, max_gap, trim=trim)
    )


def choice_for(given: Choice, trained: TrainingReference) -> Choice:
    """Which columns are wanted: by the user, and by the model, which knows its features."""
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
