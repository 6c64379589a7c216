"""MiniRocket: nearly random convolutions, the share of time each is above a threshold, and a ridge classifier.

Dempster, Schmidt & Webb 2021, "MiniRocket: a very fast (almost) deterministic transform for time series
classification", KDD 2021; the transform is aeon's.
"""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from steps.core.data.dataset import Dataset, Floats
from steps.core.models.ridge import fit_ridge
from steps.errors import UserError

ALPHAS = tuple(float(alpha) for alpha in np.logspace(-2, 6, 9))
SHORTEST = 9  # time points; the kernels are that long

Array = npt.NDArray[np.float64]


def minirocket(training: Dataset, test: Floats, *, seed: int) -> Array:
    """Probability of the positive class of each test trial, shape ``(trials,)``.

    Everything is fitted on the training trials: the scale of each channel, the transform, the scale of its features,
    the ridge classifier with its penalty, and the sigmoid that makes probabilities of its scores (Platt 1999, in
    *Advances in Large Margin Classifiers*). Penalty and sigmoid stand on scores of training subjects by the ridge
    fitted without them; in the sigmoid the classes count the same, so that 0.5 is the natural threshold.

    Args:
        training: trials of the fold's training subjects, both classes, at least two subjects.
        test: shape ``(trials, timesteps, features)``.
        seed: of the transform.

    Raises:
        UserError: the trials are shorter than the kernels.
    """
    if training.timesteps < SHORTEST:
        raise UserError(
            f"baselines: minirocket needs trials of at least {SHORTEST} time points, the dataset has "
            f"{training.timesteps}"
        )
    mean = training.values.mean(axis=(0, 1), dtype=np.float64)
    spread = training.values.std(axis=(0, 1), dtype=np.float64)
    spread[spread == 0] = 1.0

    def channels(values: Floats) -> Floats:
        return np.ascontiguousarray(((values - mean) / spread).astype(np.float32).transpose(0, 2, 1))

    with warnings.catch_warnings():
        # aeon and numba announce their own migrations on import.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        from aeon.transformations.collection.convolution_based import MiniRocket

        transform = MiniRocket(random_state=seed, n_jobs=1)
        features = np.asarray(transform.fit_transform(channels(training.values)), dtype=np.float64)
        tested = np.asarray(transform.transform(channels(test)), dtype=np.float64)
    scaler = StandardScaler()
    # On a busy machine the threads of an eigendecomposition wait for each other ten times as long as they compute.
    with threadpool_limits(1):
        ridge = fit_ridge(scaler.fit_transform(features), training.labels, training.subjects, ALPHAS)
    unit = float(ridge.left_out_scores.std()) or 1.0
    sigmoid = LogisticRegression(class_weight="balanced").fit(
        ridge.left_out_scores[:, np.newaxis] / unit, training.labels
    )
    scores = ridge.scores(scaler.transform(tested))
    return np.asarray(sigmoid.predict_proba(scores[:, np.newaxis] / unit)[:, 1])
