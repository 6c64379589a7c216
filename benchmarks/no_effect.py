"""What a study says when there is nothing to find, or little: by way of cross-validation, over many simulated studies.

    python -m benchmarks.no_effect [--studies 200] [--effect 0] [--figure FILE]
    python -m benchmarks.no_effect --baselines minirocket,multirocket

Each study is simulated (24 people, 12 of each class, without control subjects), the fronts of ``soft_multirocket`` are
fitted once on all its trials, without labels, and the heads anew in every fold, by the project's own functions. For
every scheme it prints the mean AUC of subjects and of trials, how often the interval of subjects' AUC holds 0.5 (with
an effect, the mean AUC of all studies), and how often p is at most 0.05 or at least 0.95: of held-out probabilities
(models not trained again), and of the permutation test that trains again. The project itself fits fronts in every fold,
too: on the same 115 studies that gave the same AUC on average (.443 against .445, before the sigmoid's slope had a
prior).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import numpy as np
from scipy.special import expit

from steps.core.data.cross_validation import CrossValidation
from steps.core.data.dataset import Dataset
from steps.core.data.folds import plan_folds
from steps.core.metrics.predictions import FoldPrediction, Scores, results_table
from steps.core.metrics.retrained import retrained_test
from steps.core.metrics.summary import summary
from steps.core.models.heads import Array, fitted_heads
from steps.core.readers.simulate import SimulationSize, simulate

SCHEMES: Final = ("loso", "loso-plain", "group-kfold:6")
MODEL: Final = "soft_multirocket"
_PERMUTATIONS = 999


@dataclass(frozen=True)
class Said:
    """What a study says under one scheme."""

    subject_auc: float
    trial_auc: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True)
class Study:
    """A study under every scheme, and the test that trains again."""

    schemes: dict[str, Said]
    retrained_p: float
    retrained_auc: float


def study(seed: int, effect: float, schemes: Sequence[str] = SCHEMES) -> Study:
    """Simulate a study, cross-validate it and test it."""
    from steps.core.models.label_free import label_free_features

    dataset = simulate(SimulationSize(effect=effect, controls=0), seed=seed)
    features = label_free_features(dataset, MODEL, seed)
    if features is None:
        raise RuntimeError(f"labels shape the features of {MODEL}")
    scores = Scores(dataset.labels, np.zeros(len(dataset.labels)), dataset.subjects)
    tested = retrained_test(features, scores, permutations=_PERMUTATIONS, seed=seed)["subject"]
    return Study(
        {scheme: _said(dataset, features, CrossValidation.of(scheme), seed) for scheme in schemes},
        tested["p_value"],
        tested["value"],
    )


def _said(dataset: Dataset, features: Sequence[Array], cv: CrossValidation, seed: int) -> Said:
    predictions = []
    for fold in plan_folds(dataset, cv=cv, validation_fraction=0, seed=seed):
        trains, tested = (np.isin(dataset.subjects, names) for names in (fold.training_subjects, fold.test_subjects))
        heads = fitted_heads(features, dataset, trains)
        said = expit(heads.outputs([one[tested] for one in features])[:, 0])
        predictions.append(FoldPrediction(dataset.select(tested), 1, said))
    results = results_table(predictions, (0.5,))
    found = summary(results, (0.5,), seed=seed, permutations=_PERMUTATIONS)
    auc, trials = found["subject"]["auc"], found["pooled"]["auc"]["value"]
    return Said(auc["value"], trials, auc["low"], auc["high"], auc["p_value"])


def baseline_test(seed: int, effect: float, name: str) -> tuple[float, float]:
    """AUC of subjects and its p value of a baseline that is trained again for every permutation; as `study`."""
    from steps.core.baselines.rocket import rocket_features

    dataset = simulate(SimulationSize(effect=effect, controls=0), seed=seed)
    scores = Scores(dataset.labels, np.zeros(len(dataset.labels)), dataset.subjects)
    features = [rocket_features(name, dataset.values, seed)]
    tested = retrained_test(features, scores, permutations=_PERMUTATIONS, seed=seed)["subject"]
    return tested["value"], tested["p_value"]


def baselines_table(tested: Mapping[str, Sequence[tuple[float, float]]]) -> Iterator[str]:
    """Rows in Markdown: a baseline each, from `baseline_test` of every study."""
    yield "| | AUC of subjects (SE) | p ≤ .05 | p ≥ .95 |"
    yield "|---|---|---|---|"
    for name, studies in tested.items():
        auc = np.array([value for value, _ in studies])
        shares = _shares([p_value for _, p_value in studies])
        yield f"| `{name}` | {auc.mean():.3f} ({auc.std() / len(auc) ** 0.5:.3f}) | {shares} |"


def table(studies: Sequence[Study], truth: float | None = 0.5) -> Iterator[str]:
    """Rows in Markdown: a scheme each, and the test that trains again.

    Args:
        studies: their results.
        truth: AUC of subjects that intervals should hold; None for each scheme's mean over the studies.
    """
    value = "the mean" if truth is None else f"{truth:g}"
    yield f"| | AUC of subjects (SE) | of trials | interval holds {value} | p ≤ .05 | p ≥ .95 |"
    yield "|---|---|---|---|---|---|"
    for scheme in studies[0].schemes:
        said = [one.schemes[scheme] for one in studies]
        auc = np.array([one.subject_auc for one in said])
        yield (
            f"| `cv={scheme}` | {auc.mean():.3f} ({auc.std() / len(auc) ** 0.5:.3f}) "
            f"| {np.mean([one.trial_auc for one in said]):.3f} | {holds(said, truth):.1%} "
            f"| {_shares([one.p_value for one in said])} |"
        )
    auc = np.array([one.retrained_auc for one in studies])
    yield (
        f"| trained again for every permutation | {auc.mean():.3f} ({auc.std() / len(auc) ** 0.5:.3f}) | | "
        f"| {_shares([one.retrained_p for one in studies])} |"
    )


def holds(said: Sequence[Said], truth: float | None = 0.5) -> float:
    """How often the interval holds the truth, or the mean."""
    held = np.mean([one.subject_auc for one in said]) if truth is None else truth
    return float(np.mean([one.low <= held <= one.high for one in said]))


def _shares(p_values: Sequence[float]) -> str:
    p = np.array(p_values)
    return f"{(p <= 0.05).mean():.1%} | {(p >= 0.95).mean():.1%}"


def figure(studies: Sequence[Study], path: Path) -> None:
    """Draw how AUC of subjects is spread over the studies, a row for each scheme."""
    from matplotlib.figure import Figure

    schemes = list(studies[0].schemes)
    drawn = Figure(figsize=(6.5, 1.1 * len(schemes) + 0.8), layout="constrained")
    axes = drawn.subplots(len(schemes), 1, sharex=True)
    for axis, scheme in zip(np.atleast_1d(axes), schemes, strict=True):
        auc = np.array([one.schemes[scheme].subject_auc for one in studies])
        axis.hist(auc, bins=np.linspace(0, 1, 41), color="#4477aa")
        axis.axvline(0.5, color="black", linewidth=1)
        axis.axvline(auc.mean(), color="#cc3311", linewidth=2)
        axis.set_title(f"cv={scheme}: mean {auc.mean():.3f}", loc="left", fontsize=10)
        axis.set_yticks([])
    np.atleast_1d(axes)[-1].set_xlabel("AUC of subjects where there is nothing to find (0.5 would be right)")
    drawn.savefig(path, dpi=110)


@click.command()
@click.option("--studies", default=200, show_default=True, help="How many are simulated.")
@click.option("--first", default=0, show_default=True, help="Seed of the first; the others follow.")
@click.option("--effect", default=0.0, show_default=True, help="How strong fear shows; 1 is the default study.")
@click.option("--cv", default=",".join(SCHEMES), show_default=True, help="Schemes, comma-separated.")
@click.option("--baselines", default="", help="Test these instead, trained again: minirocket,multirocket.")
@click.option("--figure", "path", type=click.Path(path_type=Path), help="Where to draw the AUCs.")
def main(studies: int, first: int, effect: float, cv: str, baselines: str, path: Path | None) -> None:
    """Print what studies say where there is nothing to find, or little."""
    from threadpoolctl import threadpool_limits

    from steps.system.one_thread import tensorflow_on_one_thread

    tensorflow_on_one_thread()
    said = f"{studies} studies of effect {effect:g}, seeds {first} to {first + studies - 1}"
    with threadpool_limits(1), click.progressbar(range(first, first + studies), label="studies") as seeds:
        if baselines:
            tested = [{name: baseline_test(seed, effect, name) for name in baselines.split(",")} for seed in seeds]
            click.echo(said)
            for row in baselines_table({name: [one[name] for one in tested] for name in tested[0]}):
                click.echo(row)
            return
        done = [study(seed, effect, cv.split(",")) for seed in seeds]
    click.echo(said)
    for row in table(done, None if effect else 0.5):
        click.echo(row)
    if path:
        figure(done, path)


if __name__ == "__main__":
    main()
