"""What a final model was trained on: `training.json`, kept beside its network.

`train` writes it, `predict` reads it and refuses recordings that do not fit. The scorer that MLflow serves
(`steps/tracking/models/scorer.py`) reads the same file by itself, because its copy must work without this project.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, model_validator

from steps.core.data.labelling import BINARY, LabelKind, Labelling
from steps.core.data.normalise import Normalise
from steps.core.data.subject_statistics import SubjectStatistics
from steps.core.data.timing import Timing

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[np.float64]


class LeftOutScores(BaseModel):
    """What is said of each training trial by the model fitted without its subject; all of the same length.

    Attributes:
        subject: its place among `TrainingReference.subjects`, from 0.
        label: 0 or 1.
        probability: of class 1.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    subject: list[NonNegativeInt]
    label: list[Literal[0, 1]]
    probability: list[Annotated[float, Field(ge=0, le=1)]]

    @classmethod
    def of(cls, left_out: pd.DataFrame, subjects: Sequence[str], controls: Collection[str]) -> Self:
        """From the table of a fit (``subject``, ``label``, ``probability``).

        Args:
            left_out: a row per training trial.
            subjects: all who trained, as `TrainingReference.subjects` has them.
            controls: the control group; they are not like the people who will be asked about, so they are left out.
        """
        patients = left_out[~left_out["subject"].isin(list(controls))]
        place = {name: number for number, name in enumerate(subjects)}
        return cls(
            subject=[place[name] for name in patients["subject"]],
            label=patients["label"].tolist(),
            probability=patients["probability"].tolist(),
        )


class TrainingReference(BaseModel):
    """``training.json``.

    Attributes:
        format_version: 2 where ``normalise`` is ``subject``, so that older versions of this project, which would not do
            it, refuse the model.
        normalise: what is done to recordings before the network takes them, as `steps.core.data.normalise.normalised`.
        features: names of the features, in the order of the network's input.
        units: unit of a feature where known.
        time: the time axis, length ``timesteps``.
        time_unit: unit of ``time``.
        time_normalised: whether every training trial was interpolated to ``time`` from its first to its last sample.
        labels: names of the negative ("0") and the positive class ("1").
        subjects: whom the network was fitted on.
        dataset_digest: of the dataset they come from.
        mean: mean of the training trials, normalised, shape ``(timesteps, features)``.
        sd: their standard deviation, same shape; where that is 0 the feature's over all time points, where that is 0
            too, 1.
        control_mean: mean of the control trials, normalised, same shape; None without a control group.
        left_out: columns of the training's files that were no features.
        usual_distance: the `distance` within which 99% of the training trials lie.
        timing: how the training trials were sampled; None where the model was made before this was kept.
        left_out_scores: of all training trials but the control group's; None where the network leaves out nobody while
            it is fitted, or where the model was made before this was kept.
        description: of the study (``study.yaml``); "" where it had none.
        by_subject: what the recordings of each of ``subjects`` are like, before ``normalise``; None where the model was
            made before this was kept.
        labelling: what labels are, where they are more than yes or no.
    """

    # Later versions may say more.
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    format_version: Literal[1, 2]
    normalise: Normalise = "study"
    features: list[str]
    units: dict[str, str]
    time: list[float]
    time_unit: str
    time_normalised: bool
    labels: dict[Literal["0", "1"], str]
    subjects: list[str]
    dataset_digest: str
    mean: list[list[float]]
    sd: list[list[float]]
    control_mean: list[list[float]] | None
    usual_distance: float
    timing: Timing | None = None
    left_out: list[str] = []
    left_out_scores: LeftOutScores | None = None
    description: str = ""
    by_subject: SubjectStatistics | None = None
    labelling: Labelling | None = None

    @model_validator(mode="after")
    def _shapes_agree(self) -> TrainingReference:
        for name in ("mean", "sd", "control_mean"):
            rows = getattr(self, name)
            if rows is not None and {len(row) for row in rows} | {len(self.features)} != {len(self.features)}:
                raise ValueError(f"{name} has not {len(self.features)} features throughout")
            if rows is not None and len(rows) != len(self.time):
                raise ValueError(f"{name} has {len(rows)} time points, time has {len(self.time)}")
        if len(self.time) < 2 or any(later <= earlier for earlier, later in pairwise(self.time)):
            raise ValueError("time does not increase")
        if set(self.labels) != {"0", "1"}:
            raise ValueError("labels do not name both classes")
        if self.by_subject and len(self.by_subject.values[0]) != len(self.features):
            raise ValueError(f"by_subject has not {len(self.features)} features")
        if min(min(row) for row in self.sd) <= 0:
            raise ValueError("sd is not positive throughout")
        scores = self.left_out_scores
        if scores is not None:
            if not len(scores.subject) == len(scores.label) == len(scores.probability):
                raise ValueError("left_out_scores has columns of different lengths")
            if max(scores.subject, default=-1) >= len(self.subjects):
                raise ValueError("left_out_scores names subjects that are not there")
        return self

    @property
    def label_kind(self) -> LabelKind:
        """What labels are."""
        return self.labelling.kind if self.labelling else BINARY

    @property
    def shape(self) -> tuple[int, int]:
        """``(timesteps, features)`` of a trial."""
        return len(self.time), len(self.features)

    def distances(self, values: npt.NDArray[np.floating]) -> Array:
        """`distance` of normalised trials ``(trials, timesteps, features)`` from the training's, ``(trials,)``."""
        return distance(values, np.asarray(self.mean), np.asarray(self.sd))


def distance(values: npt.NDArray[np.floating], mean: Array, sd: Array) -> Array:
    """How far trials lie from the mean of the training trials, in standard deviations.

    Args:
        values: shape ``(trials, timesteps, features)``.
        mean: shape ``(timesteps, features)``.
        sd: shape ``(timesteps, features)``, positive.

    Returns:
        The root mean square over time points and features of ``(value - mean) / sd``, shape ``(trials,)``.
    """
    return np.asarray(np.sqrt((((values - mean) / sd) ** 2).mean(axis=(1, 2))), dtype=np.float64)
