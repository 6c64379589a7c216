"""How often the intervals of whole labels hold the truth: classes, ordered classes and scores of simulated people.

Every person has a label, a trait of their own and a few trials; what a model says of a trial is a noisy function of
both. The truth is the value for very many people of the same kind.

    python -m benchmarks.label_coverage --studies 400
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np

from steps.core.data.labelling import CLASSES, ORDERED, SCORE, Labelling
from steps.core.metrics.labels.metrics import metrics_of
from steps.core.metrics.labels.predictions import LabelScores
from steps.core.metrics.labels.summary import label_estimates

LEVELS = ("low", "middle", "high")
LABELLINGS = {
    CLASSES: Labelling(kind=CLASSES, names=LEVELS, cut_off=0),
    ORDERED: Labelling(kind=ORDERED, names=LEVELS, cut_off=1),
    SCORE: Labelling(kind=SCORE, names=(), cut_off=37),
}
MANY = 4000


def people(kind: str, count: int, signal: float, generator: np.random.Generator) -> LabelScores:
    """Trials of simulated people, 1 to 8 of each."""
    labelling, width = LABELLINGS[kind], LABELLINGS[kind].width
    trials = generator.integers(1, 9, count)
    who = np.repeat(np.arange(count), trials)
    if kind == SCORE:
        own = np.round(17 + 51 * generator.beta(2, 2, count))
        said = 42 + signal * (own - 42) + 8 * generator.normal(size=count)
        outputs = (said[who] + 5 * generator.normal(size=len(who)))[:, np.newaxis]
    else:
        own = generator.permutation(np.arange(count) % width).astype(float)
        logits = signal * np.eye(width)[own.astype(int)] + generator.normal(size=(count, width))
        logits = logits[who] + generator.normal(size=(len(who), width))
        outputs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return LabelScores(labelling, own[who], outputs, np.array([f"S{one:05d}" for one in who]))


def of_subjects(trials: LabelScores) -> LabelScores:
    """Means over the trials of each."""
    names, first, codes = np.unique(trials.subjects, return_index=True, return_inverse=True)
    sums = np.zeros((len(names), trials.outputs.shape[1]))
    np.add.at(sums, codes, trials.outputs)
    return LabelScores(trials.labelling, trials.values[first], sums / np.bincount(codes)[:, np.newaxis], names)


def main() -> None:
    """Print a line per kind of label, number of people, strength and metric."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument("--people", type=int, nargs="+", default=[12, 24, 60])
    parser.add_argument("--first", type=int, default=0, help="seed of the first study")
    given = parser.parse_args()
    for kind, signals in ((CLASSES, (0.0, 1.0, 2.5, 5.0)), (ORDERED, (0.0, 1.0, 2.5, 5.0)), (SCORE, (0.0, 0.5, 1.0))):
        for signal in signals:
            population = people(kind, MANY, signal, np.random.default_rng(10**6))
            truths = {"pooled": population, "subject": of_subjects(population)}
            true = {
                (level, name): metric.function(scores)
                for level, scores in truths.items()
                for name, metric in metrics_of(kind).items()
                if metric.interval
            }
            for count in given.people:
                held: dict[tuple[str, str], list[bool]] = defaultdict(list)
                widths: dict[tuple[str, str], list[float]] = defaultdict(list)
                for seed in range(given.first, given.first + given.studies):
                    trials = people(kind, count, signal, np.random.default_rng([seed, count]))
                    for level, scores in (("pooled", trials), ("subject", of_subjects(trials))):
                        for name, one in label_estimates(scores).items():
                            if "low" in one:
                                held[level, name].append(one["low"] <= true[level, name] <= one["high"])
                                widths[level, name].append(one["high"] - one["low"])
                for (level, name), inside in held.items():
                    print(
                        f"{kind:8} signal {signal:3} people {count:3} {level:8} {name:18} truth "
                        f"{true[level, name]:6.3f} held {np.mean(inside):.3f} width {np.mean(widths[level, name]):.3f}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
