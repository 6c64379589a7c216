"""Importance by outcome: does a model look at the same features when it is wrong?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import kendalltau

from steps.core.attribution.importance import columns_of
from steps.core.attribution.resampling import estimate, subject_means, subject_rows
from steps.core.data.dataset import Floats, Ints

THRESHOLD = 0.5  # of the probability of class 1, under the fold's own model
_COLUMNS = ("outcome", "trials", "subjects", "feature", "importance", "low", "high", "rank", "signed", "signed_low",
            "signed_high")  # fmt: skip


@dataclass(frozen=True, eq=False)
class FoldOutcomes:
    """The trials of a fold, one number per feature.

    Attributes:
        subjects: whose they are, shape ``(trials,)``.
        labels: true class, shape ``(trials,)``.
        predictions: class predicted at 0.5, shape ``(trials,)``.
        absolute: mean absolute attribution over time, float64, shape ``(trials, features)``.
        signed: mean attribution over time, float64, shape ``(trials, features)``.
    """

    subjects: npt.NDArray[np.str_]
    labels: Ints
    predictions: Ints
    absolute: npt.NDArray[np.float64]
    signed: npt.NDArray[np.float64]

    def masks(self) -> dict[str, npt.NDArray[np.bool_]]:
        """The trials of each outcome; hits are true positives and true negatives, errors the others."""
        hit, positive = self.predictions == self.labels, self.predictions == 1
        return {
            "hit": hit,
            "error": ~hit,
            "true_positive": hit & positive,
            "true_negative": hit & ~positive,
            "false_positive": ~hit & positive,
            "false_negative": ~hit & ~positive,
        }


def fold_outcomes(
    attributions: Floats, probabilities: npt.NDArray[np.floating], labels: Ints, subjects: npt.NDArray[np.str_]
) -> FoldOutcomes:
    """The outcomes of a fold from attributions ``(trials, timesteps, features)`` and probabilities of class 1."""
    return FoldOutcomes(
        subjects=subjects,
        labels=labels,
        predictions=(probabilities >= THRESHOLD).astype(np.int8),
        absolute=np.abs(attributions).mean(axis=1, dtype=np.float64),
        signed=attributions.mean(axis=1, dtype=np.float64),
    )


def importance_by_outcome(folds: Sequence[FoldOutcomes], features: Sequence[str], *, seed: int = 0) -> pd.DataFrame:
    """Importance of features among the trials of each outcome, over the folds that have such trials.

    Returns:
        A row per outcome and feature: ``outcome`` (hit, error, true_positive, ...), ``trials`` and ``subjects`` of that
        outcome, ``feature``, ``importance`` in probability per time point with ``low`` and ``high`` (95%, over
        resampled subjects; NaN with one subject), ``rank`` within the outcome, ``signed`` with its interval. An
        outcome that no trial has, has no rows.
    """
    tables = []
    for outcome in folds[0].masks():
        chosen = [(fold, fold.masks()[outcome]) for fold in folds]
        chosen = [(fold, mask) for fold, mask in chosen if mask.any()]
        if not chosen:
            continue
        rows = subject_rows([fold.subjects[mask] for fold, mask in chosen])
        absolute = estimate(
            rows, np.concatenate([subject_means(f.subjects[mask], f.absolute[mask]) for f, mask in chosen]), seed
        )
        signed = estimate(
            rows, np.concatenate([subject_means(f.subjects[mask], f.signed[mask]) for f, mask in chosen]), seed
        )
        table = pd.DataFrame(
            {
                "outcome": outcome,
                "trials": int(rows.trials.sum()),
                "subjects": len(np.unique(rows.subjects)),
                "feature": list(features),
                **columns_of(absolute, signed),
            }
        ).sort_values("importance", ascending=False, kind="stable")
        tables.append(table.assign(rank=np.arange(1, len(features) + 1)))
    return pd.concat(tables, ignore_index=True)[list(_COLUMNS)]


def outcome_metrics(folds: Sequence[FoldOutcomes], table: pd.DataFrame) -> dict[str, float]:
    """``trials_hit``, ``trials_error``, and ``hit_error_tau``, Kendall's tau between the two orders of features.

    The tau is absent where there are no errors, or no hits, or fewer than two features.
    """
    metrics: dict[str, float] = {
        f"trials_{outcome}": sum(int(fold.masks()[outcome].sum()) for fold in folds) for outcome in ("hit", "error")
    }
    orders: Mapping[str, pd.Series] = {
        outcome: table[table["outcome"] == outcome].set_index("feature")["importance"] for outcome in ("hit", "error")
    }
    if all(len(order) > 1 for order in orders.values()):
        tau = kendalltau(orders["hit"], orders["error"].reindex(orders["hit"].index)).statistic
        if np.isfinite(tau):
            metrics["hit_error_tau"] = float(tau)
    return metrics
