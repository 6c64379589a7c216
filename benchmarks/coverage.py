"""How often 95% intervals hold the truth, and how wide they are, in simulated studies of which the truth is known.

    OMP_NUM_THREADS=1 python -m benchmarks.coverage [--studies 400] [--subjects 12,24,46,100] [--percentile]

A study has normal scores: a class effect, what a subject has in common in all its trials, and what each trial has by
itself; half the subjects are of either class, or all have trials of both. A second method's scores are correlated with
the first's and separate the classes less. Probabilities are calibrated where the effect is large, overconfident where
there is none. The truth is that of some hundred thousand trials.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import click
import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.metrics import average_precision_score, roc_auc_score

from steps.core.metrics.bootstrap import percentile_interval, resample_weights
from steps.core.metrics.estimates import statistics
from steps.core.metrics.metrics import METRICS, DecisionMetric, net_benefit
from steps.core.metrics.names import Estimate, statistic_name
from steps.core.metrics.paired import judged, paired_differences
from steps.core.metrics.predictions import Scores
from steps.core.metrics.sample import Array, Confusion

THRESHOLDS: Final = (0.5, 0.3)
LEVELS: Final = ("trials", "subjects")
TRIALS_OF_TRUTH: Final = 400_000
RESAMPLES: Final = 400
KEY: Final = ("what", "metric", "level", "subjects", "trials", "within", "auc")


@dataclass(frozen=True)
class Setting:
    """What studies are like.

    Attributes:
        subjects: how many.
        auc: of the first method's trials.
        trials: of each subject and class; 3 stands for 1 to 5, at random.
        within: whether each subject has trials of both classes.
        positive: share of the subjects that are positive, if not.
        alike: share of the variance that a subject's trials have in common.
        second: effect of the second method as a share of the first's.
    """

    subjects: int
    auc: float
    trials: int = 1
    within: bool = False
    positive: float = 0.5
    alike: float = 0.5
    second: float = 0.7


GRID: Final = tuple(
    Setting(subjects, auc, trials, within)
    for subjects, trials, within, auc in itertools.product(
        (12, 24, 46, 100), (1, 3, 10), (False, True), (0.5, 0.8, 0.95, 0.98)
    )
)


class Study(NamedTuple):
    """One study under two methods: level -> scores."""

    first: Mapping[str, Scores]
    second: Mapping[str, Scores]


class Row(NamedTuple):
    """Whether an interval held the truth, and how wide it was."""

    what: str
    metric: str
    level: str
    covered: bool
    width: float


def draw(setting: Setting, random: np.random.Generator) -> Study:
    """A study."""
    count = setting.subjects
    trials = np.full(count, setting.trials) if setting.trials != 3 else random.integers(1, 6, count)
    if setting.within:
        subjects = np.repeat(np.arange(count), 2 * trials)
        labels = np.concatenate([np.repeat([0, 1], number) for number in trials])
    else:
        subjects = np.repeat(np.arange(count), trials)
        labels = (np.arange(count) < round(setting.positive * count)).astype(int)[subjects]
    effect = np.sqrt(2) * norm.ppf(setting.auc)
    own, each = (_correlated(random, size, 0.7) for size in (count, len(subjects)))
    levels = []
    for method, strength in enumerate((1.0, setting.second)):
        noise = np.sqrt(setting.alike) * own[method][subjects] + np.sqrt(1 - setting.alike) * each[method]
        scores = strength * effect * (labels - 0.5) + noise
        levels.append(_levels(subjects, labels, 1 / (1 + np.exp(-max(effect, 1.0) * scores))))
    return Study(*levels)


def _correlated(random: np.random.Generator, size: int, correlation: float) -> tuple[Array, Array]:
    first, other = random.normal(size=(2, size))
    return first, correlation * first + np.sqrt(1 - correlation**2) * other


def _levels(subjects: np.ndarray, labels: np.ndarray, probabilities: Array) -> dict[str, Scores]:
    sets, rows = np.unique(2 * subjects + labels, return_inverse=True)
    means = np.bincount(rows, probabilities) / np.bincount(rows)
    return {
        "trials": Scores(labels.astype(np.int8), probabilities, subjects),
        "subjects": Scores((sets % 2).astype(np.int8), means, sets // 2),
    }


def true_values(scores: Scores) -> dict[str, float]:
    """The statistics of very many, by way of scikit-learn where ours compares all pairs of subjects."""
    positive, probabilities = scores.labels == 1, scores.probabilities
    values = {
        "auc": roc_auc_score(positive, probabilities),
        "average_precision": average_precision_score(positive, probabilities),
        "brier": ((probabilities - positive) ** 2).mean(),
    }
    for threshold in THRESHOLDS:
        called = probabilities >= threshold
        cells = (called & positive, called & ~positive, ~called & ~positive, ~called & positive)
        tp, fp, tn, fn = (np.array([cell.sum()], dtype=np.float64) for cell in cells)
        made = Confusion(tp, fp, tn, fn, threshold)
        for name, metric in METRICS.items():
            if isinstance(metric, DecisionMetric):
                values[statistic_name(name, threshold)] = metric.function(made)[0]
    return {name: float(value) for name, value in values.items()}


def simulate(setting: Setting, studies: int, seed: int = 0, *, percentile: bool = False) -> Iterator[Row]:
    """The intervals of so many studies.

    Args:
        setting: what they are like.
        studies: how many.
        seed: of all of them.
        percentile: whether to add the percentile intervals of resampled subjects, to compare with.
    """
    random = np.random.default_rng([seed, setting.subjects, setting.trials, setting.within, int(1000 * setting.auc)])
    many = draw(replace(setting, subjects=TRIALS_OF_TRUTH // setting.trials), random)
    truths = [{level: true_values(scores) for level, scores in method.items()} for method in many]
    weights = resample_weights(setting.subjects, RESAMPLES, seed)
    for _ in range(studies):
        study = draw(setting, random)
        for level in LEVELS:
            first, second = (judged(method[level], THRESHOLDS) for method in (study.first, study.second))
            values, others = (_of_this_study(truth[level], first.scores) for truth in truths)
            yield from _rows("value", level, first.estimates, values)
            between = {name: value - others[name] for name, value in values.items()}
            yield from _rows("difference", level, paired_differences(first, second), between)
            if percentile:
                yield from _rows("percentile", level, _percentiles(first.scores, weights), values)


def _of_this_study(truth: Mapping[str, float], scores: Scores) -> dict[str, float]:
    """Net benefit is about this study's share of positives."""
    positives, total = np.array(scores.labels.sum()), np.array(len(scores.labels))
    values = dict(truth)
    for threshold in THRESHOLDS:
        recall, specificity = (truth[statistic_name(name, threshold)] for name in ("recall", "specificity"))
        benefit = net_benefit(recall * positives, (1 - specificity) * (total - positives), total, threshold)
        values[statistic_name("net_benefit", threshold)] = float(benefit)
    return values


