"""When to say "don't know": label-conditional conformal prediction, exchangeable over subjects.

For either class a p value says how many subjects of that class looked as unlike it as the new one does, to models that
had not seen them (Vovk, Gammerman & Shafer 2005, *Algorithmic Learning in a Random World*, section 4.5, "Mondrian"). A
class whose p value is at most the error rate is ruled out. If a new subject is like those that calibrate, its own
class is ruled out with at most that probability, whatever the model and however rare the class.

Trials of one subject are alike, so *subjects* are what is counted. For a trial, every calibrating subject has weight
one, shared by its trials of the class (Lee, Barber & Willett 2023, "Distribution-free inference with hierarchical
data", arXiv:2306.06342; Dunn, Wasserman & Ramdas 2023, *J. Am. Stat. Assoc.* 118:2491-2502): that is the mean p value
over all ways of drawing one trial of each. For a subject, the mean probability of its trials is compared with theirs.

Left-out subjects calibrate a model that was fitted with them (Vovk 2015, *Ann. Math. Artif. Intell.* 74:9-28); strictly
the promise is that of models fitted without one of them (Barber et al. 2021, *Ann. Stat.* 49:486-507).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from steps.core.data.dataset import Ints

DONT_KNOW: Final = "don't know"
Array = npt.NDArray[np.float64]
# Sums of weights in another order are other sums; no answer is to hang on their last digits.
_DIGITS = 12


@dataclass(frozen=True, eq=False)
class _Ranked:
    """Probabilities in ascending order, and the subjects' weight up to each."""

    probabilities: Array
    weight_below: Array  # one longer: begins with 0
    subjects: int

    @classmethod
    def of(cls, probabilities: Array, weights: Array, subjects: int) -> Self:
        order = np.argsort(probabilities, kind="stable")
        return cls(probabilities[order], np.concatenate([[0.0], np.cumsum(weights[order])]), subjects)

    def p_values(self, asked: Array, label: int) -> Array:
        """Of class ``label``: the weight of those at most as likely to be of it, the new one itself included."""
        if label == 1:
            as_unlike = self.weight_below[np.searchsorted(self.probabilities, asked, side="right")]
        else:
            below = self.weight_below[np.searchsorted(self.probabilities, asked, side="left")]
            as_unlike = self.weight_below[-1] - below
        return np.round((1.0 + as_unlike) / (1.0 + self.subjects), _DIGITS)


@dataclass(frozen=True, eq=False)
class Calibration:
    """Subjects whose class is known, as models saw them that were fitted without them.

    Attributes:
        subjects: how many have trials of class 0, of class 1.
        trials: the fewest and the most trials of a subject in one class; (0, 0) without any.
        is_mixed: whether there are subjects with trials of both classes.
    """

    subjects: tuple[int, int]
    trials: tuple[int, int]
    is_mixed: bool
    _by_trial: tuple[_Ranked, _Ranked]
    _by_subject: tuple[_Ranked, _Ranked]

    @classmethod
    def of(cls, subjects: npt.NDArray[np.generic], labels: Ints, probabilities: Array) -> Self:
        """Calibrate.

        Args:
            subjects: whose the trials are, names or numbers, shape ``(trials,)``.
            labels: 0 or 1, shape ``(trials,)``. A subject with trials of both classes counts in both.
            probabilities: of class 1, by models that had not seen the subject, shape ``(trials,)``.
        """
        by_trial, by_subject, sizes = [], [], []
        for label in (0, 1):
            mine = labels == label
            own = np.asarray(probabilities[mine], dtype=np.float64)
            _, rows, counts = np.unique(subjects[mine], return_inverse=True, return_counts=True)
            means = np.bincount(rows, weights=own, minlength=len(counts)) / counts
            by_trial.append(_Ranked.of(own, 1.0 / counts[rows], len(counts)))
            by_subject.append(_Ranked.of(means, np.ones(len(counts)), len(counts)))
            sizes += counts.tolist()
        return cls(
            subjects=(by_trial[0].subjects, by_trial[1].subjects),
            trials=(min(sizes, default=0), max(sizes, default=0)),
            is_mixed=bool(np.isin(subjects[labels == 1], subjects[labels == 0]).any()),
            _by_trial=(by_trial[0], by_trial[1]),
            _by_subject=(by_subject[0], by_subject[1]),
        )

    def of_trials(self, probabilities: Array) -> Array:
        """p values of class 0 and class 1 for trials of new subjects, shape ``(trials, 2)``."""
        return _p_values(self._by_trial, probabilities)

    def of_subjects(self, means: Array) -> Array:
        """p values of class 0 and class 1 for new subjects by the mean probability of their trials, ``(subjects, 2)``.

        They presuppose that the new subjects have about as many trials as those that calibrate.
        """
        return _p_values(self._by_subject, means)

    def never_ruled_out(self, error_rate: float) -> tuple[int, ...]:
        """The classes with too few subjects to be ruled out: of ``n`` subjects no p value is below ``1/(n + 1)``."""
        return tuple(label for label in (0, 1) if self.subjects[label] < subjects_needed(error_rate))


def _p_values(ranked: tuple[_Ranked, _Ranked], asked: Array) -> Array:
    return np.column_stack([one.p_values(np.asarray(asked), label) for label, one in enumerate(ranked)])


def subjects_needed(error_rate: float) -> int:
    """How many calibrating subjects a class needs to be ruled out at an error rate, which is above 0."""
    return math.ceil(round(1 / error_rate, _DIGITS)) - 1


def answers(p_values: Array, error_rate: float) -> npt.NDArray[np.int8]:
    """The class that is left when the other one is ruled out; -1 for "don't know", where neither or both might be.

    Where both are ruled out, the one with the larger p value is the answer: an empty set answers nothing, and naming a
    class in its place only adds to what is right. Two equal p values are no answer.

    Args:
        p_values: of class 0 and class 1, shape ``(n, 2)``.
        error_rate: a class is ruled out where its p value is at most this.
    """
    likelier = np.argmax(p_values, axis=1)
    unsure = (p_values.min(axis=1) > error_rate) | (p_values[:, 0] == p_values[:, 1])
    return np.where(unsure, -1, likelier).astype(np.int8)


def answer_text(chosen: npt.NDArray[np.int8], labels: tuple[str, str]) -> npt.NDArray[np.object_]:
    """`answers` by the names of the classes."""
    return np.array([*labels, DONT_KNOW], dtype=object)[chosen]
