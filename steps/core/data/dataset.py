"""The one type the steps share: trials with subjects, labels, feature names and units.

On disk a dataset is a folder with ``trials.parquet`` (a row per trial and time point) and ``dataset.json``
(the manifest). Nothing is unpickled; the SHA-256 digest of the content is checked on every load.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from steps.core.data.timing import Timing
from steps.errors import UserError
from steps.system.private_files import private_file, private_folder, write_private
from steps.system.untrusted_files import bounded_memory, check_parquet, read_regular

TRIALS_FILE = "trials.parquet"
MANIFEST_FILE = "dataset.json"
RESERVED_COLUMNS = ("subject", "label", "trial", "group", "time", "test_number")
PATIENT, CONTROL = "patient", "control"
_KEYS: Final = ("subject", "label", "trial", "group")
# Small pieces stay in the processor's cache and in memory that is taken again and again, and the first is there soon:
# a page is read whole, whatever is asked of it.
_BATCH_ROWS: Final = 4096
_PAGE_BYTES: Final = 1 << 16
_BUFFER_BYTES: Final = 1 << 14
_FLOAT_BYTES: Final = 4
_COPIES: Final = 0.5  # of the values, in numbers of 8 bytes
_SHOWN: Final = 200
TIME_NORMALISED = "Time-normalised"  # how the note begins that says so
WARNING = "WARNING: "  # how a note begins that must not be missed: the driver's last lines repeat it

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int8]
Strings = npt.NDArray[np.str_]
Group = Literal["patient", "control"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlantedTruth(_Strict):
    """What a simulated study changed: feature name -> first and last affected time point (0-based, inclusive)."""

    windows: dict[str, tuple[int, int]]


class SubjectEntry(_Strict):
    """One subject in the manifest."""

    name: str
    group: Group
    trials: int
    positive_trials: int


class Manifest(_Strict):
    """``dataset.json``: what the trials are, and the digest that vouches for them."""

    format_version: Literal[1] = 1
    source: str
    features: list[str]
    units: dict[str, str]
    timesteps: int
    time: list[float]
    time_unit: str
    labels: dict[Literal["0", "1"], str]
    subjects: list[SubjectEntry]
    trials: int
    class_counts: dict[Literal["0", "1"], int]
    notes: list[str]
    left_out: list[str] = []
    planted_truth: PlantedTruth | None
    digest: str
    time_normalised: bool | None = None
    timing: Timing | None = None


@dataclass(frozen=True, eq=False)
class Dataset:
    """Trials of a study, in canonical order (by subject, then trial, then label).

    Attributes:
        values: float32, shape ``(trials, timesteps, features)``, in the units the user gave.
        labels: int8, shape ``(trials,)``; 1 is the positive class (fear).
        subjects: subject name of each trial, shape ``(trials,)``.
        trials: trial name of each trial, shape ``(trials,)``; unique within a subject and label.
        is_control: bool, shape ``(trials,)``; trials of the control group, which is never tested.
        features: names of the features.
        units: unit of a feature where known.
        time: the common time axis, length ``timesteps``, strictly increasing.
        time_unit: unit of ``time``, e.g. ``%`` after time normalisation.
        label_names: names of the negative and the positive class.
        source: where the trials came from, as the user named it.
        notes: what was done on the way (time normalisation, interpolation), one sentence each.
        planted_truth: what a simulated study changed.
        time_normalised: as `is_time_normalised`; None where a dataset was written before this was kept.
        timing: how the trials were sampled, where that is known; no part of the digest.
        left_out: columns of the files that are no features here, because the user left them out.
    """

    values: Floats
    labels: Ints
    subjects: Strings
    trials: Strings
    is_control: npt.NDArray[np.bool_]
    features: tuple[str, ...]
    time: tuple[float, ...]
    time_unit: str = "sample"
    label_names: tuple[str, str] = ("no_fear", "fear")
    units: dict[str, str] = field(default_factory=dict)
    source: str = ""
    notes: tuple[str, ...] = ()
    planted_truth: PlantedTruth | None = None
    time_normalised: bool | None = None
    timing: Timing | None = None
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        trials, timesteps, features = self.values.shape
        for name, array in (("labels", self.labels), ("subjects", self.subjects), ("trials", self.trials),
                            ("is_control", self.is_control)):  # fmt: skip
            if array.shape != (trials,):
                raise ValueError(f"{name} has shape {array.shape}, expected ({trials},)")
        if (timesteps, features) != (len(self.time), len(self.features)):
            raise ValueError(
                f"values are {timesteps} x {features}, but time and features name "
                f"{len(self.time)} x {len(self.features)}"
            )
        if not _is_sorted(self.subjects, self.trials, self.labels):
            order = np.lexsort((self.labels, self.trials, self.subjects))
            for name in ("values", "labels", "subjects", "trials", "is_control"):
                object.__setattr__(self, name, getattr(self, name)[order])

    @property
    def timesteps(self) -> int:
        """Time points per trial."""
        return len(self.time)

    @property
    def is_time_normalised(self) -> bool:
        """Whether trials were interpolated to the common time axis, from their first to their last sample."""
        if self.time_normalised is not None:
            return self.time_normalised
        return any(note.startswith(TIME_NORMALISED) for note in self.notes)

    @property
    def label_counts(self) -> dict[Literal["0", "1"], int]:
        """Trials per class, control group included."""
        positive = int(self.labels.sum())
        return {"0": len(self.labels) - positive, "1": positive}

    def select(self, mask: npt.NDArray[np.bool_]) -> Dataset:
        """The trials where ``mask``, bool of shape ``(trials,)``, is true.

        Values are copied only where they must be: neighbouring trials, such as those of one subject, are a read-only
        view of these.
        """
        rows = np.flatnonzero(mask)
        if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
            values = self.values[rows[0] : rows[-1] + 1]
            values.flags.writeable = False
        else:
            values = self.values[rows]
        return replace(
            self,
            values=values,
            labels=self.labels[mask],
            subjects=self.subjects[mask],
            trials=self.trials[mask],
            is_control=self.is_control[mask],
        )

    def of_subjects(self, names: Sequence[str]) -> Dataset:
        """All trials of the named subjects; of one subject, or of neighbours in the order of names, without a copy."""
        wanted = np.array(sorted(set(names)), dtype=np.str_)
        mask = np.zeros(len(self.subjects), dtype=np.bool_)
        first, last = (np.searchsorted(self.subjects, wanted, side) for side in ("left", "right"))
        for start, stop in zip(first.tolist(), last.tolist(), strict=True):
            mask[start:stop] = True
        return self.select(mask)

    def digest(self) -> str:
        """SHA-256 over values and meaning (not over file bytes, so a new Parquet writer keeps it)."""
        sha = self._hash_of_meaning()
        sha.update(_bytes(self.values))
        return sha.hexdigest()

    def _hash_of_meaning(self) -> hashlib._Hash:
        sha = hashlib.sha256()
        meaning = {
            "shape": self.values.shape,
            "features": self.features,
            "units": self.units,
            "time": self.time,
            "time_unit": self.time_unit,
            "label_names": self.label_names,
            "subjects": self.subjects.tolist(),
            "trials": self.trials.tolist(),
            "labels": self.labels.tolist(),
            "is_control": self.is_control.tolist(),
            "planted_truth": self.planted_truth.model_dump() if self.planted_truth else None,
        }
        sha.update(json.dumps(meaning, sort_keys=True, ensure_ascii=True).encode())
        return sha

    def manifest(self) -> Manifest:
        """The manifest that is stored beside the trials."""
        names, first, trials = np.unique(self.subjects, return_index=True, return_counts=True)
        positive = np.add.reduceat(self.labels, first, dtype=np.int64)
        entries = [
            SubjectEntry(
                name=str(names[i]),
                group="control" if self.is_control[first[i]] else "patient",
                trials=int(trials[i]),
                positive_trials=int(positive[i]),
            )
            for i in range(len(names))
        ]
        return Manifest(
            source=self.source,
            features=list(self.features),
            units=self.units,
            timesteps=self.timesteps,
            time=list(self.time),
            time_unit=self.time_unit,
            labels={"0": self.label_names[0], "1": self.label_names[1]},
            subjects=entries,
            trials=len(self.labels),
            class_counts=self.label_counts,
            notes=list(self.notes),
            left_out=list(self.left_out),
            planted_truth=self.planted_truth,
            digest=self.digest(),
            time_normalised=self.is_time_normalised,
            timing=self.timing,
        )

    def save(self, folder: Path) -> Manifest:
        """Write ``trials.parquet`` and ``dataset.json`` into ``folder``, for the owner alone; returns the manifest."""
        private_folder(folder)
        manifest = self.manifest()
        repeat = self.timesteps
        texts = {
            "subject": self.subjects,
            "trial": self.trials,
            "group": np.where(self.is_control, CONTROL, PATIENT),
        }
        columns: dict[str, pa.Array] = {name: _repeated(text, repeat) for name, text in texts.items()}
        columns["label"] = pa.array(np.repeat(self.labels, repeat))
        columns["time"] = pa.array(np.tile(np.asarray(self.time, dtype=np.float64), len(self.labels)))
        flat = self.values.reshape(-1, len(self.features))
        columns |= {name: pa.array(flat[:, i]) for i, name in enumerate(self.features)}
        names = (*_KEYS, "time", *self.features)
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
        write_private(folder / MANIFEST_FILE, f"{manifest.model_dump_json(indent=2)}\n".encode())
        return manifest

    @classmethod
    def load(cls, folder: Path) -> Dataset:
        """Read a dataset artifact.

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
                pre_buffer=False,  # else all of the file stays in memory while it is read
                buffer_size=_BUFFER_BYTES,
            ) as file:
                size = path.stat().st_size
                unpacked = check_parquet(file.metadata, size, str(path), _COPIES)
                _check_columns(file.schema_arrow, manifest.features)
                # As `save` writes it, a file is no smaller than its values. A limit for all the same would be the whole
                # process's, in which a GPU may just be set up.
                is_packed = size < _FLOAT_BYTES * manifest.trials * manifest.timesteps * len(manifest.features)
                with bounded_memory(unpacked, str(path)) if is_packed else nullcontext():
                    dataset, found = cls._read(file, manifest)
        except (pa.ArrowException, OSError, LookupError, ValueError, OverflowError) as error:
            reason = str(error)[:_SHOWN]
            raise UserError(f"{path} does not match its {MANIFEST_FILE}: {reason}; prepare it again") from error
        if found != manifest.digest:
            raise UserError(
                f"{folder} was changed after it was written: its content has digest {found[:12]}…, "
                f"its {MANIFEST_FILE} says {manifest.digest[:12]}…; prepare it again"
            )
        return dataset

    @classmethod
    def _read(cls, file: pq.ParquetFile, manifest: Manifest) -> tuple[Dataset, str]:
        """The dataset in a Parquet file, and its digest."""
        trials, timesteps, features = manifest.trials, manifest.timesteps, len(manifest.features)
        if file.metadata.num_rows != trials * timesteps:
            raise ValueError(f"it has {file.metadata.num_rows} rows, expected {trials} x {timesteps}")
        keys = file.read(_KEYS, use_threads=False)
        values = np.empty((trials, timesteps, features), dtype=np.float32)
        subjects, names, groups = (_strings(keys[name], timesteps) for name in ("subject", "trial", "group"))
        labels = keys["label"].to_numpy()[::timesteps].astype(np.int8)
        parts = (labels, subjects, names, groups == CONTROL)
        dataset = cls.of(manifest, values, *parts)  # the values are still to be read
        rows, start = values.reshape(-1, features), 0
        # Piece by piece, so that memory holds all values once only, and one piece is hashed while the next is read.
        with ThreadPoolExecutor(max_workers=1) as hashing:
            sha = hashing.submit(dataset._hash_of_meaning)
            for batch in file.iter_batches(_BATCH_ROWS, columns=manifest.features, use_threads=False):
                block = rows[start : start + batch.num_rows]
                block[:] = batch.select(manifest.features).to_tensor(null_to_nan=True, row_major=True).to_numpy()
                hashing.submit(_add, sha, _bytes(block))
                start += len(block)
        if dataset.values is values:
            return dataset, sha.result().hexdigest()
        dataset = cls.of(manifest, values, *parts)  # now put in order: `save` did not write these rows
        return dataset, dataset.digest()

    @classmethod
    def of(
        cls,
        manifest: Manifest,
        values: Floats,
        labels: Ints,
        subjects: Strings,
        trials: Strings,
        is_control: npt.NDArray[np.bool_],
    ) -> Dataset:
        """The dataset that a manifest describes, from its arrays.

        Raises:
            ValueError: shapes disagree.
        """
        return cls(
            values=values,
            labels=labels,
            subjects=subjects,
            trials=trials,
            is_control=is_control,
            features=tuple(manifest.features),
            time=tuple(manifest.time),
            time_unit=manifest.time_unit,
            label_names=(manifest.labels["0"], manifest.labels["1"]),
            units=manifest.units,
            source=manifest.source,
            notes=tuple(manifest.notes),
            left_out=tuple(manifest.left_out),
            planted_truth=manifest.planted_truth,
            time_normalised=manifest.time_normalised,
            timing=manifest.timing,
        )


