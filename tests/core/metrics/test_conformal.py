"""Answers with a "don't know": p values against their definition and against crepes, and the promise, simulated."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import expit

from steps.core.metrics.conformal import DONT_KNOW, Calibration, answer_text, answers, subjects_needed
from steps.core.models.ridge import fit_ridge

Array = npt.NDArray[np.float64]
Study = tuple[npt.NDArray[np.int64], npt.NDArray[np.int8], Array]


def drawn(generator: np.random.Generator, people: int, between: float, within: float, gap: float = 2.0) -> Study:
    """Subject, label and probability of trials; ``people`` of either class, 1 to 10 trials each.

    Args:
        generator: of everything random.
        people: how many of either class.
        between: standard deviation of the people's logits, which all trials of one share.
        within: standard deviation of a person's trials.
        gap: between the classes' mean logits.
    """
    of_person = np.repeat(np.array([0, 1], dtype=np.int8), people)
    logits = gap * (of_person - 0.5) + generator.normal(0, between, 2 * people)
    subjects = np.repeat(np.arange(2 * people), generator.integers(1, 11, 2 * people))
    return subjects, of_person[subjects], expit(logits[subjects] + generator.normal(0, within, len(subjects)))


def means(study: Study) -> tuple[npt.NDArray[np.int8], Array]:
    """Label and mean probability of every person."""
    subjects, labels, probabilities = study
    return labels[np.unique(subjects, return_index=True)[1]], of_people(subjects, probabilities)


def of_people(subjects: npt.NDArray[np.int64], values: npt.NDArray[np.generic]) -> Array:
    """Mean over every person's trials."""
    return np.asarray(np.bincount(subjects, values) / np.bincount(subjects))


def own(p_values: Array, labels: npt.NDArray[np.int8]) -> Array:
    """The p value of the true class."""
    return np.asarray(p_values[np.arange(len(labels)), labels])


def test_the_p_value_of_a_trial_is_the_mean_over_all_ways_to_draw_one_trial_of_each_subject() -> None:
    probabilities = {"a": [0.2, 0.7], "b": [0.4, 0.4, 0.9], "c": [0.6]}
    negatives = {"d": [0.1, 0.5], "e": [0.3]}
    trials = [(name, 1, p) for name, ps in probabilities.items() for p in ps]
    trials += [(name, 0, p) for name, ps in negatives.items() for p in ps]
    subjects, labels, values = (np.array(column) for column in zip(*trials, strict=True))
    calibration = Calibration.of(subjects, labels, values)
    asked = np.array([0.0, 0.3, 0.4, 0.65, 0.9, 1.0])
    for label, groups, sign in ((1, probabilities, 1), (0, negatives, -1)):
        expected = [
            np.mean([(1 + sum(sign * p <= sign * new for p in draw)) / (1 + len(draw))
                     for draw in product(*groups.values())])
            for new in asked
        ]  # fmt: skip
        np.testing.assert_allclose(calibration.of_trials(asked)[:, label], expected)
    assert (calibration.subjects, calibration.trials) == ((2, 3), (1, 3))


def test_p_values_of_subjects_and_of_one_trial_each_are_those_of_crepes() -> None:
    crepes = pytest.importorskip("crepes")
    study = drawn(np.random.default_rng(0), 15, 1.0, 1.0)
    asked = np.concatenate([means(drawn(np.random.default_rng(1), 40, 1.0, 1.0))[1], means(study)[1][:9]])  # with ties
    labels, probabilities = means(study)
    alone = Calibration.of(np.arange(len(labels)), labels, probabilities)
    for label, unlike in ((0, probabilities), (1, 1 - probabilities)):
        reference = crepes.ConformalClassifier().fit(unlike[labels == label])
        candidates = (asked if label == 0 else 1 - asked)[:, np.newaxis]
        expected = reference.predict_p(candidates, smoothing=False)[:, 0]
        np.testing.assert_allclose(Calibration.of(*study).of_subjects(asked)[:, label], expected)
        np.testing.assert_allclose(alone.of_trials(asked)[:, label], expected)


