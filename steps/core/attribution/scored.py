"""Why the model says so: Integrated Gradients of every scored trial, as tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from steps.core.attribution.importance import FoldMap, feature_importance, fold_map
from steps.core.attribution.integrated_gradients import Attribution, integrated_gradients
from steps.core.data.dataset import Floats
from steps.core.data.training_reference import TrainingReference
from steps.core.data.unseen import Unseen
from steps.errors import UserError

TOLERANCE = 0.01
MAX_STEPS = 4096


def baseline_values(kind: str, trained: TrainingReference) -> Floats:
    """The baseline stored with the model, float32, shape ``(timesteps, features)``, in the units of the data.

    Args:
        kind: ``mean``: the mean of the training trials; ``control``: that of the control trials; ``zero``: all zero.
        trained: what the model was trained on.

    Raises:
        UserError: the model has no such baseline.
    """
    if kind == "zero":
        return np.zeros(trained.shape, dtype=np.float32)
    if kind == "mean":
        return np.asarray(trained.mean, dtype=np.float32)
    if kind == "control" and trained.control_mean is not None:
        return np.asarray(trained.control_mean, dtype=np.float32)
    if kind == "control":
        raise UserError(
            "attribution_baseline=control, but the model's training had no control group; use attribution_baseline=mean"
        )
    raise UserError(f"attribution_baseline={kind} is not stored with the model, expected mean, control or zero")


def attribute(network: Any, unseen: Unseen, baseline: Floats, steps: int) -> Attribution:
    """Attribute the probability of the positive class of every trial to features and time points."""
    return integrated_gradients(
        network, unseen.values, baseline, steps=steps, tolerance=TOLERANCE, max_steps=max(MAX_STEPS, steps)
    )


def attribution_table(unseen: Unseen, outcome: Attribution, trained: TrainingReference) -> pa.Table:
    """A row per trial and time point: ``subject``, ``trial``, ``time``, then float32 columns, one per feature."""
    timesteps, features = trained.shape
    columns: dict[str, Any] = {
        "subject": pa.array(np.repeat(unseen.subjects, timesteps)).dictionary_encode(),
        "trial": pa.array(np.repeat(unseen.trials, timesteps)).dictionary_encode(),
        "time": pa.array(np.tile(np.asarray(trained.time), len(unseen.trials))),
    }
    flat = outcome.attributions.reshape(-1, features)
    return pa.table(columns | {name: pa.array(flat[:, i]) for i, name in enumerate(trained.features)})


def by_feature(unseen: Unseen, outcome: Attribution, trained: TrainingReference) -> pd.DataFrame:
    """A row per trial: ``subject``, ``trial``, then a column per feature, its attributions summed over time.

    A row sums to ``output - baseline_output`` of the same row of `completeness`, up to its ``completeness_error``.
    """
    sums = pd.DataFrame(outcome.attributions.sum(axis=1, dtype=np.float64), columns=list(trained.features))
    return pd.concat([_names(unseen), sums], axis=1)


def completeness(unseen: Unseen, outcome: Attribution) -> pd.DataFrame:
    """A row per trial: do the attributions add up?

    ``subject``, ``trial``; ``output``, the probability; ``baseline_output``, that of the baseline;
    ``completeness_error``, ``relative_error`` and ``steps`` as in `Attribution`.
    """
    return _names(unseen).assign(
        output=outcome.output,
        baseline_output=outcome.baseline_output,
        completeness_error=outcome.completeness_error,
        relative_error=outcome.relative_error,
        steps=outcome.steps,
    )


def importance(unseen: Unseen, outcome: Attribution, trained: TrainingReference) -> pd.DataFrame:
    """Mean absolute attribution of each feature, every subject counting the same; ``sd`` is over subjects.

    The columns are those of `steps.core.attribution.importance.feature_importance`.
    """
    return feature_importance(_subject_maps(unseen, outcome), trained.features)


def mean_absolute(unseen: Unseen, outcome: Attribution) -> npt.NDArray[np.float64]:
    """Mean absolute attribution, every subject counting the same, shape ``(features, timesteps)``."""
    return np.asarray(np.mean([one.absolute for one in _subject_maps(unseen, outcome)], axis=0).T)


def _subject_maps(unseen: Unseen, outcome: Attribution) -> list[FoldMap]:
    return [fold_map(outcome.attributions[unseen.subjects == name]) for name in np.unique(unseen.subjects)]


def _names(unseen: Unseen) -> pd.DataFrame:
    return pd.DataFrame({"subject": unseen.subjects.astype(object), "trial": unseen.trials.astype(object)})
