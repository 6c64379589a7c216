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
_FROM_OTHERS: Final = 1e-4  # p value among the trials of other people, too

_ROUGH: Final = 3.5  # of a logarithm: so much rougher or smoother is strange, wherever the course lies
_SAME_ROUGHNESS: Final = 0.8  # of a logarithm: another unit makes a signal as much rougher as it makes it larger
_AS_A_LINE: Final = 1e-3  # p value of what is left of a course without level and slope

# p values and squared distances of courses (n, coefficients) as feature j.
_Score = Callable[[int, Doubles], tuple[Doubles, Doubles]]


@dataclass(frozen=True)
class _Explanation:
    """A fault that explains a strange course.

    Attributes:
        kind: of the fault.
        features: it is in: a feature, or a pair.
        p: how usual the course is once it is undone.
        distance: squared distance then.
        severity: as the kind has it.
        sentence: what was found.
    """

    kind: str
    features: tuple[int, ...]
    p: float
    severity: float
    sentence: str


def whole_people(
    means: Doubles, roughness: Doubles, people: People, others: Reference, names: Sequence[str]
) -> Iterator[Hit]:
    """Features that are wrong in all trials of a subject; a hit for each of the trials.

    Args:
        means: middle course of each subject, shape ``(subjects, features, coefficients)``.
        roughness: usual bend between samples, shape ``(subjects, features)``.
        people: whose the trials are.
        others: what the other subjects are like.
        names: of the features.
    """
    size = means.shape[-1]
    distances = curves.squared(means - others.mean, others.precision)
    p = curves.p_values(distances, size, others.freedom)
    rougher = _rougher(roughness, np.median(roughness, axis=0))
    strange = (p < _STRANGE) | (np.abs(rougher) > _ROUGH)
    for who in np.flatnonzero(strange.any(axis=1)).tolist():

        def score(j: int, courses: Doubles, who: int = who) -> tuple[Doubles, Doubles]:
            far = curves.squared(courses - others.mean[who, j], others.precision[who, j])
            return curves.p_values(far, size, others.freedom[who, j]), far

        for one in _explanations(means[who], p[who], distances[who], rougher[who], score, names):
            for trial in range(people.first[who], people.first[who] + people.counts[who]):
                yield Hit(one.kind, int(trial), one.features, one.severity, 1.0, one.sentence)


def single_trials(
    courses: Doubles, roughness: Doubles, people: People, others: Reference, names: Sequence[str], taken: Bools
) -> Iterator[Hit]:
    """Features that are wrong in a trial, unlike the other trials of the same subject.

    Args:
        courses: of each trial, shape ``(trials, features, coefficients)``.
        roughness: usual bend between samples, shape ``(trials, features)``.
        people: whose the trials are.
        others: what other subjects are like, for each subject.
        names: of the features.
        taken: where a fault has been found already, shape ``(trials, features)``.
    """
    size = courses.shape[-1]
    differences, covariance, freedom = curves.within(courses, people)
    precision = curves.inverse(covariance)
    distances = curves.squared(differences, precision)
    # Some people are less even than others: by how much, their middling trial says.
    unevenness = np.maximum(people.middle(distances) / size, 1.0)[people.codes]
    p = curves.p_values(distances / unevenness, size, freedom)
    rougher = _rougher(roughness, people.middle(roughness)[people.codes])
    strange = (p < _STRANGE) | (np.abs(rougher) > _ROUGH)
    strange &= (people.counts >= 3)[people.codes, np.newaxis] & ~taken
    if not strange.any():
        return
    from_others = curves.inverse(others.covariance + covariance)
    for trial in np.flatnonzero(strange.any(axis=1)).tolist():
        who, middle = int(people.codes[trial]), courses[trial] - differences[trial]

        def score(j: int, made: Doubles, trial: int = trial, middle: Doubles = middle) -> tuple[Doubles, Doubles]:
            far = curves.squared(made - middle[j], precision[j]) / unevenness[trial, j]
            return curves.p_values(far, size, freedom[j]), far

        found = np.where(taken[trial], 1.0, p[trial])
        rough = np.where(taken[trial], 0.0, rougher[trial])
        far = distances[trial] / unevenness[trial]
        explained = _explanations(courses[trial], found, far, rough, score, names)
        done = {j for one in explained for j in one.features}
        for one in explained:
            yield Hit(one.kind, trial, one.features, one.severity, 1.0, one.sentence)
        far = curves.squared(courses[trial] - others.mean[who], from_others[who])
        unlike = curves.p_values(far, size, others.freedom[who])
        for j in np.flatnonzero(strange[trial] & (p[trial] < _OUTLYING) & (unlike < _FROM_OTHERS)).tolist():
            if j not in done:
                yield _outlying(trial, j, differences[trial, j], precision[j] / unevenness[trial, j], float(freedom[j]))


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
        if curves.p_values(np.float64(left), size - free, freedom) > _AS_A_LINE:
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


