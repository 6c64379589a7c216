"""Finished folds whose record is still to be written: a file each, so that a killed training need not repeat them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import threading
import zipfile
from pathlib import Path
from typing import Any

import click
import pandas as pd

from steps.core.data.folds import Fold
from steps.system.private_files import private_file, private_folder
from steps.train.worker import FoldRecord

_RECORD, _NETWORK = "record.json", "network.keras"


class Journal:
    """A folder with a file per fold, for their owner alone; a file is there whole or not at all."""

    def __init__(self, folder: Path) -> None:
        """Name the folder, which is made when it is needed."""
        self._folder = folder
        self._lock = threading.Lock()  # the folder goes when one thread takes the last file and comes when one adds

    def add(self, record: FoldRecord) -> None:
        """Keep a record; when this returns, neither ``kill -9`` nor a power cut can take it away.

        Raises:
            OSError: the disk is full, or not for writing.
        """
        path = self._path(record.fold)
        part = path.with_suffix(".part")
        with self._lock:
            if not self._folder.is_dir():
                private_folder(self._folder)
                _to_disk(self._folder.parent)
            file = private_file(part).open("wb")
        try:
            with file:
                with zipfile.ZipFile(file, "w") as archive:
                    archive.writestr(_RECORD, json.dumps(_as_json(record)))
                    archive.writestr(_NETWORK, record.network)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            _to_disk(self._folder)
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def remove(self, fold: Fold) -> None:
        """Forget a fold; the folder goes with the last one."""
        with self._lock:
            self._path(fold).unlink(missing_ok=True)
            if self._folder.is_dir() and not any(self._folder.iterdir()):
                self._folder.rmdir()

    def records(self) -> list[FoldRecord]:
        """What is kept, in the order in which the folds ended; what cannot be read is left out, with a warning."""
        found = []
        for path in self._folder.glob("*.zip"):
            try:
                found.append(_read(path))
            except (OSError, zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
                click.echo(f"warning: {path} cannot be read ({error}), so its fold is trained again", err=True)
        return sorted(found, key=lambda record: record.ended_ms)

    def clear(self) -> None:
        """Forget everything."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, fold: Fold) -> Path:
        # A subject's name is no file name.
        name = hashlib.sha256(f"{fold.test_number} {fold.name}".encode()).hexdigest()
        return self._folder / f"{name[:32]}.zip"


def _to_disk(folder: Path) -> None:
    """Make the names in a folder outlast a power cut; elsewhere than on POSIX systems folders cannot be opened."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _as_json(record: FoldRecord) -> dict[str, Any]:
    fields = {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    # A worker's run on the server belongs to the training that was killed: the fold gets another one.
    del fields["network"], fields["server_run"]
    return fields | {"fold": dataclasses.asdict(record.fold), "history": record.history.to_dict("list")}


def _read(path: Path) -> FoldRecord:
    with zipfile.ZipFile(path) as archive:
        fields, network = json.loads(archive.read(_RECORD)), archive.read(_NETWORK)
    fold: dict[str, Any] = fields.pop("fold")
    subjects = {name: tuple(value) for name, value in fold.items() if name.endswith("_subjects")}
    history = pd.DataFrame(fields.pop("history"))
    history.index = pd.RangeIndex(1, len(history) + 1, name="epoch")
    shape = tuple(fields.pop("shape"))
    return FoldRecord(fold=Fold(**fold | subjects), history=history, network=network, shape=shape, **fields)
