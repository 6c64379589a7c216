"""Files that later steps take as evidence are those that were recorded: their SHA-256 are tags.

Models, ``split.json`` and ``history.csv`` lie on a disk, a share or an object store, where one can take the place of
another by mistake or on purpose, and would be read without a complaint. Tags are in the store's database. What was
recorded before there were such tags is taken as it is.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import mlflow
from mlflow.entities import Run

from steps.commands import command
from steps.errors import UserError
from steps.tracking.store.artifact_places import repository

_PREFIX = "sha256/"
_SHOWN = 12  # digits of a digest
MODEL, SPLIT, HISTORY = "model.keras", "split.json", "history.csv"
LEFT_OUT = "left_out.csv"  # of networks that leave out subjects while they are fitted
_OF_A_FOLD = (MODEL, SPLIT, HISTORY)


def digest_tags(files: Mapping[str, bytes | str]) -> dict[str, str]:
    """A tag per file, ``sha256/<name>``.

    Args:
        files: content by name; texts as they are written, in UTF-8.
    """
    contents = {name: content.encode() if isinstance(content, str) else content for name, content in files.items()}
    return {f"{_PREFIX}{name}": hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def digests_among(tags: Mapping[str, str]) -> dict[str, str]:
    """Those tags that `digest_tags` makes."""
    return {name: value for name, value in tags.items() if name.startswith(_PREFIX)}


def check_digest(tags: Mapping[str, str], name: str, content: bytes, of: str, then: str) -> None:
    """Compare a file with what its tag says, if there is one.

    Args:
        tags: of the run, model or version.
        name: of the file.
        content: of the file.
        of: whose file it is, for the error.
        then: what to do, for the error.

    Raises:
        UserError: it is another file.
    """
    recorded = tags.get(f"{_PREFIX}{name}")
    actual = hashlib.sha256(content).hexdigest()
    if recorded is not None and recorded != actual:
        raise UserError(
            f"{name} of {of} is not the file that was recorded (SHA-256 {actual[:_SHOWN]}…, recorded was "
            f"{recorded[:_SHOWN]}…): it was damaged, changed or exchanged; {then}"
        )


def check_file_of(run: Run, name: str, content: bytes) -> None:
    """`check_digest` of a file of a fold's run."""
    check_digest(
        run.data.tags,
        name,
        content,
        f"run {run.info.run_name} ({run.info.run_id})",
        f"restore it from a copy, or train again: {command('train')} (main: reuse=false)",
    )


def recorded_file(run: Run, path: str) -> bytes:
    """The content of a file of a run, as it was recorded.

    Raises:
        UserError: it is another file.
        MlflowException: it is not there.
        OSError: it is not there.
    """
    with tempfile.TemporaryDirectory() as scratch:
        # Not runs:/, for which MLflow goes through all models of the experiment.
        files = repository(run.info.artifact_uri, mlflow.get_tracking_uri())
        content = Path(files.download_artifacts(path, scratch)).read_bytes()
    check_file_of(run, path, content)
    return content


def is_recorded(run: Run, name: str) -> bool:
    """Whether the digest of a file was recorded, and so the file."""
    return f"{_PREFIX}{name}" in run.data.tags


def unchecked_note(runs: Iterable[Run]) -> str | None:
    """What to say of folds without digests, if there are any."""
    every = list(runs)
    count = sum(not digest_tags(dict.fromkeys(_OF_A_FOLD, b"")).keys() <= run.data.tags.keys() for run in every)
    if not count:
        return None
    return (
        f"{count} of {len(every)} folds were recorded without digests of their files (by an older version, or a script "
        "of your own): that these are still the same could not be checked"
    )
