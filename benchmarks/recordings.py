"""How many recordings of a new person `normalise=subject` needs: AUC of held-out trials against how many are at hand.

    python -m benchmarks.recordings [--model NAME] [--source TABLE --positive-label LABEL]

In every fold, one network is trained with ``normalise=subject`` on all trials of its training subjects. Each held-out
subject's trials are then put into groups of a given number, at random, and standardised and predicted group by group,
as if no others were there: without regard to labels, which new people do not have; with as many of each class; and with
trials of one class only, which is what must not happen. The same folds with ``normalise=study`` stand beside it.

The simulated people have eight landings with fear and eight with hardly any; once as the simulated study has them,
whose people differ in the shape of their curves, and once as sensors give them that have another zero and gain on every
person, as those on muscles or skin have. The shoulder exercises are real: four recordings of each of ten people,
`examples/shoulder_exercises.py`.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from benchmarks.command import part
from benchmarks.report import Result, Series
from steps.core.data.cross_validation import LOSO, CrossValidation
from steps.core.data.dataset import Dataset
from steps.core.data.folds import plan_folds
from steps.core.data.normalise import STUDY, SUBJECT, Normalise, check_both_classes, normalised, within_subjects
from steps.core.models.table import MODELS
from steps.core.readers.load import load_source
from steps.core.readers.simulate import SimulationSize, simulate
from steps.parameters import PARAMETERS

HEADER = ("recordings at hand", "drawn at random", "as many of each class", "of one class only")
# Of the fear that is shown, and of hardly any.
_EFFECTS = (0.5, 0.1)
# Between people: of a sensor's zero, in standard deviations of the feature, and of the logarithm of its gain.
_ZERO_SD, _GAIN_SD = 1.0, 0.5
_SIZES = (2, 3, 4, 5, 6, 8, 10, 12, 16)
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Group:
    """Trials of a subject that are standardised together; ``counts`` says which of them were not in a group before."""

    rows: Rows
    counts: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Study:
    """A study, how it is split, and the numbers of recordings at hand."""

    title: str
    dataset: Dataset
    cv: CrossValidation
    sizes: Sequence[int]


Grouping = Callable[[Rows, npt.NDArray[np.int8], int, np.random.Generator], Iterator[Group]]


def at_random(rows: Rows, _labels: npt.NDArray[np.int8], size: int, rng: np.random.Generator) -> Iterator[Group]:
    """Groups of ``size`` trials, of all where there are fewer, each trial once; the last is filled up with others."""
    order = rng.permutation(rows)
    for start in range(0, len(order), size):
        own = order[start : start + size]
        others = rng.permutation(np.setdiff1d(rows, own))[: size - len(own)]
        yield Group(np.concatenate([own, others]), np.arange(len(own) + len(others)) < len(own))


def of_each_class(rows: Rows, labels: npt.NDArray[np.int8], size: int, rng: np.random.Generator) -> Iterator[Group]:
    """Groups with half of their trials from either class; none where ``size`` is odd or a class too small."""
    if size % 2 or min(np.bincount(labels, minlength=2)) < size // 2:
        return
    halves = [list(at_random(rows[labels == label], labels, size // 2, rng)) for label in (0, 1)]
    for number in range(max(map(len, halves))):
        chosen = [half[number % len(half)] for half in halves]
        is_new = [np.full(len(one.rows), number < len(half)) for one, half in zip(chosen, halves, strict=True)]
        counts = np.concatenate([one.counts for one in chosen]) & np.concatenate(is_new)
        yield Group(np.concatenate([one.rows for one in chosen]), counts)


def of_one_class(rows: Rows, labels: npt.NDArray[np.int8], size: int, rng: np.random.Generator) -> Iterator[Group]:
    """Groups of trials of the same class; none where a class has fewer than ``size``."""
    if min(np.bincount(labels, minlength=2)) >= size:
        for label in (0, 1):
            yield from at_random(rows[labels == label], labels, size, rng)


def within_person_study(subjects: int, seed: int) -> Dataset:
    """A simulated study whose subjects all have eight trials with fear and eight with hardly any."""
    size = SimulationSize(subjects=2 * subjects, controls=0, trials_min=16, trials_max=16)
    # Every draw is made whatever the effect: the same people, the same landings, another fear.
    shown, hardly = (simulate(replace(size, effect=effect), seed=seed) for effect in _EFFECTS)
    fearful = shown.labels == 1
    shown, hardly = shown.select(fearful), hardly.select(fearful)
    has_fear = np.tile(np.arange(16) < 8, subjects)
    values = np.where(has_fear[:, None, None], shown.values, hardly.values)
    return replace(shown, values=values, labels=has_fear.astype(np.int8))


def with_own_sensors(dataset: Dataset, seed: int) -> Dataset:
    """The study as if every person's sensors had a zero and a gain of their own."""
    rng = np.random.default_rng(seed)
    names, whose = np.unique(dataset.subjects, return_inverse=True)
    shape = (len(names), len(dataset.features))
    gain = np.exp(rng.normal(0, _GAIN_SD, shape))[whose][:, None, :]
    zero = rng.normal(0, _ZERO_SD, shape)[whose][:, None, :] * dataset.values.std(axis=(0, 1))
    return replace(dataset, values=(gain * dataset.values + zero).astype(np.float32))


