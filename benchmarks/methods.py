"""The default model against other methods, on the same folds: accuracy and time.

    python -m benchmarks.methods                                        # the simulated study, seed 0
    python -m benchmarks.methods --source running_angles.parquet        # recordings of your own

Every method gets a fold's training subjects and predicts the others: aeon's MiniRocket and MultiRocket with a ridge
classifier and gradient boosting on catch22, as the baselines of those names have them; aeon's MultiRocketHydra as it
is, where PyTorch is installed; InceptionTime in Keras (`benchmarks.inception_time`), one network, so many steps. One
after the other, on one thread; the time is the process's, compiling done before in a fold that does not count.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from benchmarks.command import part
from benchmarks.report import Result, Series
from steps.core.baselines.boosting import trial_features
from steps.core.baselines.choice import BASELINES, BOOSTING, LOGISTIC, MINIROCKET, MULTIROCKET
from steps.core.baselines.predict import Fit, fit_predict
from steps.core.data.cross_validation import CrossValidation
from steps.core.data.dataset import Dataset
from steps.core.data.fold import Fold
from steps.core.data.folds import plan_folds
from steps.core.metrics.estimates import estimates
from steps.core.metrics.names import POOLED, SUBJECT
from steps.core.metrics.predictions import FoldPrediction, levels_of, results_table
from steps.core.readers.load import load_source
from steps.core.readers.simulate import SimulationSize, simulate
from steps.parameters import PARAMETERS
from steps.writing.estimates import estimate_text

Probabilities = npt.NDArray[np.float64]
Method = Callable[[Dataset, Fold], Probabilities]
HEADER = ("method", "AUC of trials", "AUC of subjects", "accuracy of subjects", "seconds per fold", "all folds, s")
DEFAULT = str(PARAMETERS["model"].default)
INCEPTION, HYDRA = "inception_time", "multirocket_hydra"
_THRESHOLD = 0.5


def default_model(study: Dataset) -> Method:
    """The default network, as `train` fits it."""
    from steps.core.metrics.inference import predict
    from steps.core.models.fit import Engine
    from steps.core.models.fold import train_fold
    from steps.core.models.settings import FitSettings

    engine = Engine(DEFAULT, study.timesteps, len(study.features))

    def run(study: Dataset, fold: Fold) -> Probabilities:
        network = train_fold(engine, study, fold, FitSettings(model=DEFAULT)).model
        return np.asarray(predict(network, study.of_subjects(fold.test_subjects).values), dtype=np.float64)

    return run


def baseline(name: str) -> Method:
    """One of the baselines."""

    def run(study: Dataset, fold: Fold) -> Probabilities:
        return fit_predict(study, Fit.of(name, fold), seed=0)

    return run


def hydra(study: Dataset, fold: Fold) -> Probabilities:
    """aeon's MultiRocketHydra; a ridge classifier's decisions are its scores, through a sigmoid."""
    from aeon.classification.convolution_based import MultiRocketHydraClassifier
    from scipy.special import expit

    training, test = study.of_subjects(fold.training_subjects), study.of_subjects(fold.test_subjects)
    model = MultiRocketHydraClassifier(class_weight="balanced", n_jobs=1, random_state=0)
    model.fit(_channels(training), training.labels)
    hydra, rocket = model._transform_hydra, model._transform_multirocket
    features = np.concatenate(
        [
            model._scale_hydra.transform(hydra.transform(_channels(test))),
            model._scale_multirocket.transform(rocket.transform(_channels(test))),
        ],
        axis=1,
    )
    return np.asarray(expit(model.classifier.decision_function(features)))


def inception_time(study: Dataset, fold: Fold, *, steps: int) -> Probabilities:
    """InceptionTime, one network."""
    from benchmarks.inception_time import fit_predict

    training, test = study.of_subjects(fold.training_subjects), study.of_subjects(fold.test_subjects)
    return fit_predict(training.values, training.labels, test.values, steps=steps, seed=fold.seed)


def _channels(part: Dataset) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(part.values.transpose(0, 2, 1))


def methods(study: Dataset, steps: int) -> Iterator[tuple[str, Method]]:
    """The default first; those whose packages are missing are left out, which is said."""
    yield DEFAULT, default_model(study)
    for name in (MINIROCKET, MULTIROCKET, BOOSTING, LOGISTIC):
        package = BASELINES[name].package
        if not package or importlib.util.find_spec(package):
            yield name, baseline(name)
    if importlib.util.find_spec("torch") and importlib.util.find_spec("aeon"):
        yield HYDRA, hydra
    else:
        click.echo(f"{HYDRA}: left out, as PyTorch or aeon is not installed", err=True)
    yield INCEPTION, partial(inception_time, steps=steps)


def row(name: str, method: Method, study: Dataset, folds: Sequence[Fold]) -> tuple[float | str, ...]:
    """What a method reaches, and the time it takes."""
    if name != INCEPTION:  # compiling is little beside its training
        method(study, folds[0])
        trial_features.cache_clear()
    before = time.process_time()
    predicted = [FoldPrediction(study.of_subjects(fold.test_subjects), 1, method(study, fold)) for fold in folds]
    seconds = time.process_time() - before
    levels: dict[str, Mapping[str, Any]] = {
        level: estimates(scores, (_THRESHOLD,)) for level, scores in levels_of(results_table(predicted, ())).items()
    }
    shown: Mapping[str, str] = {
        "trials": estimate_text(levels[POOLED]["auc"]),
        "subjects": estimate_text(levels[SUBJECT]["auc"]),
        "right": estimate_text(levels[SUBJECT][f"threshold_{_THRESHOLD}/accuracy"]),
    }
    return name, *shown.values(), seconds / len(folds), seconds


@part(__doc__)
@click.option("--source", help="recordings, as prepare takes them, instead of the simulated study of seed 0")
@click.option("--cv", default="group-kfold:6", show_default=True, help="the folds, as train takes them")
@click.option("--steps", default=150, show_default=True, help="of InceptionTime's optimiser; 0 leaves it out")
@click.option("--only", help="some of the methods, comma-separated")
def main(quick: bool, source: str | None, cv: str, steps: int, only: str | None) -> Result:
    """Run every method on every fold."""
    from threadpoolctl import threadpool_limits

    from steps.system.one_thread import tensorflow_on_one_thread

    tensorflow_on_one_thread()
    size = SimulationSize(subjects=8, trials_max=5, features=3) if quick else SimulationSize()
    study = load_source(source) if source else simulate(size, seed=0)
    study = study.select(~study.is_control)
    folds = plan_folds(study, cv=CrossValidation.of("group-kfold:2" if quick else cv), validation_fraction=0)
    rows = []
    with threadpool_limits(1):
        for name, method in methods(study, 2 if quick else steps):
            if (only and name not in only.split(",")) or (name == INCEPTION and not steps):
                continue
            rows.append(row(name, method, study, folds))
            click.echo(rows[-1], err=True)
    about = f"{len(np.unique(study.subjects))} people, {len(study.labels)} trials, {len(folds)} folds, one thread"
    return Result(series=[Series(f"{source or 'simulated, seed 0'}: {about}", HEADER, tuple(rows))])


if __name__ == "__main__":
    main()
