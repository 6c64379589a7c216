"""Gradient boosting on numbers that sum a trial up: catch22 and the averages and ranges of `logistic`.

catch22: 22 characteristics of a time series, found among 4,791 for how well they tell classes apart (Lubba et al. 2019,
Data Min. Knowl. Discov. 33:1821-1852; aeon's). Boosting: trees on binned features (Ke et al. 2017, "LightGBM", NeurIPS
30; scikit-learn's).
"""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from steps.core.baselines.logistic import summary_features
from steps.core.data.dataset import Dataset, Floats, Ints
from steps.errors import UserError

SHORTEST = 3  # time points; catch22 of two is undefined

Array = npt.NDArray[np.float64]


def boosting(training: Array, labels: Ints, test: Array, *, seed: int) -> Array:
    """Probability of the positive class of each test trial, shape ``(trials,)``.

    A hundred trees of at most 8 leaves; each split looks at a tenth of the features, drawn at random. Nothing is tuned,
    so nothing has to be left out for it. Probabilities are those of classes that are equally frequent (Elkan 2001, "The
    foundations of cost-sensitive learning", IJCAI 17:973-978), so that 0.5 is the natural threshold.

    Args:
        training: features of the training trials, from `trial_features`, shape ``(trials, features)``.
        labels: 0 or 1, both, shape ``(trials,)``.
        test: the same of the test trials.
        seed: of the features that a split looks at.
    """
    # Stopping early would keep trials aside, not subjects.
    model = HistGradientBoostingClassifier(
        max_bins=32,
        max_leaf_nodes=8,
        min_samples_leaf=5,
        max_features=0.1,
        early_stopping=False,
        random_state=seed,
    )
    with threadpool_limits(1):
        logits = model.fit(training, labels).decision_function(test)
    # Weights of trials would come to the same, but binning with weights takes scikit-learn ten times as long.
    positive = labels.mean()
    return np.asarray(expit(logits - np.log(positive / (1 - positive))))


@lru_cache(maxsize=1)
def trial_features(study: Dataset) -> Array:
    """`catch22` and `summary_features` of every trial, shape ``(trials, features)``.

    They are made of a trial alone, so all folds of a study share them.
    """
    return np.concatenate([catch22(study.values), summary_features(study.values)], axis=1)


def catch22(values: Floats) -> Array:
    """Of each feature of each trial, standardised by itself: level and scale are known to `summary_features`.

    Args:
        values: shape ``(trials, timesteps, features)``.

    Returns:
        Shape ``(trials, 22 * features)``; 0 where one is undefined, as of a constant.

    Raises:
        UserError: the trials are too short.
    """
    if values.shape[1] < SHORTEST:
        raise UserError(
            f"baselines: boosting needs trials of at least {SHORTEST} time points, the dataset has {values.shape[1]}; "
            "leave boosting out, or prepare with more timesteps"
        )
    with warnings.catch_warnings():
        # aeon and numba announce their own migrations on import.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        from aeon.transformations.collection.feature_based import Catch22

    exact = values.astype(np.float64)
    spread = exact.std(axis=1, keepdims=True, ddof=1)
    standardised = (exact - exact.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
    made = Catch22(n_jobs=1).fit_transform(np.ascontiguousarray(standardised.transpose(0, 2, 1)))
    return np.nan_to_num(np.asarray(made, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
