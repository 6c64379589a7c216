"""What each subject's recordings are like, feature by feature, in four numbers: what batches of people are compared by.

Each number is of one trial, then averaged over the subject's trials, so that how many trials there are moves none of
them. Values are those that were recorded, before any standardising.
"""

from __future__ import annotations

from typing import Final, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, model_validator

from steps.core.data.dataset import Floats, Strings

Array = npt.NDArray[np.float64]
# Mean over time; standard deviation over time; root mean square of steps between time points, in such standard
# deviations (a filter, a rate, noise); correlation with the mean course of the training (a sign, a swapped sensor).
STATISTICS: Final = ("level", "spread", "roughness", "course")
_DIGITS = 7


class SubjectStatistics(BaseModel):
    """Of all subjects a model was trained on.

    Attributes:
        subjects: their names.
        values: by subject, feature and statistic.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    subjects: list[str]
    values: list[list[list[float]]]

    @model_validator(mode="after")
    def _shapes_agree(self) -> Self:
        widths = {len(row) for of_subject in self.values for row in of_subject}
        features = {len(of_subject) for of_subject in self.values}
        if len(self.values) != len(self.subjects) or len(features) != 1 or widths != {len(STATISTICS)}:
            raise ValueError(f"by_subject has not {len(STATISTICS)} statistics of each feature and subject")
        return self

    @classmethod
    def of(cls, values: Floats, courses: Floats, subjects: Strings) -> Self:
        """Those of a training; each subject's courses are compared with those of the others.

        Args:
            values: as recorded, shape ``(trials, timesteps, features)``.
            courses: as the network takes them, same shape; their mean over trials is the usual course.
            subjects: subject of each trial, shape ``(trials,)``.
        """
        names = np.unique(subjects)
        total = courses.sum(axis=0, dtype=np.float64)
        rows = []
        for name in names:
            own = np.flatnonzero(subjects == name)
            others = len(subjects) - len(own)
            # Of a single subject there is nobody else.
            mean = (total - courses[own].sum(axis=0, dtype=np.float64)) / others if others else total / len(own)
            rows.append(_of_trials(values[own], mean).mean(axis=0))
        return cls(subjects=names.tolist(), values=np.array([_rounded(row) for row in rows]).tolist())


def subject_statistics(values: Floats, subjects: Strings, course: Array) -> tuple[list[str], Array]:
    """The same of new people.

    Args:
        values: as recorded, shape ``(trials, timesteps, features)``.
        subjects: subject of each trial, shape ``(trials,)``.
        course: the mean trial of the training, shape ``(timesteps, features)``.

    Returns:
        Names, sorted, and an array ``(subjects, features, statistics)``.
    """
    names = np.unique(subjects)
    of_trials = _of_trials(values, course)
    return names.tolist(), np.array([_rounded(of_trials[subjects == name].mean(axis=0)) for name in names])


def _of_trials(values: Floats, course: Array) -> Array:
    """``(trials, features, statistics)``."""
    exact = values.astype(np.float64)
    level = exact.mean(axis=1)
    centred = exact - level[:, np.newaxis]
    spread = np.sqrt((centred**2).mean(axis=1))
    steps = np.sqrt((np.diff(exact, axis=1) ** 2).mean(axis=1))
    usual = course - course.mean(axis=0)
    scale = np.sqrt((usual**2).mean(axis=0)) * spread
    # What rounding leaves of the spread of a constant is none.
    is_flat = spread <= 1e-6 * np.maximum(np.abs(level), 1e-30)
    with np.errstate(divide="ignore", invalid="ignore"):
        roughness = np.where(is_flat, 0.0, steps / spread)
        alike = np.where(is_flat | (scale == 0), 0.0, (centred * usual).mean(axis=1) / scale)
    return np.stack([level, np.where(is_flat, 0.0, spread), roughness, alike], axis=2)


def _rounded(values: Array) -> Array:
    """To so many digits that no file is larger than it has to be."""
    size = np.floor(np.log10(np.maximum(np.abs(values), 1e-300)))
    factor = 10.0 ** np.clip(_DIGITS - 1 - size, -280, 280)
    return np.asarray(np.round(values * factor) / factor)
