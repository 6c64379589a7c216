"""What the heads of a fold would say, had fewer subjects trained them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from steps.core.data.dataset import Dataset, Strings
from steps.core.data.fold import Fold
from steps.core.models.heads import Array, fitted_heads
from steps.errors import UserError

REPEATS: Final = 5
_SIZES = 5
_FEWEST, _FEWEST_PER_KIND, _FEWEST_LARGEST = 6, 2, 10


def sizes(folds: Sequence[Fold]) -> tuple[int, ...]:
    """Numbers of training subjects to look at: evenly spaced on a logarithmic scale, up to what every fold has.

    Raises:
        UserError: there are too few for a curve.
    """
    most = min(len(fold.training_subjects) for fold in folds)
    if most < _FEWEST_LARGEST:
        raise UserError(
            f"learning_curve=true needs folds that train on at least {_FEWEST_LARGEST} subjects, found {most}: "
            "add subjects, or leave learning_curve at false"
        )
    return tuple(sorted({round(size) for size in np.geomspace(_FEWEST, most, _SIZES).tolist()}))


def predictions(features: Sequence[Array], study: Dataset, fold: Fold, wanted: Sequence[int]) -> pd.DataFrame:
    """What heads trained on fewer of a fold's subjects say of its test trials.

    In every repeat the training subjects are put into a random order, the classes by turns in their proportion, and the
    first so many train. With the largest number, (nearly) all that a fold has, there is one repeat only.

    Args:
        features: of the study's trials, a matrix ``(trials, features)`` for each head.
        study: these trials.
        fold: who trains and is tested.
        wanted: from `sizes`.

    Returns:
        A row per size, repeat and test trial: ``training_subjects``, ``repeat``, ``subject``, ``trial``, ``label``,
        ``probability``.
    """
    random = np.random.default_rng(fold.seed)
    is_tested = np.isin(study.subjects, fold.test_subjects)
    tested = [one[is_tested] for one in features]
    tables = []
    for repeat in range(1, REPEATS + 1):
        order = _in_order(study, fold.training_subjects, random)
        for size in wanted:
            chosen = order[:size]
            if size == wanted[-1] and repeat > 1:
                continue
            heads = fitted_heads(features, study, np.isin(study.subjects, chosen))
            tables.append(
                pd.DataFrame(
                    {
                        "training_subjects": size,
                        "repeat": repeat,
                        "subject": study.subjects[is_tested],
                        "trial": study.trials[is_tested],
                        "label": study.labels[is_tested],
                        "probability": expit(heads.outputs(tested)[:, 0]),
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)


def _in_order(study: Dataset, subjects: Sequence[str], random: np.random.Generator) -> Strings:
    """Subjects in random order, such that the first so many have about the proportion of the classes of all.

    Two of each kind (of one class, of the other, with trials of both) come first, so that even the fewest have both.
    """
    names = random.permutation(np.array(subjects, dtype=np.str_))
    share = np.array([study.labels[study.subjects == name].mean() for name in names])
    groups = [np.flatnonzero(kind) for kind in (share == 0, share == 1, (share > 0) & (share < 1))]
    places: npt.NDArray[np.float64] = np.empty(len(names))
    for group in groups:
        if len(group):
            places[group] = (np.arange(len(group)) + random.random()) / len(group)
            places[group[:_FEWEST_PER_KIND]] = -1
    return names[np.argsort(places, kind="stable")]
