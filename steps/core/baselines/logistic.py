"""Logistic regression on summary features: what averages and ranges tell, without any shape in time."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from steps.core.data.dataset import Dataset, Floats, Ints, Strings

BINS = 8
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
UNTUNED = 1e-2  # where too few training subjects are left to choose by
INNER_FOLDS = 5

Array = npt.NDArray[np.float64]
Split = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]


def summary_features(values: Floats) -> Array:
    """Means over ``BINS`` parts of the trial, standard deviation, maximum and minimum of every feature.

    Args:
        values: shape ``(trials, timesteps, features)``.

    Returns:
        Shape ``(trials, (bins + 3) * features)``, with one bin per time point where there are fewer than ``BINS``.
    """
    exact = values.astype(np.float64)
    parts = np.array_split(exact, min(BINS, exact.shape[1]), axis=1)
    return np.concatenate(
        [*(part.mean(axis=1) for part in parts), exact.std(axis=1), exact.max(axis=1), exact.min(axis=1)], axis=1
    )


def logistic(training: Dataset, test: Floats) -> Array:
    """Probability of the positive class of each test trial, shape ``(trials,)``.

    L2-penalised logistic regression, classes weighted to count the same. The scaler and the strength of the penalty
    belong to the training trials: the strength is the one with the lowest cross-entropy in cross-validation within
    them, split by subject. It is deterministic.

    Args:
        training: trials of the fold's training subjects, both classes.
        test: shape ``(trials, timesteps, features)``.
    """
    features, labels = summary_features(training.values), training.labels
    # With several threads such small matrices are slower, much slower on a busy machine. Checking the same arguments at
    # each of many fits would take longer than fitting.
    with threadpool_limits(1), config_context(assume_finite=True, skip_parameter_validation=True):
        splits = subject_splits(labels, training.subjects)
        penalty = _best_penalty(features, labels, splits) if splits else UNTUNED
        scaler = StandardScaler().fit(features)
        return _probabilities(scaler.transform(features), labels, penalty, scaler.transform(summary_features(test)))


def _best_penalty(features: Array, labels: Ints, splits: list[Split]) -> float:
    """The penalty with the lowest cross-entropy, mean over the splits; the heaviest of several as good."""
    losses = np.empty((len(splits), len(PENALTIES)))
    for row, (fitted, held) in enumerate(splits):
        scaler = StandardScaler().fit(features[fitted])
        known, asked = scaler.transform(features[fitted]), scaler.transform(features[held])
        for column, penalty in enumerate(PENALTIES):
            positive = _probabilities(known, labels[fitted], penalty, asked)
            of_truth = np.where(labels[held] == 1, positive, 1 - positive)
            losses[row, column] = -np.log(np.maximum(of_truth, np.finfo(np.float64).eps)).mean()
    return PENALTIES[int(losses.mean(axis=0).argmin())]


def _probabilities(features: Array, labels: Ints, penalty: float, asked: Array) -> Array:
    """Fit on standardised features, then the probability of the positive class of those that are asked about."""
    model = LogisticRegression(C=penalty, class_weight="balanced", max_iter=5000).fit(features, labels)
    return np.asarray(model.predict_proba(asked)[:, 1])


def subject_splits(labels: Ints, subjects: Strings) -> list[Split]:
    """Inner splits with no subject on both sides and both classes on each side; none in a tiny study.

    Args:
        labels: shape ``(trials,)``.
        subjects: shape ``(trials,)``.
    """
    per_class = [len(np.unique(subjects[labels == label])) for label in (0, 1)]
    folds = min(INNER_FOLDS, *per_class)
    if folds < 2:
        return []
    with warnings.catch_warnings():
        # Fewer trials than folds in a class: such splits are left out below.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        splits = list(StratifiedGroupKFold(folds).split(labels, labels, subjects))
    return [split for split in splits if all(len(np.unique(labels[part])) == 2 for part in split)]
