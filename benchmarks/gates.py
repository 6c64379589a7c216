"""How often the gates of ``promote`` are wrong, and how often they let an equal model pass, over simulated studies.

    python -m benchmarks.gates [--studies 1000]

**Not worse.** Champion and challenger score the same people, half of each class: normal scores, correlated between the
two models. "wrong" is how often a challenger passes that is worse by exactly the margin; it may be 5%. "equal" is how
often one passes that is as good. Three bounds: the one that is used, percentiles of resampled people (one-sided 95%),
and the lower end of the paired interval of ``compare`` (two-sided 95%, of every twentieth study).

**Calibration.** Models whose probabilities are right: how large their expected calibration error over trials is in 95%
of studies, with all trials of a person under one label.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import click
import numpy as np
import numpy.typing as npt
from scipy.special import expit, ndtri

from steps.core.metrics.bootstrap import resample_weights
from steps.core.metrics.estimates import as_they_are
from steps.core.metrics.metrics import auc, calibration_error
from steps.core.metrics.not_worse import LEVEL, paired_difference
from steps.core.metrics.paired import judged, paired_differences
from steps.core.metrics.predictions import Scores
from steps.core.metrics.sample import Sample

PEOPLE: Final = (24, 46, 100)
AUCS: Final = (0.75, 0.85, 0.95, 0.99)
CORRELATIONS: Final = (0.0, 0.6, 0.9, 0.98)
_RESAMPLES: Final = 500
_SELDOM: Final = 20
_PERCENTILE, _INTERVAL = "percentiles", "interval"
BOUND: Final = "bound"
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Passing:
    """How often a challenger passed, by the name of the bound.

    Attributes:
        people: how many subjects.
        champion: AUC of the champion.
        challenger: AUC of the challenger.
        correlation: of their scores within a class.
        share: of the studies.
    """

    people: int
    champion: float
    challenger: float
    correlation: float
    share: dict[str, float]


def pairs(
    people: int, champion: float, challenger: float, correlation: float, studies: int, seed: int
) -> Iterator[tuple[Scores, Scores]]:
    """Challenger and champion on the same people, study by study; binormal, each with the AUC it is given."""
    generator = np.random.default_rng(seed)
    labels = np.repeat([0, 1], people // 2).astype(np.int8)
    names = np.array([f"s{number:03d}" for number in range(len(labels))])
    apart = [math.sqrt(2) * float(ndtri(one)) for one in (challenger, champion)]
    for _ in range(studies):
        shared, own = generator.standard_normal((2, len(labels)))
        noise = shared, correlation * shared + math.sqrt(1 - correlation**2) * own
        one, other = (Scores(labels, drawn + labels * by, names) for drawn, by in zip(noise, apart, strict=True))
        yield one, other


def passing(
    people: int, champion: float, challenger: float, correlation: float, margin: float, studies: int, seed: int = 0,
    *, others: bool = True,
) -> Passing:  # fmt: skip
    """How often a challenger is said to be worse by less than the margin."""
    counts = {BOUND: 0, _PERCENTILE: 0, _INTERVAL: 0} if others else {BOUND: 0}
    looked = dict.fromkeys(counts, 0)
    for number, (one, other) in enumerate(pairs(people, champion, challenger, correlation, studies, seed)):
        lows = {BOUND: paired_difference(one, other).low}
        if others:
            lows[_PERCENTILE] = _percentile(one, other, number)
            if number % _SELDOM == 0:
                lows[_INTERVAL] = _interval(one, other)
        for name, low in lows.items():
            counts[name] += low > -margin
            looked[name] += 1
    return Passing(people, champion, challenger, correlation, {name: counts[name] / looked[name] for name in counts})


def _percentile(one: Scores, other: Scores, seed: int) -> float:
    weights = resample_weights(len(one.labels), _RESAMPLES, seed)
    drawn = auc(Sample(one, weights)) - auc(Sample(other, weights))
    return float(np.nanpercentile(drawn, 100 * LEVEL))


def _interval(one: Scores, other: Scores) -> float:
    sides = [Scores(side.labels, expit(side.probabilities), side.subjects) for side in (one, other)]
    return float(paired_differences(*(judged(side, (0.5,)) for side in sides))["auc"]["low"])


def calibration_quantile(people: int, trials: int, shape: float, studies: int, seed: int = 0) -> float:
    """The error that calibrated models stay below in 95% of studies.

    Args:
        people: how many.
        trials: of each, under one label.
        shape: of the beta distribution of people's probabilities; small: sure of most of them.
        studies: how many.
        seed: of what is drawn.
    """
    generator = np.random.default_rng(seed)
    names = np.repeat([f"s{number:03d}" for number in range(people)], trials)
    errors: list[float] = []
    for _ in range(studies):
        probabilities = generator.beta(shape, shape, people)
        labels = (generator.random(people) < probabilities).astype(np.int8)
        scores = Scores(np.repeat(labels, trials), np.repeat(probabilities, trials), names)
        errors.append(float(calibration_error(Sample(scores, as_they_are(scores)))[0]))
    return float(np.quantile(errors, 0.95))


@click.command()
@click.option("--studies", default=1000, show_default=True, help="simulated studies per line")
def main(studies: int) -> None:
    """Print the worst and the usual, per margin and number of people."""
    for margin in (0.05, 0.1, 0.15):
        for people in PEOPLE:
            grid = [(value, correlation) for value in AUCS for correlation in CORRELATIONS if value - margin > 0.5]
            wrong = [passing(people, one, one - margin, both, margin, studies) for one, both in grid]
            equal = [passing(people, one, one, both, margin, studies) for one, both in grid]
            for name in wrong[0].share:
                worst = max(wrong, key=lambda at, name=name: at.share[name])  # type: ignore[misc]
                shares = [at.share[name] for at in equal]
                where = f"AUC {worst.champion:g}, correlation {worst.correlation:g}"
                click.echo(
                    f"margin {margin:g}, {people} people, {name}: wrong at most {worst.share[name]:.3f} ({where}), "
                    f"equal {min(shares):.2f} to {max(shares):.2f}"
                )
    for people in PEOPLE:
        for shape in (0.25, 0.5, 1.0):
            quantile = calibration_quantile(people, 7, shape, studies)
            click.echo(f"calibrated, {people} people, beta({shape:g}, {shape:g}): error below {quantile:.3f} in 95%")


if __name__ == "__main__":
    main()