def _percentiles(scores: Scores, weights: Array) -> dict[str, Estimate]:
    found: dict[str, Estimate] = {}
    for name, drawn in statistics(scores, weights, THRESHOLDS).items():
        low, high = percentile_interval(drawn)
        found[name] = {"value": float(drawn[0]), "low": float(low), "high": float(high)}
    return found


def _rows(what: str, level: str, found: Mapping[str, Estimate], truth: Mapping[str, float]) -> Iterator[Row]:
    for name, value in truth.items():
        if name in found and "low" in found[name]:
            low, high = found[name]["low"], found[name]["high"]
            yield Row(what, name, level, low - 1e-12 <= value <= high + 1e-12, high - low)


def coverage(settings: Iterable[Setting], studies: int, seed: int = 0, *, percentile: bool = False) -> pd.DataFrame:
    """A row per setting, level and metric: `KEY`, ``coverage``, ``width`` (mean), ``studies`` that had the interval."""
    cells = []
    for setting in settings:
        rows = pd.DataFrame(simulate(setting, studies, seed, percentile=percentile), columns=Row._fields)
        grouped = rows.groupby(["what", "metric", "level"], sort=False).agg(
            coverage=("covered", "mean"), width=("width", "mean"), studies=("covered", "size")
        )
        where = {name: getattr(setting, name) for name in ("subjects", "trials", "within", "auc")}
        cells.append(grouped.reset_index().assign(**where))
    return pd.concat(cells, ignore_index=True)


def table(cells: pd.DataFrame) -> pd.DataFrame:
    """A row per metric: for each number of subjects lowest coverage of the cells, mean coverage and (mean width)."""
    named = cells.assign(metric=cells["metric"].str.split("/").str[-1])
    by = named.groupby(["what", "metric", "subjects"], sort=False)
    lowest, mean, width = by["coverage"].min(), by["coverage"].mean(), by["width"].mean()
    text = [f"{a:.2f} {b:.2f} ({c:.2f})" for a, b, c in zip(lowest, mean, width, strict=True)]
    return pd.Series(text, index=lowest.index).unstack("subjects").sort_index(level="what", sort_remaining=False)


def _numbers(_context: click.Context, _parameter: click.Parameter, text: str) -> Sequence[int]:
    return [int(number) for number in text.split(",")]


@click.command()
@click.option("--studies", default=400, show_default=True, help="simulated for each setting")
@click.option("--subjects", default="12,24,46,100", show_default=True, callback=_numbers, help="numbers of them")
@click.option("--percentile", is_flag=True, help="percentile intervals of resampled subjects, too")
@click.option("--cells", type=click.Path(dir_okay=False), help="CSV file for the single settings")
def main(studies: int, subjects: Sequence[int], percentile: bool, cells: str | None) -> None:
    """Print lowest coverage, mean coverage and (mean width) over all settings, by metric and number of subjects."""
    found = coverage((one for one in GRID if one.subjects in subjects), studies, percentile=percentile)
    if cells:
        found.to_csv(cells, index=False)
    click.echo(table(found).to_string())
    worst = found[found["what"] != "percentile"].nsmallest(10, "coverage")
    click.echo(worst.to_string(index=False))


if __name__ == "__main__":
    main()
