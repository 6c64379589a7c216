"""From attributions of trials to the importance of features, time points and both, over folds, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from steps.core.attribution.resampling import Estimates, Rows, bounds, estimate, subject_means
from steps.core.data.dataset import Floats

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FoldMap:
    """Attributions of one fold, averaged over the trials of each of its subjects.

    Attributes:
        subjects: names, shape ``(subjects,)``.
        trials: trials of each subject, shape ``(subjects,)``.
        subject_absolute: mean absolute attribution, float64, shape ``(subjects, timesteps, features)``.
        subject_signed: mean attribution, float64, shape ``(subjects, timesteps, features)``; positive raises the
            target's probability.
    """

    subjects: npt.NDArray[np.str_]
    trials: npt.NDArray[np.int64]
    subject_absolute: Array
    subject_signed: Array

    @property
    def absolute(self) -> Array:
        """Mean absolute attribution over all trials, shape ``(timesteps, features)``."""
        return np.asarray(np.average(self.subject_absolute, axis=0, weights=self.trials))

    @property
    def signed(self) -> Array:
        """Mean attribution over all trials, shape ``(timesteps, features)``."""
        return np.asarray(np.average(self.subject_signed, axis=0, weights=self.trials))


def fold_map(attributions: Floats, subjects: npt.NDArray[np.str_] | None = None) -> FoldMap:
    """The maps of a fold.

    Args:
        attributions: shape ``(trials, timesteps, features)``.
        subjects: whose trials they are, shape ``(trials,)``; one and the same by default.

    Raises:
        ValueError: there are no trials, or attributions are not finite.
    """
    if not len(attributions):
        raise ValueError("the fold has no attributed trials")
    if not np.isfinite(attributions).all():
        raise ValueError("attributions are not finite; the model's output is not a number")
    if subjects is None:
        subjects = np.full(len(attributions), "")
    names, trials = np.unique(subjects, return_counts=True)
    return FoldMap(names, trials, subject_means(subjects, np.abs(attributions)), subject_means(subjects, attributions))


def map_rows(fold_maps: Sequence[FoldMap]) -> Rows:
    """The rows whose means are the importance: one per fold and subject, in the order of the maps."""
    return Rows(
        np.concatenate([one.subjects for one in fold_maps]),
        np.repeat(np.arange(len(fold_maps)), [len(one.subjects) for one in fold_maps]),
        np.concatenate([one.trials for one in fold_maps]),
    )


def feature_importance(fold_maps: Sequence[FoldMap], features: Sequence[str], *, seed: int = 0) -> pd.DataFrame:
    """Mean absolute attribution of each feature, every fold counting the same.

    Args:
        fold_maps: one per fold (and test number), at least one.
        features: names, in the order of the maps.
        seed: of the bootstrap.

    Returns:
        A row per feature, sorted by rank: ``feature``; ``importance``, mean over folds of the mean over
        trials and time points, in probability per time point; ``sd`` over folds (sample standard deviation,
        NaN with one fold); ``rank``, 1 = most important, ties in the order of ``features``; ``low`` and ``high``,
        95% interval of ``importance`` over resampled subjects (NaN with one subject); ``rank_low`` and ``rank_high``,
        that of the rank; ``signed``, the mean attribution, with its interval.
    """
    by_subject = _stack(fold_maps, lambda one: one.subject_absolute.mean(axis=1))
    rows = map_rows(fold_maps)
    resampled = rows.resamples(seed) @ by_subject
    rank_low = rank_high = np.full(len(features), np.nan)
    if len(resampled):
        rank_low, rank_high = bounds(rankdata(-resampled, method="ordinal", axis=1))
    table = pd.DataFrame({"feature": list(features), **_importance(fold_maps, axis=0, seed=seed)})
    table["rank_low"], table["rank_high"] = rank_low, rank_high
    table = table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)
    table.insert(3, "rank", np.arange(1, len(table) + 1))
    return table


def time_importance(fold_maps: Sequence[FoldMap], time: Sequence[float], *, seed: int = 0) -> pd.DataFrame:
    """Mean absolute attribution of each time point, every fold counting the same.

    Returns:
        A row per time point: ``time``; ``importance``, mean over folds of the mean over trials and features, in
        probability per feature; ``sd``, ``low``, ``high``, ``signed`` and its interval as in `feature_importance`.
    """
    return pd.DataFrame({"time": list(time), **_importance(fold_maps, axis=1, seed=seed)})


def cell_importance(
    fold_maps: Sequence[FoldMap], features: Sequence[str], time: Sequence[float], *, seed: int = 0
) -> pd.DataFrame:
    """`attribution_map` as a long table, with intervals.

    Returns:
        A row per feature and time point: ``feature``, ``time``, ``importance`` with ``low`` and ``high``, and
        ``signed`` with ``signed_low`` and ``signed_high``, all in probability.
    """
    absolute = _estimate(fold_maps, lambda one: _cells(one.subject_absolute), seed)
    signed = _estimate(fold_maps, lambda one: _cells(one.subject_signed), seed)
    return pd.DataFrame(
        {
            "feature": np.repeat(np.asarray(features, dtype=object), len(time)),
            "time": np.tile(np.asarray(time, dtype=np.float64), len(features)),
            **columns_of(absolute, signed),
        }
    )


def attribution_map(
    fold_maps: Sequence[FoldMap], features: Sequence[str], time: Sequence[float], *, signed: bool = False
) -> pd.DataFrame:
    """Mean attribution of each feature at each time point, every fold counting the same.

    Args:
        fold_maps: one per fold (and test number), at least one.
        features: names, in the order of the maps.
        time: the time axis; its values name the columns, ``12.5`` or ``3``.
        signed: the mean attribution instead of its mean magnitude.

    Returns:
        A row per feature, in the order of ``features``: ``feature``, then a column per time point, in
        probability.
    """
    mean = np.mean([one.signed if signed else one.absolute for one in fold_maps], axis=0)
    table = pd.DataFrame(mean.T, columns=[str(float(point)).removesuffix(".0") for point in time])
    table.insert(0, "feature", list(features))
    return table


def _importance(fold_maps: Sequence[FoldMap], *, axis: int, seed: int) -> dict[str, Array]:
    """Columns of a table whose quantities remain when ``axis`` of the maps is averaged away."""
    per_fold = np.stack([one.absolute.mean(axis=axis) for one in fold_maps])
    spread = per_fold.std(axis=0, ddof=1) if len(per_fold) > 1 else np.full(per_fold.shape[1], np.nan)
    absolute = _estimate(fold_maps, lambda one: one.subject_absolute.mean(axis=1 + axis), seed)
    signed = _estimate(fold_maps, lambda one: one.subject_signed.mean(axis=1 + axis), seed)
    columns = columns_of(absolute, signed)
    return {"importance": columns.pop("importance"), "sd": spread, **columns}


def columns_of(absolute: Estimates, signed: Estimates) -> dict[str, Array]:
    """Importance and mean attribution with their intervals, as columns of a table."""
    return {
        "importance": absolute.value,
        "low": absolute.low,
        "high": absolute.high,
        "signed": signed.value,
        "signed_low": signed.low,
        "signed_high": signed.high,
    }


def _estimate(fold_maps: Sequence[FoldMap], reduce: Callable[[FoldMap], Array], seed: int) -> Estimates:
    return estimate(map_rows(fold_maps), _stack(fold_maps, reduce), seed)


def _stack(fold_maps: Sequence[FoldMap], reduce: Callable[[FoldMap], Array]) -> Array:
    return np.concatenate([reduce(one) for one in fold_maps])


def _cells(maps: Array) -> Array:
    """``(subjects, timesteps, features)`` as ``(subjects, features * timesteps)``."""
    return maps.transpose(0, 2, 1).reshape(len(maps), -1)
