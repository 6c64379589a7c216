"""Using the networks of a training in a pool, fold by fold, for `evaluate` and `attribute`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from mlflow.entities import Run

from steps.compute import Compute, Pool, open_pool
from steps.compute.progress import counting
from steps.core.data.dataset import Dataset
from steps.core.data.fold import Fold, FoldNetwork
from steps.core.data.manifest import Manifest
from steps.core.data.normalise import STUDY, normalised
from steps.core.data.shared_memory import DatasetPlace
from steps.errors import UserError, shown
from steps.tracking import datasets, lookup, parameters_record, reuse
from steps.tracking.addresses import dataset_place
from steps.tracking.lookup import FoldRun
from steps.tracking.models import reading
from steps.tracking.store import digests

T = TypeVar("T")
_PROCESS_MIB = 600.0


@dataclass(frozen=True)
class TrainedFolds:
    """A training, its folds, and the pool that works on them.

    Attributes:
        train: run of the training.
        manifest: of the dataset that it was trained on.
        dataset: the same, normalised as the networks take it.
        uri: where it is.
        place: where the processes of the pool find it, normalised.
        runs: the finished folds with their runs, by name and test number.
        pool: processes.
    """

    train: Run
    manifest: Manifest
    dataset: Dataset
    uri: str
    place: DatasetPlace
    runs: list[FoldRun]
    pool: Pool

    @property
    def folds(self) -> list[Fold]:
        """Every fold, by name and test number."""
        return [run.fold for run in self.runs]

    @property
    def model(self) -> str:
        """Name of the network."""
        return str(parameters_record.load(self.train)["model"])

    @property
    def tests_everybody(self) -> bool:
        """Whether every subject of the study is tested."""
        tested = {subject for fold in self.folds for subject in fold.test_subjects}
        return tested == set(self.dataset.subjects[~self.dataset.is_control].tolist())

    def check_tests_everybody(self, what: str) -> None:
        """Refuse ``what`` where only some subjects are tested.

        Raises:
            UserError: so it is.
        """
        if not self.tests_everybody:
            raise UserError(
                f"{what} needs a training that tests every subject, found one of subjects="
                f"{shown(str(parameters_record.load(self.train).get('subjects', '')))}; train with subjects=all"
            )

    def each(
        self, work: Callable[[FoldNetwork], T], on_result: Callable[[Run, T], object] = lambda _run, _result: None
    ) -> list[T]:
        """What ``work`` makes of every fold, in the order of the folds, with progress shown meanwhile.

        Args:
            work: done in the pool; a function of a module, or a `functools.partial` of one.
            on_result: given a fold's run and result as soon as that is there.

        Raises:
            UserError: the network of a fold is not there, or not the one that was recorded.
            Exception: what ``work`` raises.
        """

        run_of = {run.fold.key: run.run for run in self.runs}
        results: dict[tuple[str, int], T] = {}
        with counting(len(self.runs), "fold") as count:
            for item, result in self.pool.each(work, self._networks()):
                on_result(run_of[item.fold.key], result)
                results[item.fold.key] = result
                count()
        return [results[key] for key in run_of]

    def _networks(self) -> Iterator[FoldNetwork]:
        """The folds with their networks, each read when the pool asks for it."""
        for run in self.runs:
            yield FoldNetwork(run.fold, reading.read_network(run.run), lookup.load_left_out(run))

    def tags(self, entry_point: str, parameters: Mapping[str, Any]) -> dict[str, str]:
        """What a run of ``entry_point`` says about the training it worked on, and its identity."""

        train_id = self.train.info.run_id
        return {
            "train_run_id": train_id,
            "dataset_digest": self.train.data.tags["dataset_digest"],
            **reuse.Identity.of(entry_point, parameters, train_id).tags(),
        }


@contextmanager
def trained_folds(run: Run, train_run_id: str, compute: Compute) -> Iterator[TrainedFolds]:
    """The folds of a training and a pool, inside the block.

    Args:
        run: of the step that asks.
        train_run_id: of the training, or ``latest``.
        compute: where the pool is.

    Raises:
        UserError: there is no such training, its dataset is gone, or there is no pool.
    """
    with tempfile.TemporaryDirectory() as scratch:
        train = lookup.find_run("train", train_run_id, run.info.experiment_id)
        dataset, uri = datasets.dataset_and_uri_of(train)
        runs = lookup.fold_runs(train.info.run_id)
        if note := digests.unchecked_note(one.run for one in runs):
            click.echo(f"note: {note}")
        normalise = parameters_record.load(train).get("normalise", STUDY)  # older trainings knew no other
        place = dataset_place(dataset, uri, Path(scratch), shared=compute.is_local, normalise=normalise)
        with open_pool(compute, len(runs), process_mib=_PROCESS_MIB) as pool:
            click.echo(f"{len(runs)} folds in {pool.where}")
            yield TrainedFolds(train, dataset.manifest(), normalised(dataset, normalise), uri, place, runs, pool)
