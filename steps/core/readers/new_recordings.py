"""What to score: a dataset, or recordings, read as `prepare` reads a study; one trial without a label is enough."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from steps.core.data.artifact import read_artifact
from steps.core.data.dataset import Dataset
from steps.core.data.labelling import BINARY, LabelKind
from steps.core.data.manifest import MANIFEST_FILE, WARNING
from steps.core.data.training_reference import TrainingReference
from steps.core.readers.choice import EVERYTHING, Choice
from steps.core.readers.described.description import AUTO, NONE, Description, find_description, of_training
from steps.core.readers.described.schema import Study
from steps.core.readers.files import Request
from steps.core.readers.in_parts import InParts
from steps.core.readers.recorded import Recorded, from_dataset, from_table
from steps.core.readers.sources import SOURCES, find_source, one_of
from steps.core.readers.trial_files import PARTICIPANTS
from steps.errors import SHOWN_PATH_LENGTH, UserError, shown
from steps.system.local_path import local_path

_EXPECTED: Final = one_of(
    [
        *(kind.expected for kind in SOURCES.values() if kind.files),
        "a dataset artifact (a folder or runs:/<run id>/dataset)",
    ]
)


def read_source(
    source: str,
    max_gap: int = 0,
    *,
    trim: bool = False,
    choice: Choice = EVERYTHING,
    study: str = AUTO,
    known: str = "",
    label_kind: LabelKind = BINARY,
) -> Recorded:
    """The recordings at a path.

    Args:
        source: a folder ``participants/<subject>/<trial>.csv`` (with or without label folders), a long ``.csv`` or
            ``.parquet`` table (with or without ``label``), or a dataset artifact.
        max_gap: interpolate gaps of up to this many samples.
        trim: cut samples at a trial's start and end where a value is missing.
        choice: which columns of the files are wanted.
        study: the parameter that names a description of the recordings.
        known: the description of the study that the model was trained on, "" for none; it counts where the recordings
            have none of their own and are no folder with ``participants/``.
        label_kind: what labels are.

    Raises:
        UserError: nothing to score was named, or anything is wrong with the files, in one line.
    """
    path = local_path(source)
    if (Path(path) / MANIFEST_FILE).is_file():
        check_artifact(source, choice)
        return as_prepared(read_artifact(Path(path)), source, known)
    description, notes = _description(path, study, known)
    kind = find_source(path, _EXPECTED, description)
    request = Request(choice, labelled=False, max_gap=max_gap, trim=trim, label_kind=label_kind)
    if description:
        request = replace(request, processing=description.processing)
    if kind.files is None:
        raise UserError(f"predict needs the recordings to score: -P source=..., {_EXPECTED}")
    read = kind.read(path, request)
    if isinstance(read, InParts):
        raise TypeError("recordings to score are read at once")
    recorded = (
        from_dataset(read, source)
        if isinstance(read, Dataset)
        else from_table(read, source, request, max_gap, trim=trim)
    )
    return replace(recorded, notes=(*notes, *recorded.notes))


def _description(path: str, study: str, known: str) -> tuple[Description | None, list[str]]:
    """The description to read recordings by, and what is to be said about it."""
    own = find_description(path, study)
    if not known:
        return own, []
    of_model = of_training(known)
    if own is None and (study == NONE or (Path(path) / PARTICIPANTS).is_dir()):
        return _signals_only(of_model, study)
    if own is None:
        return of_model, []
    differing = [
        key for key in ("sources", "rate", "trials") if getattr(own.study, key) != getattr(of_model.study, key)
    ]
    notes = []
    if own.study.process and own.study.process != of_model.study.process:
        notes.append(
            f"{WARNING}process of {own.name} is not that of the model's study, which was taken: recordings are "
            "processed as those it was trained on."
        )
    own = replace(own, study=own.study.model_copy(update={"process": of_model.study.process}))
    if differing:
        notes.append(
            f"{WARNING}{own.name} has other {' and '.join(differing)} than the description of the model's study: "
            "recordings are cut or resampled otherwise than those it was trained on."
        )
    return own, notes


def _signals_only(of_model: Description, study: str) -> tuple[Description | None, list[str]]:
    """What a model's description says about signals, for recordings that lie as folders do."""
    if not of_model.study.process:
        return None, []
    if study == NONE:
        return None, [
            f"{WARNING}study=none, so recordings were not processed as those the model was trained on were (process "
            "in the description of its study)."
        ]
    return replace(of_model, study=Study(process=of_model.study.process)), []


def as_prepared(dataset: Dataset, source: str, known: str = "") -> Recorded:
    """The trials of a dataset artifact, whose signals were processed when it was prepared.

    Args:
        dataset: as read.
        source: that it was read from, as the user named it.
        known: the description of the study that the model was trained on, "" for none.
    """
    recorded = from_dataset(dataset, source)
    recipes = [of_training(text).study.process if text else [] for text in (dataset.description, known)]
    if recipes[0] == recipes[1]:
        return recorded
    note = (
        f"{WARNING}signals of {shown(source, SHOWN_PATH_LENGTH)} were processed otherwise than those the model was "
        "trained on (process in the description of a study); prepare it again with the model's."
    )
    return replace(recorded, notes=(note, *recorded.notes))


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
            f"features, ignore and columns choose and name columns of files, but {shown(source)} is a dataset "
            "artifact; prepare it anew with them"
        )