def read_manifest(folder: Path) -> Manifest:
    """``dataset.json`` of a dataset artifact.

    Raises:
        UserError: it is missing or malformed.
    """
    path = folder / MANIFEST_FILE
    try:
        return Manifest.model_validate_json(read_regular(path, str(path)))
    except ValidationError as error:
        reason = error.errors()[0]["msg"][:_SHOWN]
        raise UserError(f"{path} is not a dataset manifest: {reason}; prepare it again") from error


def _check_columns(schema: pa.Schema, features: Sequence[str]) -> None:
    """Let nothing be read but numbers and names: each of their values takes little memory.

    Raises:
        ValueError: another type.
        KeyError: a feature is not there.
    """
    for name in ("label", *features):
        kind = schema.field(name).type
        if not pa.types.is_primitive(kind):
            raise ValueError(f"column {name!r} is of type {str(kind)[:_SHOWN]}, expected numbers")


def _is_sorted(*keys: npt.NDArray[Any]) -> bool:
    """Whether rows never decrease by the first key, then the second, and so on."""
    settled = np.zeros(max(len(keys[0]) - 1, 0), dtype=np.bool_)  # rows less than the next one by an earlier key
    for key in keys:
        if np.any(~settled & (key[:-1] > key[1:])):
            return False
        settled |= key[:-1] < key[1:]
    return True


def _repeated(texts: Strings, count: int) -> pa.DictionaryArray:
    names, codes = np.unique(texts, return_inverse=True)
    return pa.DictionaryArray.from_arrays(np.repeat(codes.astype(np.int32), count), pa.array(names.tolist()))


def _add(sha: Future[hashlib._Hash], piece: memoryview) -> None:
    sha.result().update(piece)


def _bytes(values: Floats) -> memoryview:
    return np.ascontiguousarray(values, dtype="<f4").reshape(-1).view(np.uint8).data


def _strings(column: pa.ChunkedArray, every: int) -> Strings:
    """The first of each so many entries of a column of text."""
    encoded = column.cast(pa.dictionary(pa.int32(), pa.string())).combine_chunks()
    codes: npt.NDArray[np.int32] = encoded.indices.to_numpy()[::every]
    return np.asarray(encoded.dictionary.to_pylist(), dtype=np.str_)[codes]