def shoulder_study(folder: Path) -> Dataset:
    """The shoulder exercises, external against internal rotation."""
    from examples.shoulder_exercises import shoulder_table

    path = folder / "shoulder.csv"
    shoulder_table().to_csv(path, index=False)
    return load_source(str(path), positive_label="external_rotation")


def networks(study: Study, model: str, normalise: Normalise) -> Iterator[tuple[Any, Dataset]]:
    """Each fold's network, and its held-out trials as they were recorded."""
    from steps.core.models import keras_file
    from steps.core.models.fit import Engine
    from steps.core.models.fold import train_fold
    from steps.core.models.settings import FitSettings

    dataset, settings = study.dataset, FitSettings(model=model)
    engine = Engine(model, dataset.timesteps, len(dataset.features))
    given = normalised(dataset, normalise)
    dataset = dataset.select(~dataset.is_control)
    for fold in plan_folds(dataset, cv=study.cv, validation_fraction=0.2 if MODELS[model].validates else 0):
        network = train_fold(engine, given, fold, settings).model
        # The engine's own network is trained again for the next fold.
        yield keras_file.load(keras_file.as_bytes(network)), dataset.of_subjects(fold.test_subjects)


def auc_of(
    folds: Sequence[tuple[Any, Dataset]], grouping: Grouping | None, size: int, rng: np.random.Generator
) -> float | None:
    """AUC over all held-out trials, standardised in such groups; as recorded without one. None without groups."""
    from sklearn.metrics import roc_auc_score

    from steps.core.metrics.inference import predict

    labels, probabilities = [], []
    for network, test in folds:
        if grouping is None:
            labels.append(test.labels)
            probabilities.append(predict(network, test.values))
            continue
        groups = [
            group
            for name in np.unique(test.subjects)
            for rows in [np.flatnonzero(test.subjects == name)]
            for group in grouping(rows, test.labels[rows], size, rng)
        ]
        if not groups:
            return None
        rows = np.concatenate([group.rows for group in groups])
        counts = np.concatenate([group.counts for group in groups])
        names = np.repeat(np.arange(len(groups)), [len(group.rows) for group in groups]).astype(np.str_)
        labels.append(test.labels[rows[counts]])
        probabilities.append(predict(network, within_subjects(test.values[rows], names))[counts])
    return float(roc_auc_score(np.concatenate(labels), np.concatenate(probabilities)))


def curve(study: Study, model: str, rounds: int) -> Series:
    """A row per number of recordings at hand: mean AUC over rounds of drawing, and the smallest and largest."""
    dataset = study.dataset
    check_both_classes(dataset, SUBJECT)

    def cell(grouping: Grouping, size: int) -> str:
        rng = np.random.default_rng(size)
        aucs = [auc for _ in range(rounds) if (auc := auc_of(folds, grouping, size, rng)) is not None]
        return f"{statistics.mean(aucs):.3f} ({min(aucs):.3f} to {max(aucs):.3f})" if aucs else "–"

    as_recorded = auc_of(list(networks(study, model, STUDY)), None, 0, np.random.default_rng(0))
    folds = list(networks(study, model, SUBJECT))
    rows = [
        (str(size), *(cell(grouping, size) for grouping in (at_random, of_each_class, of_one_class)))
        for size in study.sizes
    ]
    about = f"{len(np.unique(dataset.subjects))} people, {len(dataset.labels)} trials, `{model}`, {study.cv}"
    return Series(f"{study.title}: {about}; `normalise=study`: AUC {as_recorded:.3f}", HEADER, (*rows,))


def studies(source: str | None, positive_label: str, *, quick: bool) -> Iterator[Study]:
    """The user's own study, or all of the others."""
    if source:
        yield Study(Path(source).stem, load_source(source, positive_label=positive_label), CrossValidation(5), _SIZES)
        return
    simulated = within_person_study(4 if quick else 24, seed=0)
    cv, sizes = CrossValidation(4), (2, 16) if quick else _SIZES
    yield Study("simulated", simulated, cv, sizes)
    yield Study("simulated, sensors of their own", with_own_sensors(simulated, seed=0), cv, sizes)
    if not quick:
        with tempfile.TemporaryDirectory() as folder:
            yield Study("shoulder exercises", shoulder_study(Path(folder)), LOSO, (2, 3, 4))


@part(__doc__)
@click.option("--model", default=str(PARAMETERS["model"].default), show_default=True, type=click.Choice(tuple(MODELS)))
@click.option("--source", help="recordings of your own, with both classes per subject, instead of these studies")
@click.option("--positive-label", default="auto", show_default=True, help="as prepare takes it; with --source")
def main(quick: bool, model: str, source: str | None, positive_label: str) -> Result:
    """Draw the curve of every study."""
    rounds = 1 if quick else 10
    return Result(series=[curve(study, model, rounds) for study in studies(source, positive_label, quick=quick)])


if __name__ == "__main__":
    main()
