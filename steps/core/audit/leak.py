"""How much of an accuracy would be knowing the person: folds that mix people's trials beside folds of whole people.

Not a result of the study: random folds over trials train on the very people they test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from steps.core.baselines.logistic import summary_features
from steps.core.data.dataset import Dataset, Strings
from steps.core.models.ridge import Ridge, classifiers
from steps.core.models.settings import balanced_weights

_PENALTIES: Final = tuple(float(penalty) for penalty in 10.0 ** np.arange(-1, 7))
REPEATS: Final = 5


@dataclass(frozen=True)
class Outcome:
    """Of trials that were left out: area under the ROC curve and balanced accuracy."""

    auc: float
    balanced_accuracy: float


@dataclass(frozen=True)
class LeakCheck:
    """The same classifier under two ways of leaving out.

    Attributes:
        folds: how many, in both ways.
        of_people: every fold leaves out one person.
        of_trials: every fold leaves out as many trials, drawn from everybody.
    """

    folds: int
    of_people: Outcome
    of_trials: Outcome


def leak_check(study: Dataset, *, seed: int) -> LeakCheck:
    """Leave out people, then trials at random, of a ridge classifier on summary features.

    The features are those of the baseline ``logistic``; the penalty is, either way, that with the least error on what
    was left out, so neither way is favoured. Leaving out is solved in closed form (`steps.core.models.ridge`).

    Args:
        study: without its control group, normalised as the network takes it.
        seed: of the random folds; the result is a mean over five draws.
    """
    features = summary_features(study.values)
    spread = features.std(axis=0)
    features = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    people = np.unique(study.subjects)
    generator = np.random.default_rng(seed)
    drawn = []
    for _ in range(REPEATS):
        folds = np.arange(len(study.labels)) % len(people)
        by_class = np.lexsort((generator.random(len(study.labels)), study.labels))
        groups = np.empty(len(study.labels), dtype=study.subjects.dtype)
        groups[by_class] = people[folds]
        drawn.append(_outcome(study, features, groups))
    return LeakCheck(
        folds=len(people),
        of_people=_outcome(study, features, study.subjects),
        of_trials=Outcome(
            float(np.mean([one.auc for one in drawn])), float(np.mean([one.balanced_accuracy for one in drawn]))
        ),
    )


def _outcome(study: Dataset, features: np.ndarray[tuple[int, int], np.dtype[np.float64]], groups: Strings) -> Outcome:
    path = classifiers(features, study.labels, groups, balanced_weights(study.labels))
    ridge: Ridge = min((path.at(penalty) for penalty in _PENALTIES), key=lambda one: one.error)
    scores = ridge.left_out_scores + path.shifts
    return Outcome(float(roc_auc_score(study.labels, scores)), float(balanced_accuracy_score(study.labels, scores > 0)))