def test_a_subject_counts_once_however_many_trials_it_has_and_classes_are_treated_alike() -> None:
    study = drawn(np.random.default_rng(2), 12, 1.0, 1.0)
    subjects, labels, probabilities = study
    asked = np.linspace(0, 1, 41)
    p_values = Calibration.of(*study).of_trials(asked)
    first = subjects == 0
    again = Calibration.of(*(np.concatenate([column, *[column[first]] * 5]) for column in study))
    np.testing.assert_allclose(again.of_trials(asked), p_values)
    np.testing.assert_allclose(again.of_subjects(asked), Calibration.of(*study).of_subjects(asked))
    mirrored = Calibration.of(subjects, np.int8(1) - labels, 1 - probabilities)
    np.testing.assert_allclose(mirrored.of_trials(1 - asked)[:, ::-1], p_values)
    assert (np.diff(p_values[:, 1]) >= 0).all()
    assert (np.diff(p_values[:, 0]) <= 0).all()


def test_a_class_is_the_answer_where_the_other_is_ruled_out() -> None:
    p_values = np.array([[0.05, 0.6], [0.6, 0.1], [0.3, 0.2], [0.02, 0.01], [0.05, 0.05], [1.0, 1.0]])
    assert answers(p_values, 0.1).tolist() == [1, 0, -1, 0, -1, -1]
    texts = answer_text(answers(p_values, 0.1), ("no fear", "fear"))
    assert texts.tolist() == ["fear", "no fear", DONT_KNOW, "no fear", DONT_KNOW, DONT_KNOW]
    assert answers(np.empty((0, 2)), 0.1).shape == (0,)


def test_whoever_is_answered_at_a_low_rate_is_answered_alike_at_a_higher_one() -> None:
    p_values = np.random.default_rng(3).uniform(size=(500, 2))
    before = np.full(len(p_values), -1)
    for rate in np.linspace(0, 0.5, 51):
        now = answers(p_values, rate)
        assert (now[before >= 0] == before[before >= 0]).all()
        before = now


@pytest.mark.parametrize(("rate", "needed"), [(0.1, 9), (0.05, 19), (0.2, 4), (0.3, 3), (0.5, 1), (0.01, 99)])
def test_a_class_of_too_few_subjects_is_never_ruled_out(rate: float, needed: int) -> None:
    assert subjects_needed(rate) == needed
    for people, never in ((needed, ()), (needed - 1, (0,))):
        labels = np.repeat(np.array([0, 1], dtype=np.int8), [people, needed])
        # Classes far apart: whoever looks like the other one is ruled out as soon as anybody can be.
        calibration = Calibration.of(np.arange(len(labels)), labels, labels.astype(float) * 0.8 + 0.1)
        assert calibration.never_ruled_out(rate) == never
        assert answers(calibration.of_subjects(np.array([0.99])), rate).tolist() == [-1 if never else 1]
        assert answers(calibration.of_trials(np.array([0.01])), rate).tolist() == [0]


def test_without_subjects_of_a_class_it_is_never_ruled_out_and_equal_scores_answer_nothing() -> None:
    only_positive = Calibration.of(np.arange(30), np.ones(30, dtype=np.int8), np.linspace(0, 1, 30))
    assert (only_positive.of_trials(np.array([0.0, 0.5]))[:, 0] == 1).all()
    labels = np.repeat(np.array([0, 1], dtype=np.int8), 30)
    same = Calibration.of(np.arange(60), labels, np.full(60, 0.5))
    assert answers(same.of_subjects(np.array([0.5])), 0.5).tolist() == [-1]


class Shares:
    """Shares of new people at an error rate of 10%, over studies; a person's trials count together once."""

    def __init__(self) -> None:
        self._covered: dict[str, list[float]] = {"trials": [], "subjects": []}
        self._wrong: dict[str, list[float]] = {"trials": [], "subjects": []}

    def add(self, calibration: Calibration, new: Study) -> None:
        """One more study."""
        subjects, labels, probabilities = new
        self._add("trials", subjects, labels, calibration.of_trials(probabilities))
        labels, probabilities = means(new)
        self._add("subjects", np.arange(len(labels)), labels, calibration.of_subjects(probabilities))

    def _add(self, level: str, subjects: npt.NDArray[np.int64], labels: npt.NDArray[np.int8], p_values: Array) -> None:
        chosen = answers(p_values, 0.1)
        self._covered[level].append(float(of_people(subjects, own(p_values, labels) > 0.1).mean()))
        self._wrong[level].append(float(of_people(subjects, (chosen >= 0) & (chosen != labels)).mean()))

    def covered(self, level: str) -> float:
        """How often the true class was not ruled out."""
        return float(np.mean(self._covered[level]))

    def wrong(self, level: str) -> float:
        """How often the answer was the other class."""
        return float(np.mean(self._wrong[level]))