def _explanations(
    courses: Doubles, p: Doubles, distances: Doubles, rougher: Doubles, score: _Score, names: Sequence[str]
) -> list[_Explanation]:
    """Faults that explain strange courses among ``courses (features, coefficients)``; each feature is in one at most."""
    strange = np.flatnonzero((p < _STRANGE) | (np.abs(rougher) > _ROUGH))
    found = [
        one
        for j in strange.tolist()
        for one in _alone(j, courses[j], float(distances[j]), float(rougher[j]), score)
        if one.kind == "units" or p[j] < _STRANGE
    ]
    found += _pairs(courses, p, distances, score, names)
    kept: list[_Explanation] = []
    taken: set[int] = set()
    for one in sorted(found, key=lambda one: (not (p[list(one.features)] < _STRANGE).sum() > 1, -one.p)):
        if taken.isdisjoint(one.features):
            kept.append(one)
            taken.update(one.features)
    return kept


def _alone(j: int, course: Doubles, before: float, rougher: float, score: _Score) -> Iterator[_Explanation]:
    """Another sign, or another unit."""
    factors = [factor for size, _ in _FACTORS for factor in (size, 1 / size)]
    p, after = score(j, np.stack([-course, *(course / factor for factor in factors)]))
    if p[0] > _USUAL:
        closer = _closer(before, float(after[0]), len(course))
        yield _Explanation("flipped", (j,), float(p[0]), closer, "is like everywhere else with its sign changed")
    for i, factor in enumerate(factors, start=1):
        if p[i] > _USUAL and not abs(rougher - np.log(factor)) > _SAME_ROUGHNESS:
            size, units = max(factor, 1 / factor), _FACTORS[(i - 1) // 2][1]
            sentence = f"is about {size:.4g} times too {'large' if factor > 1 else 'small'}, as between {units}"
            yield _Explanation("units", (j,), float(p[i]), size, sentence)


def _pairs(
    courses: Doubles, p: Doubles, distances: Doubles, score: _Score, names: Sequence[str]
) -> Iterator[_Explanation]:
    """Two features in each other's place: at least one of them is strange, and neither is once they are swapped."""
    odd = np.flatnonzero(p < _ODD)
    odd = np.sort(odd[np.argsort(p[odd], kind="stable")][:_MOST])
    if len(odd) < 2:
        return
    scored = [score(int(j), courses[odd]) for j in odd]
    p_as = np.stack([one for one, _ in scored], axis=1)  # (whose course, as which feature)
    far_as = np.stack([one for _, one in scored], axis=1)
    good = np.minimum(p_as, p_as.T)
    for a, b in zip(*np.nonzero(np.triu(good > _USUAL, k=1)), strict=True):
        i, j = int(odd[a]), int(odd[b])
        if min(p[i], p[j]) < _STRANGE:
            before, after = float(distances[i] + distances[j]), float(far_as[a, b] + far_as[b, a])
            closer = _closer(before, after, 2 * courses.shape[-1])
            sentence = f"each is like the other one elsewhere: {names[i]} and {names[j]} are swapped"
            yield _Explanation("swapped", (i, j), float(good[a, b]), closer, sentence)


def _rougher(roughness: Doubles, than: Doubles) -> Doubles:
    """By how much rougher, as a logarithm; NaN where one of them is smooth throughout."""
    return np.log(np.where((roughness > 0) & (than > 0), roughness, np.nan) / np.where(than > 0, than, 1.0))


def _closer(before: float, after: float, size: int) -> float:
    """How many times closer to what is usual; ordinary courses lie about ``sqrt(size)`` away."""
    return float(np.sqrt(before / max(after, size)))
