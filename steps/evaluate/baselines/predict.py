"""A baseline's predictions of every fold's test trials."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from steps.dataset import Dataset
from steps.evaluate.baselines.choice import LOGISTIC, MAJORITY, MINIROCKET
from steps.evaluate.tables import FoldPrediction

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Split:
    """Who trains and who is tested in one fold and test number.

    Attributes:
        training: the subjects the network's fold had: those it was fitted on and those that validated.
        test: the held-out subjects.
        test_number: which repeat of the fold, from 1.
    """

    training: tuple[str, ...]
    test: tuple[str, ...]
    test_number: int

    @classmethod
    def of(cls, split: dict[str, list[str]], test_number: int) -> Split:
        """The split that a fold recorded in ``split.json``.

        The network keeps validation subjects aside to know when to stop; a baseline chooses its penalty by
        cross-validation instead and trains on both, so the two have seen the same people.
        """
        training = sorted({*split["training"], *split["validation"]})
        return cls(tuple(training), tuple(split["test"]), test_number)


def predict_baseline(name: str, dataset: Dataset, splits: Iterable[Split], *, seed: int) -> list[FoldPrediction]:
    """The predictions of baseline ``name``, a fold and test number at a time.

    What is deterministic is fitted once for all test numbers of a fold; ``minirocket`` has a seed for each.

    Args:
        name: one of `steps.evaluate.baselines.choice.BASELINES`.
        dataset: the study.
        splits: from `Split.of`.
        seed: the study's seed.

    Raises:
        ValueError: a test subject is among the training subjects.
    """
    done: dict[tuple[Sequence[str], Sequence[str]], Array] = {}
    predictions = []
    for split in splits:
        if shared := set(split.training) & set(split.test):
            raise ValueError(f"subject {sorted(shared)[0]!r} is to train and to be tested")
        test = dataset.of_subjects(split.test)
        key = (split.training, split.test)
        probabilities = None if name == MINIROCKET else done.get(key)
        if probabilities is None:
            probabilities = _fit_predict(name, dataset.of_subjects(split.training), test, split, seed)
            done[key] = probabilities
        predictions.append(FoldPrediction(test, split.test_number, probabilities))
    return predictions


def _fit_predict(name: str, training: Dataset, test: Dataset, split: Split, seed: int) -> Array:
    # Imported where used: a study without baselines waits for none of them.
    if name == MAJORITY:
        from steps.evaluate.baselines.majority import majority

        return majority(training, len(test.labels), tested_subjects=len(split.test))
    if name == LOGISTIC:
        from steps.evaluate.baselines.logistic import logistic

        return logistic(training, test.values)
    if name == MINIROCKET:
        from steps.evaluate.baselines.minirocket import minirocket

        return minirocket(training, test.values, seed=_seed(seed, split))
    raise ValueError(f"{name!r} is no baseline")


def _seed(seed: int, split: Split) -> int:
    """A 31-bit seed from the study's seed and the split, the same wherever and whenever."""
    text = "\x1f".join([str(seed), str(split.test_number), *split.test])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") & 0x7FFFFFFF
