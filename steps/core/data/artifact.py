"""A dataset as a folder: ``trials.parquet``, a row per trial and time point, and ``dataset.json``, its manifest.

Where it was made of recordings, ``recordings.parquet`` says how they were (`steps.core.data.recording_facts`).

Nothing is unpickled; the SHA-256 digest of the content is checked whenever it is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from steps.core.data.dataset import Dataset, Strings, as_bytes
from steps.core.data.labelling import VALUE
from steps.core.data.manifest import CONTROL, MANIFEST_FILE, PATIENT, Manifest, read_manifest
from steps.core.data.recording_facts import read_facts, write_facts
from steps.errors import UserError
from steps.system.private_files import private_file, private_folder, write_private
from steps.system.untrusted_files import bounded_memory, check_parquet

TRIALS_FILE = "trials.parquet"
_KEYS: Final = ("subject", "label", "trial", "group")
# Small pieces stay in the processor's cache and in memory that is taken again and again, and the first is there soon:
# a page is read whole, whatever is asked of it.
_BATCH_ROWS: Final = 4096
_PAGE_BYTES: Final = 1 << 16
_BUFFER_BYTES: Final = 1 << 14
_FLOAT_BYTES: Final = 4
_COPIES: Final = 0.5  # of the values, in numbers of 8 bytes
_SHOWN: Final = 200


def write_artifact(dataset: Dataset, folder: Path) -> Manifest:
    """Write the files of a dataset into ``folder``, for the owner alone; returns the manifest."""
    private_folder(folder)
    manifest = dataset.manifest()
    repeat = dataset.timesteps
    texts = {
        "subject": dataset.subjects,
        "trial": dataset.trials,
        "group": np.where(dataset.is_control, CONTROL, PATIENT),
    }
    columns: dict[str, pa.Array] = {name: _repeated(text, repeat) for name, text in texts.items()}
    columns["label"] = pa.array(np.repeat(dataset.labels, repeat))
    if dataset.label_values is not None:
        columns[VALUE] = pa.array(np.repeat(dataset.label_values, repeat))
    columns["time"] = pa.array(np.tile(np.asarray(dataset.time, dtype=np.float64), len(dataset.labels)))
    flat = dataset.values.reshape(-1, len(dataset.features))
    columns |= {name: pa.array(flat[:, i]) for i, name in enumerate(dataset.features)}
    names = (*_KEYS, *([VALUE] if dataset.labelling else []), "time", *dataset.features)
    # Chosen for loading: where no value is missing nothing has to be kept about single cells, and measured values
    # hardly repeat, so a dictionary of them would be one of nearly all, and LZ4 makes them 2% smaller.
    pq.write_table(
        pa.table(
            [columns[name] for name in names],
            schema=pa.schema([pa.field(name, columns[name].type, nullable=False) for name in names]),
        ),
        private_file(folder / TRIALS_FILE),
        use_dictionary=[*_KEYS, "time"],
        compression="none",
        data_page_size=_PAGE_BYTES,
    )
    write_facts(dataset.facts, folder, _trial_keys(dataset))
    write_private(folder / MANIFEST_FILE, f"{manifest.model_dump_json(indent=2)}\n".encode())
    return manifest


def read_artifact(folder: Path, *, batch_rows: int = _BATCH_ROWS) -> Dataset:
    """Read a dataset artifact.

    Args:
        folder: as `write_artifact` wrote it.
        batch_rows: how many rows to read at a time.

    Raises:
        UserError: a file is missing or malformed, would not fit into memory, or the content does not match the
            recorded digest.
    """
    for name in (TRIALS_FILE, MANIFEST_FILE):
        if not (folder / name).is_file():
            raise UserError(f"{folder} is not a dataset artifact: it holds no {name}; prepare it again")
    manifest = read_manifest(folder)
    path = folder / TRIALS_FILE
    try:
        with pq.ParquetFile(
            path,
            read_dictionary=["subject", "trial", "group"],
            pre_buffer=False,  # otherwise the whole file stays in memory while it is read
            buffer_size=_BUFFER_BYTES,
        ) as file:
            size = path.stat().st_size
            unpacked = check_parquet(file.metadata, size, str(path), _COPIES)
            _check_columns(file.schema_arrow, manifest.features)
            # No memory limit for files that are no smaller than their values, as `write_artifact` writes them: it would
            # hold for the whole process, in which a GPU may just be set up.
            is_packed = size < _FLOAT_BYTES * manifest.trials * manifest.timesteps * len(manifest.features)
            with bounded_memory(unpacked, str(path)) if is_packed else nullcontext():
                dataset, digest = _read(file, manifest, batch_rows)
    except (pa.ArrowException, OSError, LookupError, ValueError, OverflowError) as error:
        reason = str(error)[:_SHOWN]
        raise UserError(f"{path} does not match its {MANIFEST_FILE}: {reason}; prepare it again") from error
    if digest != manifest.digest:
        raise UserError(
            f"{folder} was changed after it was written: its content has digest {digest[:12]}…, "
            f"its {MANIFEST_FILE} says {manifest.digest[:12]}…; prepare it again"
        )
    return replace(dataset, facts=read_facts(folder, _trial_keys(dataset), len(dataset.features)))


def _read(file: pq.ParquetFile, manifest: Manifest, batch_rows: int) -> tuple[Dataset, str]:
    """The dataset in a Parquet file, and its digest."""
    trials, timesteps, features = manifest.trials, manifest.timesteps, len(manifest.features)
    if file.metadata.num_rows != trials * timesteps:
        raise ValueError(f"it has {file.metadata.num_rows} rows, expected {trials} x {timesteps}")
    keys = file.read([*_KEYS, *([VALUE] if manifest.labelling else [])], use_threads=False)
    values = np.empty((trials, timesteps, features), dtype=np.float32)
    subjects, names, groups = (_strings(keys[name], timesteps) for name in ("subject", "trial", "group"))
    labels = keys["label"].to_numpy()[::timesteps].astype(np.int8)
    label_values = keys[VALUE].to_numpy()[::timesteps].astype(np.float32) if manifest.labelling else None
    parts = (labels, subjects, names, groups == CONTROL, label_values)
    dataset = Dataset.of(manifest, values, *parts)  # the values are still to be read
    rows, start = values.reshape(-1, features), 0
    # Piece by piece, so that memory holds all values once only, and one piece is hashed while the next is read.
    with ThreadPoolExecutor(max_workers=1) as hashing:
        sha = hashing.submit(dataset.hash_of_meaning)
        for batch in file.iter_batches(batch_rows, columns=manifest.features, use_threads=False):
            block = rows[start : start + batch.num_rows]
            block[:] = batch.select(manifest.features).to_tensor(null_to_nan=True, row_major=True).to_numpy()
            hashing.submit(_add, sha, as_bytes(block))
            start += len(block)
    if dataset.values is values:
        return dataset, sha.result().hexdigest()
    dataset = Dataset.of(manifest, values, *parts)  # now put in order: `write_artifact` did not write these rows
    return dataset, dataset.digest()


def _check_columns(schema: pa.Schema, features: Sequence[str]) -> None:
    """Refuse columns that hold anything but numbers and names, whose values take little memory.

    Raises:
        ValueError: another type.
        KeyError: a feature is not there.
    """
    for name in ("label", *features):
        kind = schema.field(name).type
        if not pa.types.is_primitive(kind):
            raise ValueError(f"column {name!r} is of type {str(kind)[:_SHOWN]}, expected numbers")


def _repeated(texts: Strings, count: int) -> pa.DictionaryArray:
    names, codes = np.unique(texts, return_inverse=True)
    return pa.DictionaryArray.from_arrays(np.repeat(codes.astype(np.int32), count), pa.array(names.tolist()))


def _trial_keys(dataset: Dataset) -> dict[str, npt.NDArray[Any]]:
    return {"subject": dataset.subjects, "trial": dataset.trials, "label": dataset.labels}


def _add(sha: Future[hashlib._Hash], piece: memoryview) -> None:
    sha.result().update(piece)


def _strings(column: pa.ChunkedArray, every: int) -> Strings:
    """Every ``every``-th entry of a column of text."""
    encoded = column.cast(pa.dictionary(pa.int32(), pa.string())).combine_chunks()
    codes: npt.NDArray[np.int32] = encoded.indices.to_numpy()[::every]
    return np.asarray(encoded.dictionary.to_pylist(), dtype=np.str_)[codes]
