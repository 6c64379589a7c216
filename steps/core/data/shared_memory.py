"""One copy of a dataset's values for all processes of a machine: an Arrow file that each of them maps into memory."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from steps.core.data.dataset import Dataset
from steps.core.data.labelling import VALUE
from steps.core.data.manifest import Manifest
from steps.errors import UserError

SHARED_FILE = "trials.arrow"
_MANIFEST = b"manifest"


def share(dataset: Dataset, path: Path) -> None:
    """Write a dataset where `open_shared` finds it, uncompressed: a row per trial, its values side by side.

    The file appears at ``path`` once it is complete, so that nobody opens half of one. It is for the processes of one
    study on one machine; what is kept or passed on is the artifact (`steps.core.data.artifact`).
    """
    manifest = dataset.manifest()
    _, timesteps, features = dataset.values.shape
    label_values = {} if dataset.label_values is None else {VALUE: pa.array(dataset.label_values)}
    flat = pa.array(np.ascontiguousarray(dataset.values).reshape(-1))
    batch = pa.record_batch(
        {
            "subject": pa.array(dataset.subjects.tolist(), pa.string()),
            "label": pa.array(dataset.labels),
            "trial": pa.array(dataset.trials.tolist(), pa.string()),
            "is_control": pa.array(dataset.is_control),
            **label_values,
            "values": pa.FixedSizeListArray.from_arrays(flat, timesteps * features),
        }
    ).replace_schema_metadata({_MANIFEST: manifest.model_dump_json()})
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
            writer.write_batch(batch)
        Path(unfinished).replace(path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise


def open_shared(path: Path) -> Dataset:
    """The dataset that `share` wrote, its values mapped into memory: read-only, and one copy for all who open it.

    Nothing is read until it is used, so the digest is not checked again: whoever shared the dataset had loaded (and so
    checked) or made it, and the file is no older than the study.

    Raises:
        UserError: there is no such file, or `share` did not write it.
    """
    try:
        with pa.memory_map(str(path), "r") as source:
            batch = pa.ipc.open_file(source).get_batch(0)
        manifest = Manifest.model_validate_json((batch.schema.metadata or {})[_MANIFEST])
        values = batch["values"].values.to_numpy(zero_copy_only=True)
        return Dataset.of(
            manifest,
            values.reshape(manifest.trials, manifest.timesteps, len(manifest.features)),
            batch["label"].to_numpy(),
            np.array(batch["subject"].to_pylist(), dtype=np.str_),
            np.array(batch["trial"].to_pylist(), dtype=np.str_),
            batch["is_control"].to_numpy(zero_copy_only=False),
            batch[VALUE].to_numpy() if manifest.labelling else None,
        )
    except (OSError, pa.ArrowException, ValidationError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} is not a shared dataset: {reason}") from error


class DatasetPlace(Protocol):
    """Where a process of the pool finds the dataset; equal places compare and hash as equal."""

    def load(self, scratch: Path | None = None, /) -> Dataset:
        """The dataset, its digest checked; with a folder of this process, its neighbours may share what it fetched."""


@dataclass(frozen=True)
class SharedDataset:
    """One copy for all processes of this machine, as `share` wrote it."""

    path: Path

    def load(self, _scratch: Path | None = None, /) -> Dataset:
        """The dataset."""
        return open_shared(self.path)
