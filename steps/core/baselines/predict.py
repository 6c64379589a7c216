"""A baseline's predictions of every fold's test trials."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from steps.core.baselines.choice import BASELINES, BOOSTING, LOGISTIC, MAJORITY
from steps.core.data.dataset import Dataset
from steps.core.data.fold import Fold

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """One fit of a baseline.

    Attributes:
        name: one of `steps.core.baselines.choice.BASELINES`.
        training: subjects to fit on.
        test: subjects to predict.
        test_number: decides the seed; 0 where there is nothing random, so that one fit serves every test number.
    """

    name: str
    training: tuple[str, ...]
    test: tuple[str, ...]
    test_number: int

    @classmethod
    def of(cls, name: str, fold: Fold) -> Fit:
        """The fit that predicts a fold's test subjects.

        The network keeps validation subjects aside to know when to stop; a baseline chooses its penalty by
        cross-validation instead and trains on both, so the two have seen the same people.

        Raises:
            ValueError: a test subject is among the training subjects, or there is no such baseline.
        """
        training = {*fold.training_subjects, *fold.validation_subjects}
        if shared := training & set(fold.test_subjects):
            raise ValueError(f"subject {sorted(shared)[0]!r} is to train and to be tested")
        if name not in BASELINES:
            raise ValueError(f"{name!r} is no baseline")
        number = fold.test_number if BASELINES[name].is_random else 0
        return cls(name, tuple(sorted(training)), fold.test_subjects, number)


def fits_of(names: Iterable[str], folds: Sequence[Fold]) -> list[Fit]:
    """The different fits of the baselines ``names``; the errors are those of `Fit.of`."""
    return list(dict.fromkeys(Fit.of(name, fold) for name in names for fold in folds))


def fit_predict(dataset: Dataset, fit: Fit, seed: int) -> Array:
    """Fit, and predict the probability of the positive class of each test trial, shape ``(trials,)``.

    Args:
        dataset: the study.
        fit: what is to be done.
        seed: the study's seed.

    Raises:
        UserError: the trials do not suit the baseline.
    """
    training, test = dataset.of_subjects(fit.training), dataset.of_subjects(fit.test)
    # Imported here, so that a study without baselines does not wait for them.
    if fit.name == MAJORITY:
        from steps.core.baselines.majority import majority

        return majority(training, len(test.labels), tested_subjects=len(fit.test))
    if fit.name == LOGISTIC:
        from steps.core.baselines.logistic import logistic

        return logistic(training, test.values)
    if fit.name == BOOSTING:
        from steps.core.baselines.boosting import boosting, trial_features

        features = trial_features(dataset)
        trains, tested = (np.isin(dataset.subjects, names) for names in (fit.training, fit.test))
        return boosting(features[trains], training.labels, features[tested], seed=_seed(seed, fit))
    from steps.core.baselines.rocket import rocket

    return rocket(fit.name, training, test.values, seed=_seed(seed, fit))


def _seed(seed: int, fit: Fit) -> int:
    """A 31-bit seed from the study's seed and the split, the same wherever and whenever."""
    text = "\x1f".join([str(seed), str(fit.test_number), *fit.test])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") & 0x7FFFFFFF
