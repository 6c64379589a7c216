"""Courses that are unlike those of others, and what would explain it: a sign, a unit, two features swapped.

A fault is reported where a course is far from what is usual as it stands, and nothing unusual once the fault is undone.
What no fault explains is a trial unlike the rest; a person who is unlike others as a whole is nobody's fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from steps.core.quality import curves
from steps.core.quality.curves import Reference
from steps.core.quality.hits import Bools, Doubles, Hit, People

_STRANGE: Final = 1e-7  # p value of a course that is far from the usual
_ODD: Final = 0.01  # of one that may have been swapped with a strange one
_USUAL: Final = 0.02  # of one that is nothing unusual
_MOST: Final = 48  # strange features of a subject among which pairs are looked for
_FACTORS: Final[Sequence[tuple[float, str]]] = (
    (180 / np.pi, "degrees and radians"),
    (1000.0, "millimetres and metres"),
    (100.0, "centimetres and metres"),
    (9.80665, "m/s² and g"),
)
_OUTLYING: Final = 1e-9
_TIMES_USUAL: Final = 2.5
_FEWEST: Final = 3  # trials of a subject; of two nobody knows which is the odd one
_FROM_OTHERS: Final = 1e-4  # p value among the trials of other people, too

_ROUGH: Final = 3.5  # of a logarithm: so much rougher or smoother is strange, wherever the course lies
_TIMES_SPREAD: Final = 5.0  # people differ in how large and rough their signals are; a unit is more than that
_SAME_ROUGHNESS: Final = 0.8  # of a logarithm: another unit makes a signal as much rougher as it makes it larger
_GAUSS: Final = 1.4826
_AS_A_LINE: Final = 1e-3  # p value of what is left of a course without level and slope


@dataclass(frozen=True)
class _Explanation:
    """A fault that explains a strange course.

    Attributes:
        kind: of the fault.
        features: it is in: a feature, or a pair.
        p: how usual the course is once it is undone.
        severity: as the kind has it.
        sentence: what was found.
    """

    kind: str
    features: tuple[int, ...]
    p: float
    severity: float
    sentence: str


@dataclass(frozen=True, eq=False)
class _Case:
    """Courses to be explained: of a subject, or of a trial.

    Attributes:
        courses: shape ``(features, coefficients)``.
        p: how usual each is, shape ``(features,)``; 1 where a fault is known already.
        distances: squared distances.
        rougher: by how much rougher than usual each feature is, as a logarithm.
        told: the smallest logarithm of a factor that stands out from how amplitude and roughness differ anyway.
        score: p values and squared distances of courses ``(n, coefficients)``, were they those of a feature.
    """

    courses: Doubles
    p: Doubles
    distances: Doubles
    rougher: Doubles
    told: Doubles
    score: Callable[[int, Doubles], tuple[Doubles, Doubles]]

    def strange(self) -> list[int]:
        """Features to be explained."""
        found: list[int] = np.flatnonzero(_is_strange(self.p, self.rougher, self.told)).tolist()
        return found


def _is_strange(p: Doubles, rougher: Doubles, told: Doubles) -> Bools:
    strange: Bools = (p < _STRANGE) | ((p < 1) & (np.abs(rougher) > np.maximum(_ROUGH, told)))
    return strange


def whole_people(means: Doubles, roughness: Doubles, people: People, others: Reference) -> Iterator[Hit]:
    """Features that are wrong in all trials of a subject; a hit for each of the trials.

    Args:
        means: middle course of each subject, shape ``(subjects, features, coefficients)``.
        roughness: usual bend between samples, shape ``(subjects, features)``.
        people: whose the trials are.
        others: what the other subjects are like.
    """
    size = means.shape[-1]
    distances = curves.squared(means - others.mean, others.precision)
    p = curves.p_values(distances, size, others.freedom)
    rougher, told = _larger(roughness, np.median(roughness, axis=0))
    amplitude = np.linalg.norm(means, axis=-1)
    told = np.maximum(told, _larger(amplitude, np.median(amplitude, axis=0))[1])
    for who in np.flatnonzero(_is_strange(p, rougher, told).any(axis=1)).tolist():

        def score(j: int, courses: Doubles, who: int = who) -> tuple[Doubles, Doubles]:
            far = curves.squared(courses - others.mean[who, j], others.precision[who, j])
            return curves.p_values(far, size, others.freedom[who, j]), far

        case = _Case(means[who], p[who], distances[who], rougher[who], told, score)
        for one in _explanations(case):
            for trial in range(people.first[who], people.first[who] + people.counts[who]):
                yield Hit(one.kind, int(trial), one.features, one.severity, 1.0, one.sentence)


def single_trials(
    courses: Doubles, roughness: Doubles, people: People, others: Reference, taken: Bools
) -> Iterator[Hit]:
    """Features that are wrong in a trial, unlike the other trials of the same subject.

    Args:
        courses: of each trial, shape ``(trials, features, coefficients)``.
        roughness: usual bend between samples, shape ``(trials, features)``.
        people: whose the trials are.
        others: what other subjects are like, for each subject.
        taken: where a fault has been found already, shape ``(trials, features)``.
    """
    size = courses.shape[-1]
    differences, covariance, freedom = curves.within(courses, people)
    precision = curves.inverse(covariance)
    distances = curves.squared(differences, precision)
    # Some people are less even than others: by how much, their middling trial says.
    unevenness = np.maximum(people.middle(distances) / size, 1.0)[people.codes]
    distances = distances / unevenness
    p = np.where(taken, 1.0, curves.p_values(distances, size, freedom))
    rougher, told = _larger(roughness, people.middle(roughness)[people.codes])
    amplitude = np.linalg.norm(courses, axis=-1)
    told = np.maximum(told, _larger(amplitude, people.middle(amplitude)[people.codes])[1])
    strange = _is_strange(p, rougher, told) & (people.counts >= _FEWEST)[people.codes, np.newaxis]
    if not strange.any():
        return
    is_far = (p < _OUTLYING) & (distances > _TIMES_USUAL**2 * people.usual(distances))
    from_others = curves.inverse(others.covariance + covariance)
    for trial in np.flatnonzero(strange.any(axis=1)).tolist():
        who, middle = int(people.codes[trial]), courses[trial] - differences[trial]
        own = precision / unevenness[trial][:, np.newaxis, np.newaxis]

        def score(j: int, made: Doubles, middle: Doubles = middle, own: Doubles = own) -> tuple[Doubles, Doubles]:
            far = curves.squared(made - middle[j], own[j])
            return curves.p_values(far, size, freedom[j]), far

        case = _Case(courses[trial], p[trial], distances[trial], rougher[trial], told, score)
        explained = _explanations(case)
        done = {j for one in explained for j in one.features}
        for one in explained:
            yield Hit(one.kind, trial, one.features, one.severity, 1.0, one.sentence)
        unlike = curves.squared(courses[trial] - others.mean[who], from_others[who])
        unlike = curves.p_values(unlike, size, others.freedom[who])
        for j in np.flatnonzero(strange[trial] & is_far[trial] & (unlike < _FROM_OTHERS)).tolist():
            if j not in done:
                yield _outlying(trial, j, differences[trial, j], own[j], float(freedom[j]))


def _outlying(trial: int, feature: int, difference: Doubles, precision: Doubles, freedom: float) -> Hit:
    """A trial unlike the subject's others: off in its level, drifting in a straight line, or of another shape."""
    size = len(difference)
    sd = float(np.sqrt(curves.squared(difference, precision) / size))
    kind, sentence = "outlying", "differs in its course from the subject's other trials, and from those of everybody"
    for free, what in ((1, "level"), (2, "line")):
        if size - free < 2:
            break
        # The distance that is left when level, or level and slope, may be anything.
        left = _without(difference, precision, free)
        if curves.p_values(np.array(left), size - free, freedom) > _AS_A_LINE:
            if what == "level":
                sentence = "has the usual course at another level than in the subject's other trials"
            else:
                kind, sentence = "drift", "drifts away in a straight line within the trial"
            break
    return Hit(kind, trial, (feature,), sd, 1.0, f"{sentence} ({sd:.0f} standard deviations)")


