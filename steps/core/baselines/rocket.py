"""MiniRocket and MultiRocket: nearly random convolutions, what they see pooled over time, and a ridge classifier.

Dempster, Schmidt & Webb 2021, "MiniRocket: a very fast (almost) deterministic transform for time series
classification", KDD 2021; Tan, Dempster, Bergmeir & Webb 2022, "MultiRocket: multiple pooling operators and
transformations for fast and effective time series classification", Data Min. Knowl. Discov. 36:1623-1646. The
transforms are aeon's.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from steps.core.baselines.choice import MINIROCKET, MULTIROCKET
from steps.core.data.dataset import Dataset, Floats
from steps.core.models.ridge import fit_ridge
from steps.errors import UserError

ALPHAS = tuple(float(alpha) for alpha in np.logspace(-2, 6, 9))
# Time points: the kernels have nine, and MultiRocket lays them on what changes between two, too.
SHORTEST = {MINIROCKET: 9, MULTIROCKET: 10}
_FLATTEST = 1e-3  # slope of the sigmoid, in standard deviations of the left-out scores

Array = npt.NDArray[np.float64]


def rocket(name: str, training: Dataset, test: Floats, *, seed: int) -> Array:
    """Probability of the positive class of each test trial, shape ``(trials,)``.

    Everything is fitted on the training trials: the scale of each channel, the transform, the scale of its features,
    the ridge classifier with its penalty, and the sigmoid that makes probabilities of its scores (Platt 1999, in
    *Advances in Large Margin Classifiers*). Penalty and sigmoid stand on scores of training subjects by the ridge
    fitted without them; in the sigmoid the classes count the same, so that 0.5 is the natural threshold.

    Args:
        name: ``minirocket`` or ``multirocket``.
        training: trials of the fold's training subjects, both classes, at least two subjects.
        test: shape ``(trials, timesteps, features)``.
        seed: of the transform.

    Raises:
        UserError: the trials are shorter than the kernels.
    """
    features, transformed = _fitted(name, training.values, seed)
    tested = transformed(test)
    # On a busy machine the threads of an eigendecomposition wait for each other ten times as long as they compute.
    with threadpool_limits(1):
        ridge = fit_ridge(features, training.labels, training.subjects, ALPHAS)
    unit = float(ridge.left_out_scores.std()) or 1.0
    sigmoid = LogisticRegression(class_weight="balanced").fit(
        ridge.left_out_scores[:, np.newaxis] / unit, training.labels
    )
    if sigmoid.coef_[0, 0] <= 0:
        # Whoever is left out is missing in his class, so of few subjects left-out scores may lean the wrong way. That
        # is no reason to turn all answers round: they keep their order, and say next to nothing.
        sigmoid.coef_[:], sigmoid.intercept_[:] = _FLATTEST, 0.0
    scores = ridge.scores(tested)
    return np.asarray(sigmoid.predict_proba(scores[:, np.newaxis] / unit)[:, 1])


def rocket_features(name: str, trials: Floats, seed: int) -> Array:
    """The standardised features ``(trials, features)`` of trials that the transform is fitted on, without labels.

    Raises:
        UserError: the trials are shorter than the kernels.
    """
    return _fitted(name, trials, seed)[0]


def _fitted(name: str, trials: Floats, seed: int) -> tuple[Array, Callable[[Floats], Array]]:
    """Standardised features of the trials, and what makes them of others."""
    if trials.shape[1] < SHORTEST[name]:
        raise UserError(
            f"baselines: {name} needs trials of at least {SHORTEST[name]} time points, the dataset has "
            f"{trials.shape[1]}; leave {name} out, or prepare with more timesteps"
        )
    mean = trials.mean(axis=(0, 1), dtype=np.float64)
    spread = trials.std(axis=(0, 1), dtype=np.float64)
    spread[spread == 0] = 1.0
    transform, scaler = _transform(name, seed), StandardScaler(copy=False)

    def channels(values: Floats) -> Floats:
        return np.ascontiguousarray(((values - mean) / spread).astype(np.float32).transpose(0, 2, 1))

    features = scaler.fit_transform(np.asarray(transform.fit_transform(channels(trials)), dtype=np.float64))

    def transformed(values: Floats) -> Array:
        made = np.asarray(transform.transform(channels(values)), dtype=np.float64)
        return np.asarray(scaler.transform(made))

    return np.asarray(features), transformed


def _transform(name: str, seed: int) -> Any:
    with warnings.catch_warnings():
        # aeon and numba announce their own migrations on import.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        from aeon.transformations.collection.convolution_based import MiniRocket, MultiRocket

    return (MiniRocket if name == MINIROCKET else MultiRocket)(random_state=seed, n_jobs=1)
