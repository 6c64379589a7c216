"""The one type the steps share: trials with subjects, labels, feature names and units."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from steps.core.data.example import Example
from steps.core.data.labelling import Labelling
from steps.core.data.manifest import Manifest, Origin, PlantedTruth, SubjectEntry
from steps.core.data.recording_facts import RecordingFacts
from steps.core.data.timing import Timing

RESERVED_COLUMNS = ("subject", "label", "trial", "group", "time", "test_number")

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int8]
Strings = npt.NDArray[np.str_]


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
        time_normalised: whether trials were interpolated to the common time axis, from their first to their last
            sample; no part of the digest.
        timing: how the trials were sampled, where that is known; no part of the digest.
        left_out: columns of the files that are no features here, because the user left them out.
        excluded: trials that the user left out, as ``subject/trial``.
        facts: what is known of the recordings; None where they were not kept; no part of the digest.
        description: of the study (``study.yaml``), whole; "" where there was none; no part of the digest.
        example: a trial before and after its signals were processed, where they were; not stored with the dataset.
        origin: where the source was fetched from; None for files of this machine; no part of the digest.
        labelling: what the label is in full, where it says more than ``labels`` do, which then answer its question.
        label_values: float32, shape ``(trials,)``; with a labelling the place of the class, or the score; of control
            trials NaN.
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
    time_normalised: bool = False
    timing: Timing | None = None
    left_out: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    facts: RecordingFacts | None = None
    description: str = ""
    example: Example | None = None
    origin: Origin | None = None
    labelling: Labelling | None = None
    label_values: Floats | None = None

    def __post_init__(self) -> None:
        trials, timesteps, features = self.values.shape
        for name, array in (("labels", self.labels), ("subjects", self.subjects), ("trials", self.trials),
                            ("is_control", self.is_control)):  # fmt: skip
            if array.shape != (trials,):
                raise ValueError(f"{name} has shape {array.shape}, expected ({trials},)")
        if (self.labelling is None) != (self.label_values is None):
            raise ValueError("a labelling and values of labels come together")
        if self.label_values is not None and self.label_values.shape != (trials,):
            raise ValueError(f"label_values has shape {self.label_values.shape}, expected ({trials},)")
        if (timesteps, features) != (len(self.time), len(self.features)):
            raise ValueError(
                f"values are {timesteps} x {features}, but time and features name "
                f"{len(self.time)} x {len(self.features)}"
            )
        order = np.lexsort((self.labels, self.trials, self.subjects))
        if (np.diff(order) < 0).any():
            for name in ("values", "labels", "subjects", "trials", "is_control"):
                object.__setattr__(self, name, getattr(self, name)[order])
            if self.label_values is not None:
                object.__setattr__(self, "label_values", self.label_values[order])
            if self.facts:
                object.__setattr__(self, "facts", self.facts.select(order))

    def asking(self, name: str) -> Dataset:
        """The same trials of classes, asked for another one.

        Raises:
            ValueError: there is no such class, or labels are yes or no.
        """
        if self.labelling is None or self.label_values is None:
            raise ValueError("labels are yes or no")
        labelling = self.labelling.asking(name)
        labels = labelling.answers(self.label_values)
        return replace(self, labelling=labelling, labels=labels, label_names=labelling.question)

    @property
    def timesteps(self) -> int:
        """Time points per trial."""
        return len(self.time)

    @property
    def strata(self) -> Ints:
        """Classes that every fold must train on, shape ``(trials,)``."""
        if self.labelling is None or self.label_values is None:
            return self.labels
        return self.labelling.strata(np.where(self.is_control, 0, self.label_values))

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
            facts=self.facts and self.facts.select(mask),
            label_values=None if self.label_values is None else self.label_values[mask],
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
        sha = self.hash_of_meaning()
        sha.update(as_bytes(self.values))
        return sha.hexdigest()

    def hash_of_meaning(self) -> hashlib._Hash:
        """The hash of `digest` before the values are added."""
        sha = hashlib.sha256()
        meaning: dict[str, Any] = {
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
        if self.labelling and self.label_values is not None:
            meaning["labelling"] = self.labelling.model_dump(mode="json")
            meaning["label_values"] = [None if np.isnan(one) else float(one) for one in self.label_values]
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
            excluded=list(self.excluded),
            planted_truth=self.planted_truth,
            digest=self.digest(),
            time_normalised=self.time_normalised,
            timing=self.timing,
            description=self.description,
            origin=self.origin,
            labelling=self.labelling,
        )

    @classmethod
    def of(
        cls,
        manifest: Manifest,
        values: Floats,
        labels: Ints,
        subjects: Strings,
        trials: Strings,
        is_control: npt.NDArray[np.bool_],
        label_values: Floats | None = None,
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
            excluded=tuple(manifest.excluded),
            planted_truth=manifest.planted_truth,
            time_normalised=manifest.time_normalised,
            timing=manifest.timing,
            description=manifest.description,
            origin=manifest.origin,
            labelling=manifest.labelling,
            label_values=label_values,
        )


def as_bytes(values: Floats) -> memoryview:
    """Values as the digest takes them: little-endian float32."""
    return np.ascontiguousarray(values, dtype="<f4").reshape(-1).view(np.uint8).data
