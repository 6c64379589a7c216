"""The evaluation of one fold: predictions, the in-fold threshold, metrics."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from steps.core.data.dataset import Dataset
from steps.core.metrics.abstention import fold_p_values
from steps.core.metrics.fold_metrics import fold_metrics, threshold_metrics
from steps.core.metrics.in_fold_threshold import FoldThreshold, choose_threshold
from steps.core.metrics.inference import Model, inference_ms_per_trial, predict
from steps.core.metrics.names import IN_FOLD, statistic_name


@dataclass(frozen=True, eq=False)
class EvaluatedFold:
    """What is kept of a fold.

    Attributes:
        probabilities: of class 1, of each held-out trial, shape ``(trials,)``.
        own: the threshold that the fold chose; its held-out subjects have no part in it.
        metrics: of the held-out trials, by the names they are logged with; with ``inference_ms_per_trial``.
        p_values: from `steps.core.metrics.abstention.fold_p_values`; None where the network leaves out nobody.
        label_outputs: with a labelling, what the network says of the whole label, shape ``(trials, width)``.
    """

    probabilities: npt.NDArray[np.float64]
    own: FoldThreshold
    metrics: dict[str, float]
    p_values: pd.DataFrame | None = None
    label_outputs: npt.NDArray[np.float64] | None = None


def evaluate_fold(
    model: Model,
    test: Dataset,
    validation: Dataset,
    thresholds: Sequence[float],
    left_out: pd.DataFrame | None = None,
    controls: Collection[str] = (),
) -> EvaluatedFold:
    """Predict a fold's held-out trials, and choose its own threshold.

    Args:
        model: of the fold.
        test: the held-out trials.
        validation: the trials of the validation subjects, none or more.
        thresholds: the declared ones; the first stands in where the fold cannot choose one.
        left_out: what is said of each training trial by the model fitted without its subject, with the columns
            ``subject``, ``label`` and ``probability``: these then choose, and not the validation subjects.
        controls: the control group.

    Raises:
        UserError: the model gives something that is no probability.
    """
    started = time.perf_counter()
    probabilities = predict(model, test.values)
    latency = inference_ms_per_trial(model, test.values)
    if left_out is None:
        asked = predict(model, validation.values)
        own = choose_threshold(validation.labels, validation.subjects, asked, thresholds[0])
    else:
        labels, subjects, asked = (left_out[name].to_numpy() for name in ("label", "subject", "probability"))
        own = choose_threshold(labels, subjects, asked, thresholds[0], "left_out")
    metrics = fold_metrics(test.labels, probabilities, thresholds)
    metrics |= _in_fold_metrics(test, probabilities, own)
    metrics |= {"inference_ms_per_trial": latency, "evaluation_time_s": time.perf_counter() - started}
    p_values = None if left_out is None else fold_p_values(test, probabilities, left_out, controls)
    return EvaluatedFold(probabilities, own, metrics, p_values)


def _in_fold_metrics(test: Dataset, probabilities: npt.NDArray[np.float64], own: FoldThreshold) -> dict[str, float]:
    metrics = {"in_fold_threshold": own.threshold}
    if own.youden_j is not None:
        metrics["in_fold_youden_j"] = own.youden_j
    decided = threshold_metrics(test.labels, probabilities, own.threshold)
    return metrics | {statistic_name(name, IN_FOLD): value for name, value in decided.items()}
