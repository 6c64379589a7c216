"""Does the attribution depend on what the model learned? Its weights are replaced by random ones, layer by layer.

The cascading model-parameter randomisation test of Adebayo, Gilmer, Muelly, Goodfellow, Hardt & Kim 2018, "Sanity
Checks for Saliency Maps", NeurIPS: an attribution that looks the same under an untrained network explains the data,
not the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from steps.core.data.dataset import Floats
from steps.core.models.saved_network import copy_of

FOLDS = 6  # that are checked, spread over the study
TRIALS = 6  # of each of them
Attribute = Callable[[Any], Floats]
"""Maps a model to its attributions of the same few trials, ``(trials, timesteps, features)``."""


def cascade(model: Any, seed: int) -> Iterator[tuple[str, Any]]:
    """The model with its last layer's weights drawn anew from the layer's initialisers, then its last two, and on.

    Args:
        model: a Keras model; stays as it is. What it has not learned, its scaler, its copies keep. Seeds that the
            model has recorded would give the weights that its training began with; none is used again.
        seed: of the weights.

    Yields:
        The name of the layer that was randomised last, and the copy; the same object each time.
    """
    from steps.core.models.networks import drawn_anew  # takes seconds to import

    fresh, copy = drawn_anew(model.get_config(), seed, type(model)), copy_of(model)
    for layer, new in zip(reversed(copy.layers), reversed(fresh.layers), strict=True):
        if layer.trainable_weights:
            layer.set_weights(new.get_weights())
            yield layer.name, copy


def randomisation_check(model: Any, attribute: Attribute, subjects: npt.NDArray[np.str_], *, seed: int) -> pd.DataFrame:
    """How like the model's own attributions are those of its randomised copies.

    Args:
        model: a fold's model.
        attribute: attributes a few trials.
        subjects: whose trials those are, shape ``(trials,)``.
        seed: of the random weights.

    Returns:
        A row per trial and stage: ``subject``, ``stage`` (how many layers are random), ``layer`` (the last of them),
        ``last`` (whether that is all), and Spearman's rank correlation over all cells between the attributions of the
        trained and the randomised model: ``correlation`` of the signed attributions and ``absolute_correlation`` of
        their sizes (NaN where one is constant). Sizes stay correlated even with an untrained network, because both
        are proportional to the difference from the baseline; the sign is what only the weights know.
    """
    trained = attribute(model)
    tables = []
    for stage, (layer, randomised) in enumerate(cascade(model, seed), start=1):
        attributions = attribute(randomised)
        tables.append(
            pd.DataFrame(
                {
                    "subject": subjects,
                    "stage": stage,
                    "layer": layer,
                    "correlation": _rank_correlations(trained, attributions),
                    "absolute_correlation": _rank_correlations(np.abs(trained), np.abs(attributions)),
                }
            )
        )
    table = pd.concat(tables, ignore_index=True)
    return table.assign(last=table["stage"] == len(tables))


def randomisation_table(checked: pd.DataFrame) -> pd.DataFrame:
    """Means over all trials that were checked, a row per stage.

    Returns:
        ``stage``, ``layer``, ``trials``, ``correlation`` (mean of the magnitudes, so that correlations of opposite
        sign do not cancel) and ``absolute_correlation``.
    """
    grouped = checked.assign(correlation=checked["correlation"].abs()).groupby("stage", sort=True)
    return grouped.agg(
        layer=("layer", "first"),
        trials=("subject", "size"),
        correlation=("correlation", "mean"),
        absolute_correlation=("absolute_correlation", "mean"),
    ).reset_index()


def randomisation_metrics(checked: pd.DataFrame) -> dict[str, float]:
    """``randomised_correlation`` and ``randomised_absolute_correlation`` with all layers random; see the table.

    What is undefined, because attributions are constant, is absent.
    """
    final = randomisation_table(checked).iloc[-1]
    metrics = {
        "randomised_correlation": float(final["correlation"]),
        "randomised_absolute_correlation": float(final["absolute_correlation"]),
    }
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def _rank_correlations(one: Floats, other: Floats) -> npt.NDArray[np.float64]:
    from scipy.stats import spearmanr

    correlations = np.full(len(one), np.nan)
    for row, (first, second) in enumerate(zip(one, other, strict=True)):
        if np.ptp(first) > 0 and np.ptp(second) > 0:
            correlations[row] = spearmanr(first, second, axis=None).statistic
    return correlations
