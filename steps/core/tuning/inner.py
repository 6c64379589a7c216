"""What inner folds say of settings: the Brier score of subjects that are held out of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from steps.core.data.fold import Fold
from steps.core.metrics.predictions import FoldPrediction, results_table, subject_scores
from steps.core.tuning.space import Settings

FoldsOf = Callable[[Settings], Sequence[Fold]]
Predict = Callable[[Settings, Fold], FoldPrediction]


class Inner:
    """An objective (`steps.core.tuning.search.search`): the mean over all subjects held out so far.

    The Brier score of the mean probability of a subject's trials. AUC would be a step function of so few subjects, and
    undefined in an inner fold that holds out one class; cross-entropy lets one subject who is confidently wrong decide.
    Every subject counts the same, however many trials there are.
    """

    def __init__(self, folds_of: FoldsOf, predict: Predict) -> None:
        """For the inner folds of one outer fold.

        Args:
            folds_of: the inner folds for settings; who is held out in each must not depend on them.
            predict: trains a fold with settings; what that says of those held out.
        """
        self._folds_of, self._predict = folds_of, predict
        self._folds: dict[tuple[object, ...], Sequence[Fold]] = {}
        self._errors: dict[tuple[object, ...], npt.NDArray[np.float64]] = {}

    def __call__(self, settings: Settings, step: int) -> float:
        """The mean over the inner folds up to this one, numbered from 0; each is trained once for the same settings."""
        of_settings = tuple(sorted(settings.items()))
        if of_settings not in self._folds:
            self._folds[of_settings] = self._folds_of(settings)
        for one in range(step + 1):
            if (*of_settings, one) not in self._errors:
                prediction = self._predict(settings, self._folds[of_settings][one])
                self._errors[(*of_settings, one)] = subject_errors(prediction)
        return float(np.mean(np.concatenate([self._errors[(*of_settings, one)] for one in range(step + 1)])))


def subject_errors(prediction: FoldPrediction) -> npt.NDArray[np.float64]:
    """Squared error of the mean probability of each subject (and label, where a subject has both); shape ``(n,)``."""
    scores = subject_scores(results_table([prediction], ()))
    return np.asarray((scores.probabilities - scores.labels) ** 2)
