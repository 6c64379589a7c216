"""The one type the steps share: trials with subjects, labels, feature names and units.

On disk a dataset is a folder with ``trials.parquet`` (a row per trial and time point) and ``dataset.json``
(the manifest). Nothing is unpickled; the SHA-256 digest of the content is checked on every load.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from steps.errors import UserError

TRIALS_FILE = "trials.parquet"
MANIFEST_FILE = "dataset.json"
RESERVED_COLUMNS = ("subject", "label", "trial", "group", "time", "test_number")
PATIENT, CONTROL = "patient", "control"
TIME_NORMALISED = "Time-normalised"  # how the note begins that says so

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
    planted_truth: PlantedTruth | None
    digest: str


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
        order = np.lexsort((self.labels, self.trials, self.subjects))
        if not np.array_equal(order, np.arange(trials)):
            for name in ("values", "labels", "subjects", "trials", "is_control"):
                object.__setattr__(self, name, getattr(self, name)[order])

    @property
    def timesteps(self) -> int:
        """Time points per trial."""
        return len(self.time)

    @property
    def is_time_normalised(self) -> bool:
        """Whether trials were interpolated to the common time axis, from their first to their last sample."""
        return any(note.startswith(TIME_NORMALISED) for note in self.notes)

    @property
    def label_counts(self) -> dict[Literal["0", "1"], int]:
        """Trials per class, control group included."""
        positive = int(self.labels.sum())
        return {"0": len(self.labels) - positive, "1": positive}

    def select(self, mask: npt.NDArray[np.bool_]) -> Dataset:
        """The trials where ``mask``, bool of shape ``(trials,)``, is true."""
        return replace(
            self,
            values=self.values[mask],
            labels=self.labels[mask],
            subjects=self.subjects[mask],
            trials=self.trials[mask],
            is_control=self.is_control[mask],
        )

    def of_subjects(self, names: Sequence[str]) -> Dataset:
        """All trials of the named subjects."""
        return self.select(np.isin(self.subjects, list(names)))

    def digest(self) -> str:
        """SHA-256 over values and meaning (not over file bytes, so a new Parquet writer keeps it)."""
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
        sha.update(np.ascontiguousarray(self.values, dtype="<f4").tobytes())
        return sha.hexdigest()

    def manifest(self) -> Manifest:
        """The manifest that is stored beside the trials."""
        entries = []
        for name in np.unique(self.subjects):
            rows = self.subjects == name
            entries.append(
                SubjectEntry(
                    name=str(name),
                    group="control" if self.is_control[rows][0] else "patient",
                    trials=int(rows.sum()),
                    positive_trials=int(self.labels[rows].sum()),
                )
            )
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
            planted_truth=self.planted_truth,
            digest=self.digest(),
        )

    def save(self, folder: Path) -> Manifest:
        """Write ``trials.parquet`` and ``dataset.json`` into ``folder`` and return the manifest."""
        folder.mkdir(parents=True, exist_ok=True)
        manifest = self.manifest()
        repeat = self.timesteps
        columns: dict[str, pa.Array] = {
            "subject": pa.array(np.repeat(self.subjects, repeat)).dictionary_encode(),
            "label": pa.array(np.repeat(self.labels, repeat)),
            "trial": pa.array(np.repeat(self.trials, repeat)).dictionary_encode(),
            "group": pa.array(np.repeat(np.where(self.is_control, CONTROL, PATIENT), repeat)).dictionary_encode(),
            "time": pa.array(np.tile(np.asarray(self.time, dtype=np.float64), len(self.labels))),
        }
        flat = self.values.reshape(-1, len(self.features))
        columns |= {name: pa.array(flat[:, i]) for i, name in enumerate(self.features)}
        pq.write_table(pa.table(columns), folder / TRIALS_FILE, compression="zstd")
        (folder / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
        return manifest

    @classmethod
    def load(cls, folder: Path) -> Dataset:
        """Read a dataset artifact.

        Raises:
            UserError: a file is missing or malformed, or the content does not match the recorded digest.
        """
        for name in (TRIALS_FILE, MANIFEST_FILE):
            if not (folder / name).is_file():
                raise UserError(f"{folder} is not a dataset artifact: it holds no {name}")
        try:
            manifest = Manifest.model_validate_json((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        except (ValidationError, UnicodeDecodeError) as error:
            reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise UserError(f"{folder / MANIFEST_FILE} is not a dataset manifest: {reason}") from error
        try:
            table = pq.read_table(folder / TRIALS_FILE)
            flat = np.column_stack([table[name].to_numpy() for name in manifest.features])
            first = table.slice(0).take(np.arange(0, table.num_rows, manifest.timesteps))
            keys = first.select(["subject", "label", "trial", "group"]).to_pandas()
            values = flat.reshape(-1, manifest.timesteps, len(manifest.features)).astype(np.float32, copy=False)
        except (pa.ArrowInvalid, KeyError, ValueError) as error:
            raise UserError(f"{folder / TRIALS_FILE} does not match its {MANIFEST_FILE}: {error}") from error
        dataset = cls(
            values=values,
            labels=keys["label"].to_numpy(np.int8),
            subjects=_strings(keys["subject"]),
            trials=_strings(keys["trial"]),
            is_control=(keys["group"] == CONTROL).to_numpy(bool),
            features=tuple(manifest.features),
            time=tuple(manifest.time),
            time_unit=manifest.time_unit,
            label_names=(manifest.labels["0"], manifest.labels["1"]),
            units=manifest.units,
            source=manifest.source,
            notes=tuple(manifest.notes),
            planted_truth=manifest.planted_truth,
        )
        found = dataset.digest()
        if found != manifest.digest:
            raise UserError(
                f"{folder} was changed after it was written: its content has digest {found[:12]}…, "
                f"its {MANIFEST_FILE} says {manifest.digest[:12]}…"
            )
        return dataset


def _strings(column: pd.Series) -> Strings:
    return np.asarray(column.astype(str).tolist(), dtype=np.str_)
