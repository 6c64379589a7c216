"""Searching in a pool: a process takes a fold, searches on its training subjects, and trains with what it found.

It knows nothing of MLflow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from steps.compute import report, resident
from steps.compute.process import scratch
from steps.configuration import Train, Tune
from steps.core.data.cross_validation import CrossValidation
from steps.core.data.dataset import Dataset
from steps.core.data.fold import Fold
from steps.core.data.normalise import Normalise, normalised
from steps.core.data.shared_memory import DatasetPlace
from steps.core.data.tried import Tried
from steps.core.tuning.search import Found, check_installed, search
from steps.core.tuning.space import Settings, Space
from steps.errors import UserError
from steps.system.one_thread import tensorflow_on_one_thread

if TYPE_CHECKING:
    from steps.core.metrics.predictions import FoldPrediction
    from steps.core.models.fit import Engine

_FEWEST = 4  # training subjects of an inner fold: what leaves one out still has both classes


@dataclass(frozen=True)
class TuningJob:
    """What all searches have in common.

    Attributes:
        dataset: as it was prepared.
        configuration: of the step.
        space: what to choose among.
        optuna: its version, which every process must have: another one may try something else.
    """

    dataset: DatasetPlace
    configuration: Tune = field(hash=False)
    space: Space = field(hash=False)
    optuna: str


@dataclass(frozen=True)
class Search:
    """One search.

    Attributes:
        fold: on its training and validation subjects; its test subjects have no part in it.
        done: the first tries, where the search goes on.
    """

    fold: Fold
    done: tuple[Tried, ...] = ()


@dataclass(frozen=True)
class Progress:
    """A try of the search of a fold is done."""

    fold: str
    tried: Tried


@dataclass(frozen=True, eq=False)
class Tuned:
    """A search and what its fold's test subjects say of it.

    Attributes:
        fold: whose search.
        found: what it found.
        best: what the network trained with the best settings says of the test subjects; None where there are none.
        start: the same with the settings without a search.
    """

    fold: Fold
    found: Found
    best: FoldPrediction | None
    start: FoldPrediction | None


class Trainer:
    """Trains folds with whatever settings; what costs time is made once."""

    def __init__(self, configuration: Tune, dataset: Dataset) -> None:
        """For a dataset as it was prepared."""
        self.configuration, self._dataset = configuration, dataset
        self._as_taken = cache(self._normalised)
        self._engine = cache(self._made)

    def predict(self, settings: Settings, fold: Fold) -> FoldPrediction:
        """Train a fold as `train` does, and predict its test subjects as `evaluate` does.

        Raises:
            UserError: the loss left the finite numbers, or a probability is none.
        """
        from steps.core.metrics.inference import predict
        from steps.core.metrics.predictions import FoldPrediction
        from steps.core.models.fold import train_fold

        training = self.configuration.training(settings)
        dataset = self._as_taken(training.normalise)
        engine = self._engine(training.model, training.precision)
        trained = train_fold(engine, dataset, fold, training.fit_settings(), training.class_weight)
        test = dataset.of_subjects(fold.test_subjects)
        return FoldPrediction(test, fold.test_number, predict(trained.model, test.values))

    def outer(self, settings: Settings, fold: Fold) -> Fold:
        """The same fold as `train` plans it with these settings: who validates may depend on them."""
        training = replace(self.configuration.training(settings), subjects=fold.test_subjects)
        return next(one for one in training.folds(self._dataset) if one.key == fold.key)

    def inner(self, settings: Settings, fold: Fold) -> list[Fold]:
        """The inner folds of a fold."""
        return inner_folds(self.configuration, self.configuration.training(settings), self._dataset, fold)

    def _normalised(self, normalise: Normalise) -> Dataset:
        return normalised(self._dataset, normalise)

    def _made(self, model: str, precision: str) -> Engine:
        from steps.core.models.fit import Engine

        return Engine(model, self._dataset.timesteps, len(self._dataset.features), precision=precision)


def inner_folds(configuration: Tune, training: Train, dataset: Dataset, fold: Fold) -> list[Fold]:
    """Groups of a fold's training and validation subjects, each held out once.

    Args:
        configuration: of the step.
        training: how a network is trained: whether some of those who train validate.
        dataset: the study.
        fold: whose test subjects have no part in it.

    Raises:
        UserError: there are too few subjects.
    """
    names = (*fold.training_subjects, *fold.validation_subjects)
    cv = CrossValidation(configuration.inner_folds)
    try:
        made = replace(training, cv=cv, subjects=None, seed=fold.seed).folds(dataset.of_subjects(names))
        if any(len(one.training_subjects) < _FEWEST for one in made):
            raise UserError(f"one of them would train on fewer than {_FEWEST} subjects")
    except UserError as error:
        raise UserError(
            f"inner_folds={configuration.inner_folds} cannot be made of the {len(names)} training subjects of fold "
            f"{fold.name} ({str(error).partition(';')[0]}); use another number of inner_folds, test fewer at once, or "
            "add subjects"
        ) from error
    return made


@resident
def _trainer(job: TuningJob) -> Trainer:
    if (found := check_installed()) != job.optuna:
        raise UserError(f"a worker has Optuna {found}, expected {job.optuna} as on this side: its tries would differ")
    tensorflow_on_one_thread()
    return Trainer(job.configuration, job.dataset.load(scratch()))


def tune_fold(job: TuningJob, wanted: Search) -> Tuned:
    """Search on the training subjects of a fold, then train with what was found, and with what would be otherwise."""

    def tell(tried: Tried) -> None:
        report(Progress(wanted.fold.name, tried))

    return tuned(_trainer(job), job.space, wanted, tell)


def tuned(
    trainer: Trainer, space: Space, wanted: Search, tell: Callable[[Tried], object] = lambda _tried: None
) -> Tuned:
    """`tune_fold` with a trainer of one's own; ``tell`` is given every new try."""
    from steps.core.tuning.inner import Inner

    fold, configuration = wanted.fold, trainer.configuration
    objective = Inner(lambda settings: trainer.inner(settings, fold), trainer.predict)
    found = search(
        space,
        objective,
        steps=configuration.inner_folds,
        tries=configuration.trials,
        seed=fold.seed,
        done=wanted.done,
        on_tried=tell,
    )
    if not fold.test_subjects:
        return Tuned(fold, found, None, None)
    start = trainer.predict(space.start, trainer.outer(space.start, fold))
    best = found.best.settings
    return Tuned(fold, found, start if best == space.start else trainer.predict(best, trainer.outer(best, fold)), start)


def searches(folds: Sequence[Fold], everybody: Fold, done: Mapping[str, tuple[Tried, ...]]) -> list[Search]:
    """All searches: that on everybody first, as it takes longest."""
    return [Search(fold, done.get(fold.name, ())) for fold in (everybody, *folds)]
