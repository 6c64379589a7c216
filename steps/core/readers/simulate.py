"""A simulated study: subjects differ smoothly and widely, fear differs locally and less.

Only additions, multiplications, divisions and rounding touch the uniform draws, never a sum over an axis, a
matrix product or a transcendental function: those may differ in the last bit between machines, and the
digest must not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from steps.core.data.dataset import Dataset
from steps.core.data.labelling import BINARY, CLASSES, ORDERED, SCORE, LabelKind, Labelling
from steps.core.data.manifest import PlantedTruth
from steps.core.readers.resample import DEFAULT_TIMESTEPS, check_timesteps, percent_axis
from steps.errors import UserError

Doubles = npt.NDArray[np.float64]

LABEL_NAMES: Final = ("no_fear", "fear")
SIMULATED: Final = "simulated"
_MOST_VALUES = 500_000_000  # 2 GB, and several copies while they are made
_JOINTS = ("ankle_moment", "knee_moment", "hip_moment", "foot_angle", "knee_angle", "hip_angle",
           "pelvis_angle", "thorax_angle")  # fmt: skip
_UNITS = {"moment": ("Nm/kg", 0.5), "angle": ("deg", 8.0)}  # unit, and size of one standardised step

# All in standard steps of a feature; docs/prepare.md says what they were tuned for. A subject's curves tilt and
# bend more than they shift: shifts of whole curves would drown fear for any network that averages over time.
_TRAITS = 4  # what a subject has in all joints
_TRAIT_SD = (0.02, 1.0, 0.35, 0.7)  # of the Legendre coefficients, degrees 0 to 3, that the traits make together
_TRAIT_TRIAL_SD = 0.9  # a trial's traits around the subject's, the subject's having 1
_OWN_SD = (0.002, 0.075, 0.03, 0.05)  # a subject's own curve in one joint
_TRIAL_SD = (0.005, 0.015, 0.01, 0.01)  # a trial's own curve in one joint
_NOISE_SD = 0.2
_POPULATION_SD = 0.3
_WARP = 0.06  # timing jitter: at most a quarter of it, as a share of the landing
_FEAR_PEAK = 2.4
_EXPRESSION_FEAR = (0.7, 1.3)  # a fear subject shows the bump with a strength between these
_EXPRESSION_NO_FEAR = (0.0, 0.4)
_EXPRESSION_TRIAL_SD = 0.24  # and a trial differs from its subject by this
_CLASSES = ("fear", "neither", "pain")
_LEVELS = ("none", "some", "strong")
_TSK, _TSK_HIGH = (17, 68), 37  # the Tampa scale of kinesiophobia, and what counts as high (Vlaeyen et al. 1995)
_BUMP_PEAK = 1.10592  # maximum of (1 + u) (1 - u^2)^2


@dataclass(frozen=True)
class SimulationSize:
    """How large the simulated study is, and how strong fear shows (0 = not at all)."""

    subjects: int = 24
    controls: int = 6
    trials_min: int = 5
    trials_max: int = 10
    features: int = 24
    effect: float = 1.0

    def __post_init__(self) -> None:
        """Check that the fewest trials are not more than the most; `PARAMETERS` bounds each size for itself.

        Raises:
            UserError: they are.
        """
        if self.trials_min > self.trials_max:
            raise UserError(
                f"simulated trials_max is {self.trials_max}, expected {self.trials_min} (trials_min) to 9999"
            )


def check_fits(size: SimulationSize, timesteps: int) -> None:
    """Check that a simulated study of ``timesteps`` time points (0 = the usual number) fits into memory.

    Raises:
        UserError: it would not fit a computer.
    """
    shape = (size.subjects + size.controls, size.trials_max, timesteps or DEFAULT_TIMESTEPS, size.features)
    if math.prod(shape) > _MOST_VALUES:
        raise UserError(
            f"the simulated study would hold {' x '.join(map(str, shape))} numbers (subjects, trials_max, timesteps, "
            f"features), expected at most {_MOST_VALUES:,} in all"
        )


@dataclass(frozen=True)
class _Bump:
    """The fear bump of one feature: centre and half width as shares of the landing, and its sign."""

    centre: float
    half_width: float
    sign: float

    def window(self, timesteps: int) -> tuple[int, int]:
        """First and last time point, inclusive, that the bump can reach under any timing jitter."""
        reach = self.half_width + _WARP / 4
        first = int(np.ceil((self.centre - reach) * (timesteps - 1)))
        return first, max(first, int(np.floor((self.centre + reach) * (timesteps - 1))))

    def curve(self, landing: Doubles) -> Doubles:
        """The bump at times ``landing`` (shares of the landing, any shape): skewed, 0 outside, peak 1."""
        u = (landing - self.centre) / self.half_width
        inside = np.maximum(1.0 - u * u, 0.0)
        curve: Doubles = self.sign * (1.0 + u) * inside * inside / _BUMP_PEAK
        return curve


def feature_names(count: int) -> tuple[str, ...]:
    """Names of the first ``count`` features: joints by axis, then ``extra_25`` and on."""
    joints = [f"{joint}_{axis}" for joint in _JOINTS for axis in "xyz"]
    return tuple((joints + [f"extra_{i}" for i in range(len(joints) + 1, count + 1)])[:count])


def simulate(
    size: SimulationSize,
    timesteps: int = 0,
    seed: int = 0,
    people: int | None = None,
    label_kind: LabelKind = BINARY,
) -> Dataset:
    """Simulate a study of ``timesteps`` time points (0 = 101); the same arguments give the same digest anywhere.

    Every draw is made whatever the effect, so two studies that differ in ``effect`` alone differ only where
    ``planted_truth`` says.

    Args:
        size: how many subjects, trials and features, and how strong fear shows.
        timesteps: time points per trial.
        seed: of the population (what fear changes, the mean curves, the traits) and of the people drawn from it.
        people: draw the people anew with this seed: other subjects of the same population.
        label_kind: of a ``score`` (17 to 68, as the Tampa scale's) and of ``ordered`` classes (none, some, strong), how
            strong fear shows follows from the label; of ``classes`` a third of the subjects show ``pain`` in other
            features instead.

    Raises:
        UserError: one time point asked for.
    """
    check_timesteps(timesteps)
    timesteps = timesteps or DEFAULT_TIMESTEPS
    rng = np.random.default_rng(seed)
    names = feature_names(size.features)
    scale = np.array([_unit_and_scale(name)[1] for name in names])
    planted = sorted(rng.permutation(size.features)[: max(1, round(size.features / 5))].tolist())
    shapes = {feature: _draw_bump(rng) for feature in planted}
    offset, population = _draw_population(rng, size.features)
    loadings = _draw_loadings(rng, size.features)

    if people is not None:
        rng = np.random.default_rng((seed, people))
    fears = round(size.subjects / 2)
    fear = np.zeros(size.subjects + size.controls, dtype=np.int8)
    fear[rng.permutation(size.subjects)[:fears]] = 1
    labelled = None if label_kind == BINARY else _Labelled.of(label_kind, rng, size, planted)
    if labelled:
        strength = labelled.strength
    else:
        strength = np.zeros(len(fear))
        strength[fear == 1] = _spread(rng, fears, *_EXPRESSION_FEAR)
        strength[fear == 0] = _spread(rng, len(fear) - fears, *_EXPRESSION_NO_FEAR)

    values, labels, subjects, trials = [], [], [], []
    for index in range(len(fear)):
        count = int(rng.integers(size.trials_min, size.trials_max + 1))
        jitter = _WARP * (2.0 * rng.random((count, 1)) - 1.0)
        shares = np.arange(timesteps) / (timesteps - 1)
        landing = shares + jitter * shares * (1.0 - shares)  # (count, timesteps)
        own = _smooth(landing, _OWN_SD, _normal(rng, (1, len(_OWN_SD), size.features)))
        drift = _smooth(landing, _TRIAL_SD, _normal(rng, (count, len(_TRIAL_SD), size.features)))
        scores = _normal(rng, (1, _TRAITS)) + _TRAIT_TRIAL_SD * _normal(rng, (count, _TRAITS))
        common = np.zeros((count, len(_TRAIT_SD), size.features))
        for trait in range(_TRAITS):  # a loop, not a matrix product: see above
            common += scores[:, trait, None, None] * loadings[trait]
        shown = size.effect * _FEAR_PEAK * (strength[index] + _EXPRESSION_TRIAL_SD * _normal(rng, (count, 1)))
        block = offset + _bumps(landing, population) + own + drift + _smooth(landing, _TRAIT_SD, common)
        block += _NOISE_SD * _normal(rng, (count, timesteps, size.features))
        for feature, shape in shapes.items():
            block[:, :, feature] += shown * shape.curve(landing)
        if labelled:
            block += labelled.others(index, landing, size)
        values.append(block * scale)
        labels += [fear[index]] * count
        subjects += [_subject(index, size)] * count
        trials += [f"{trial:02d}" for trial in range(1, count + 1)]

    windows = {names[feature]: shape.window(timesteps) for feature, shape in shapes.items()}
    dataset = Dataset(
        values=np.round(np.concatenate(values), 4).astype(np.float32),
        labels=np.array(labels, dtype=np.int8),
        subjects=np.array(subjects, dtype=np.str_),
        trials=np.array(trials, dtype=np.str_),
        is_control=np.array([name.startswith("C") for name in subjects]),
        features=names,
        units={name: _unit_and_scale(name)[0] for name in names if _unit_and_scale(name)[0]},
        time=percent_axis(timesteps),
        time_unit="%",
        label_names=LABEL_NAMES,
        source="simulated",
        planted_truth=PlantedTruth(windows=windows if size.effect else {}),
    )
    return labelled.label(dataset, size) if labelled else dataset


@dataclass(frozen=True, eq=False)
class _Labelled:
    """Subjects whose labels say more than yes or no.

    Attributes:
        labelling: what labels are.
        values: of the subjects, controls NaN, shape ``(subjects,)``.
        strength: how strong fear shows in each, same shape.
        pain: how strong pain shows in each, same shape.
        shapes: of pain, by the place of the feature.
    """

    labelling: Labelling
    values: Doubles
    strength: Doubles
    pain: Doubles
    shapes: dict[int, _Bump]

    @classmethod
    def of(cls, kind: LabelKind, rng: np.random.Generator, size: SimulationSize, planted: list[int]) -> _Labelled:
        """Draw the labels of a study, and what shows of them."""
        everybody, patients = size.subjects + size.controls, size.subjects
        values, strength, pain = np.full(everybody, np.nan), np.zeros(everybody), np.zeros(everybody)
        strength[patients:] = _spread(rng, size.controls, *_EXPRESSION_NO_FEAR)
        others: dict[int, _Bump] = {}
        if kind == CLASSES:
            values[:patients] = rng.permutation(np.arange(patients) % len(_CLASSES))
            for place, shows in ((_CLASSES.index("fear"), strength), (_CLASSES.index("pain"), pain)):
                has = np.flatnonzero(values == place)
                shows[has] = _spread(rng, len(has), *_EXPRESSION_FEAR)
                hasnt = np.flatnonzero((values != place) & ~np.isnan(values))
                shows[hasnt] = _spread(rng, len(hasnt), *_EXPRESSION_NO_FEAR)
            rest = [feature for feature in range(size.features) if feature not in planted] or planted
            drawn = rng.permutation(len(rest))[: len(planted)].tolist()
            others = {rest[place]: _draw_bump(rng) for place in drawn}
            labelling = Labelling(kind=CLASSES, names=_CLASSES, cut_off=_CLASSES.index("fear"))
        else:
            strength[:patients] = _spread(rng, patients, 0.0, _EXPRESSION_FEAR[1])
            shares = strength[:patients] / _EXPRESSION_FEAR[1]
            if kind == SCORE:
                values[:patients] = np.round(_TSK[0] + (_TSK[1] - _TSK[0]) * shares)
                labelling = Labelling(kind=SCORE, names=(), cut_off=_TSK_HIGH)
            else:
                values[:patients] = np.floor(shares * len(_LEVELS))
                labelling = Labelling(kind=ORDERED, names=_LEVELS, cut_off=_LEVELS.index("some"))
        return cls(labelling, values, strength, pain, others)

    def others(self, index: int, landing: Doubles, size: SimulationSize) -> Doubles:
        """What pain adds to the trials of a subject, shape ``(trials, timesteps, features)``."""
        added = np.zeros((*landing.shape, size.features))
        for feature, shape in self.shapes.items():
            added[:, :, feature] = size.effect * _FEAR_PEAK * self.pain[index] * shape.curve(landing)
        return added

    def label(self, dataset: Dataset, size: SimulationSize) -> Dataset:
        """The dataset with its labels."""
        of = {_subject(index, size): value for index, value in enumerate(self.values)}
        values = np.array([of[name] for name in dataset.subjects.tolist()], dtype=np.float32)
        return replace(
            dataset,
            labels=self.labelling.answers(values),
            label_names=self.labelling.question,
            labelling=self.labelling,
            label_values=values,
        )


def _unit_and_scale(name: str) -> tuple[str, float]:
    return _UNITS.get(name.split("_")[1], ("", 1.0))


def _subject(index: int, size: SimulationSize) -> str:
    return f"S{index + 1:02d}" if index < size.subjects else f"C{index + 1 - size.subjects:02d}"


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Doubles:
    """Near-normal draws (sum of twelve uniforms): the exact normal sampler calls the C library's exp and log."""
    total = rng.random(shape)
    for _ in range(11):
        total += rng.random(shape)
    return total - 6.0


def _spread(rng: np.random.Generator, count: int, low: float, high: float) -> Doubles:
    """``count`` strengths spread evenly over ``low`` to ``high`` in random order, so no seed is much easier."""
    shares = (rng.permutation(count) + rng.random(count)) / max(count, 1)
    return low + (high - low) * shares


def _draw_bump(rng: np.random.Generator) -> _Bump:
    half_width = 0.1 + 0.03 * rng.random()
    reach = half_width + _WARP / 4
    centre = reach + (1.0 - 2.0 * reach) * rng.random()
    return _Bump(float(centre), float(half_width), 1.0 if rng.random() < 0.5 else -1.0)


def _draw_population(rng: np.random.Generator, features: int) -> tuple[Doubles, Doubles]:
    """The population's mean curves: an offset ``(features,)`` and bumps ``(3, 3, features)`` (centre, half, height)."""
    bumps = np.empty((3, 3, features))
    for bump in bumps:
        bump[0] = rng.random(features)
        bump[1] = 0.3 + 0.4 * rng.random(features)
        bump[2] = _POPULATION_SD * _normal(rng, (features,))
    return _normal(rng, (features,)), bumps


def _draw_loadings(rng: np.random.Generator, features: int) -> Doubles:
    """What each trait does to each feature, ``(traits, degrees, features)``; the squares of all traits add up to 1."""
    loadings = _normal(rng, (_TRAITS, len(_TRAIT_SD), features))
    squares = np.zeros(loadings.shape[1:])
    for loading in loadings:
        squares += loading * loading
    unit: Doubles = loadings / np.sqrt(squares)
    return unit


def _bumps(landing: Doubles, bumps: Doubles) -> Doubles:
    """The population's mean curves at ``landing``, shape ``(trials, timesteps, features)``."""
    total = np.zeros((*landing.shape, bumps.shape[2]))
    for centre, half_width, height in bumps:
        u = (landing[:, :, None] - centre) / half_width
        inside = np.maximum(1.0 - u * u, 0.0)
        total += height * inside * inside
    return total


def _smooth(landing: Doubles, deviations: Sequence[float], draws: Doubles) -> Doubles:
    """Cubics ``(trials, timesteps, features)``: Legendre polynomials weighted by ``draws (trials, 4, features)``."""
    x = (2.0 * landing - 1.0)[:, :, None]
    legendre = (np.ones_like(x), x, 1.5 * x * x - 0.5, 2.5 * x * x * x - 1.5 * x)
    total = np.zeros((landing.shape[0], landing.shape[1], draws.shape[2]))
    for degree, (deviation, polynomial) in enumerate(zip(deviations, legendre, strict=True)):
        total += deviation * draws[:, degree][:, None, :] * polynomial
    return total