def simulated(studies: int, people: int, between: float, within: float, seed: int) -> Shares:
    generator, shares = np.random.default_rng(seed), Shares()
    for _ in range(studies):
        calibration = Calibration.of(*drawn(generator, people, between, within))
        shares.add(calibration, drawn(generator, 60, between, within))
    return shares


@pytest.mark.parametrize(("between", "within"), [(1.5, 0.3), (1.0, 1.0), (0.3, 1.5)])
def test_coverage_is_90_percent_in_200_studies_however_alike_the_trials_of_a_person_are(
    between: float, within: float
) -> None:
    shares = simulated(200, 59, between, within, seed=1)
    for level in ("trials", "subjects"):
        assert shares.covered(level) == pytest.approx(0.9, abs=0.02)
        assert shares.wrong(level) <= 0.1


@pytest.mark.parametrize("people", [5, 9, 12, 19, 23, 29, 39])
def test_with_fewer_subjects_sets_are_larger_than_promised_and_not_smaller(people: int) -> None:
    shares = simulated(200, people, between=1.0, within=1.0, seed=2)
    exact = 1 - (people + 1) // 10 / (people + 1)  # of scores without ties
    assert shares.covered("subjects") == pytest.approx(exact, abs=0.01)
    assert exact - 0.01 <= shares.covered("trials") <= 0.9 + 1 / (people + 1)
    assert max(shares.wrong("trials"), shares.wrong("subjects")) <= 0.1


def test_trials_that_are_taken_for_independent_break_the_promise() -> None:
    generator, as_subjects, as_trials = np.random.default_rng(3), Shares(), Shares()
    for _ in range(200):
        study, new = (drawn(generator, 9, between=1.5, within=0.3) for _ in range(2))
        as_subjects.add(Calibration.of(*study), new)
        as_trials.add(Calibration.of(np.arange(len(study[0])), *study[1:]), new)
    assert as_trials.covered("trials") < 0.88
    assert as_subjects.covered("trials") > 0.9


def fitted(studies: int, people: int, seed: int) -> Shares:
    """Ridge classifiers, calibrated by the subjects they left out, as the network does it."""
    from steps.core.models.heads import PENALTIES, platt

    generator, width, shares = np.random.default_rng(seed), 20, Shares()

    def features(count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int8], Array]:
        of_person = np.repeat(np.array([0, 1], dtype=np.int8), count)
        persons = generator.normal(size=(2 * count, width))
        persons[:, :3] += 0.7 * (2 * of_person[:, np.newaxis] - 1)
        subjects = np.repeat(np.arange(2 * count), generator.integers(3, 7, 2 * count))
        return subjects, of_person[subjects], persons[subjects] + generator.normal(size=(len(subjects), width))

    for _ in range(studies):
        subjects, labels, values = features(people)
        ridge = fit_ridge(values, labels, subjects.astype(str), PENALTIES)
        slope, offset = platt(ridge.left_out_scores, labels, 2 * people)
        calibration = Calibration.of(subjects, labels, expit(slope * ridge.left_out_scores + offset))
        subjects, labels, values = features(60)
        shares.add(calibration, (subjects, labels, expit(slope * ridge.scores(values) + offset)))
    return shares


def test_the_left_out_subjects_of_a_fitted_classifier_keep_the_promise_for_new_people() -> None:
    shares = fitted(20, 39, seed=3)
    for level in ("trials", "subjects"):
        assert shares.covered(level) > 0.88
        assert shares.wrong(level) < 0.12


@pytest.mark.slow
def test_coverage_of_200_fitted_classifiers_is_90_percent_for_new_people() -> None:
    shares = fitted(200, 59, seed=4)
    for level in ("trials", "subjects"):
        assert shares.covered(level) == pytest.approx(0.9, abs=0.02)
        assert shares.wrong(level) <= 0.1
