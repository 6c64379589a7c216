"""``dataset.json``: what the trials of a dataset are, and the digest that vouches for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from steps.core.data.labelling import Labelling
from steps.core.data.timing import Timing
from steps.errors import UserError
from steps.system.untrusted_files import read_regular

MANIFEST_FILE = "dataset.json"
PATIENT, CONTROL = "patient", "control"
WARNING = "WARNING: "  # the beginning of an important note, which the driver's last lines repeat
# The beginning of a note that said so, before manifests had a field for it.
_TIME_NORMALISED: Final = "Time-normalised"
_SHOWN: Final = 200


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlantedTruth(_Strict):
    """What a simulated study changed: feature name -> first and last affected time point (0-based, inclusive)."""

    windows: dict[str, tuple[int, int]]


class SubjectEntry(_Strict):
    """One subject in the manifest."""

    name: str
    group: Literal["patient", "control"]
    trials: int
    positive_trials: int


class Origin(_Strict):
    """Where a source was fetched from.

    Attributes:
        address: without a digest; it holds no password and no token.
        files: how many.
        bytes: of all files together.
        sha256: of the file, or of the list of a folder's files (`steps.system.file_digests`).
        said: checksum and version of a single file, as the store says them.
    """

    address: str
    files: int
    bytes: int
    sha256: str
    said: dict[str, str] = {}


class Manifest(_Strict):
    """What is known of a dataset beside its trials; fields as those of `steps.core.data.dataset.Dataset`.

    Attributes:
        timing: None in manifests that were written before it was kept.
        digest: SHA-256 of the dataset's content.
        origin: of what was fetched; None for files of this machine.
    """

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
    excluded: list[str] = []
    planted_truth: PlantedTruth | None
    digest: str
    time_normalised: bool
    timing: Timing | None = None
    description: str = ""
    origin: Origin | None = None
    labelling: Labelling | None = None

    @property
    def patients(self) -> int:
        """How many subjects there are without those of the control group."""
        return sum(subject.group == PATIENT for subject in self.subjects)

    @property
    def sentences(self) -> tuple[str, str]:
        """How many trials, subjects, time points and features there are, and how many trials of each class."""
        return (
            f"{self.trials} trials of {self.patients} subjects and {len(self.subjects) - self.patients} controls, "
            f"{self.timesteps} time points x {len(self.features)} features",
            f"{self.class_counts['1']} trials {self.labels['1']!r} (positive), "
            f"{self.class_counts['0']} trials {self.labels['0']!r}",
        )

    @model_validator(mode="before")
    @classmethod
    def _written_before_the_field(cls, document: Any) -> Any:
        """Read manifests without the field: a note alone said that trials were time-normalised."""
        if not isinstance(document, dict) or document.get("time_normalised") is not None:
            return document
        notes = document.get("notes")
        said = isinstance(notes, list) and any(str(note).startswith(_TIME_NORMALISED) for note in notes)
        return {**document, "time_normalised": said}


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