def _without(difference: Doubles, precision: Doubles, free: int) -> float:
    """Squared distance over the later coefficients alone, the first ones being whatever suits best."""
    a, b, d = precision[:free, :free], precision[:free, free:], precision[free:, free:]
    rest = difference[free:]
    return float(rest @ (d - b.T @ np.linalg.solve(a, b)) @ rest)


def _explanations(case: _Case) -> list[_Explanation]:
    """Faults that explain the strange courses of a case; each feature is in one of them at most."""
    found = [*_alone(case), *_pairs(case)]
    kept: list[_Explanation] = []
    taken: set[int] = set()
    # What explains two strange features at once comes first.
    for one in sorted(found, key=lambda one: (not (case.p[list(one.features)] < _STRANGE).sum() > 1, -one.p)):
        if taken.isdisjoint(one.features):
            kept.append(one)
            taken.update(one.features)
    return kept


def _alone(case: _Case) -> Iterator[_Explanation]:
    """Another sign, of a course that is far from the usual, or another unit."""
    factors = [factor for size, _ in _FACTORS for factor in (size, 1 / size)]
    for j in case.strange():
        course = case.courses[j]
        p, after = case.score(j, np.stack([-course, *(course / factor for factor in factors)]))
        if case.p[j] < _STRANGE and p[0] > _USUAL:
            closer = _closer(case.distances[j], after[0], len(course))
            yield _Explanation("flipped", (j,), float(p[0]), closer, "like everywhere else with its sign changed")
        for i, factor in enumerate(factors, start=1):
            size, units = max(factor, 1 / factor), _FACTORS[(i - 1) // 2][1]
            is_as_rough = abs(case.rougher[j] - np.log(factor)) <= _SAME_ROUGHNESS  # not where that is unknown
            if p[i] > _USUAL and is_as_rough and np.log(size) > case.told[j]:
                sentence = f"about {size:.4g} times too {'large' if factor > 1 else 'small'}, as between {units}"
                yield _Explanation("units", (j,), float(p[i]), size, sentence)


def _pairs(case: _Case) -> Iterator[_Explanation]:
    """Two features in each other's place: at least one of them is strange, and neither is once they are swapped."""
    p = case.p
    odd = np.flatnonzero(p < _ODD)
    odd = np.sort(odd[np.argsort(p[odd], kind="stable")][:_MOST])
    if len(odd) < 2:
        return
    scored = [case.score(int(j), case.courses[odd]) for j in odd]
    p_as = np.stack([one for one, _ in scored], axis=1)  # (whose course, as which feature)
    far_as = np.stack([one for _, one in scored], axis=1)
    good = np.minimum(p_as, p_as.T)
    for a, b in zip(*np.nonzero(np.triu(good > _USUAL, k=1)), strict=True):
        i, j = int(odd[a]), int(odd[b])
        if min(p[i], p[j]) < _STRANGE:
            before, after = case.distances[i] + case.distances[j], far_as[a, b] + far_as[b, a]
            closer = _closer(before, after, 2 * case.courses.shape[-1])
            sentence = "each is like the other one elsewhere"
            yield _Explanation("swapped", (i, j), float(good[a, b]), closer, sentence)


def _larger(size: Doubles, than: Doubles) -> tuple[Doubles, Doubles]:
    """By how much larger, as a logarithm, NaN where one of them is nothing; and from where that stands out.

    Args:
        size: shape ``(n, features)``.
        than: what is usual, of a shape that fits.

    Returns:
        Logarithms ``(n, features)``, and several times their usual size ``(features,)``.
    """
    known = (size > 0) & (than > 0)
    larger = np.log(np.where(known, size, 1.0) / np.where(known, than, 1.0))
    differs = np.sort(np.where(known, np.abs(larger), np.inf), axis=0)
    middle = np.minimum(known.sum(axis=0) // 2, len(size) - 1)
    return np.where(known, larger, np.nan), _TIMES_SPREAD * _GAUSS * differs[middle, np.arange(size.shape[1])]


def _closer(before: np.float64, after: np.float64, size: int) -> float:
    """How many times closer to what is usual; ordinary courses lie about ``sqrt(size)`` away."""
    return float(np.sqrt(before / max(after, size)))
