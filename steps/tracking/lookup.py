"""Finding the runs that earlier steps left: ``latest``, and the folds of a training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from steps.commands import command
from steps.core.data.fold import Fold
from steps.errors import UserError, shown
from steps.parameter_values import LATEST as LATEST
from steps.tracking import documents
from steps.tracking.experiments import EXPERIMENT
from steps.tracking.session import ENTRY_POINT_TAG
from steps.tracking.spool import deleted_on_server, fetch, local_run_id
from steps.tracking.store import digests
from steps.tracking.store.paging import every_run

HISTORY_COLUMNS = ("epoch", "loss")
LEFT_OUT_COLUMNS = ("subject", "trial", "label", "probability")
# Tag ``entry_point`` of the run that fits the final model of a training.
FINAL_MODEL = "final_model"


@dataclass(frozen=True)
class FoldRun:
    """A finished fold and its run."""

    run: Run
    fold: Fold

    @property
    def run_id(self) -> str:
        """ID of the fold's run."""
        return str(self.run.info.run_id)


def finished(entry_point: str, experiment_id: str, more: str = "", *, most: int = 1) -> Iterator[Run]:
    """The finished runs of an entry point, newest first, without those that somebody has deleted on the server.

    Args:
        entry_point: its name.
        experiment_id: where to look.
        more: of a filter, such as `` and tags.train_run_id = '…'``.
        most: how many that only the server has are fetched.
    """
    condition = f"tags.{ENTRY_POINT_TAG} = '{entry_point}' and attributes.status = 'FINISHED'{more}"
    fetch(experiment_id, condition, most)
    return (run for run in every_run([experiment_id], condition) if not deleted_on_server(run))


def find_run(entry_point: str, run_id: str, experiment_id: str) -> Run:
    """The run named by ``run_id``, or the newest FINISHED run of ``entry_point`` for ``latest``.

    Raises:
        UserError: there is none, or it is a run of something else, or it has not finished.
    """
    client = MlflowClient()
    if run_id == LATEST:
        run = next(finished(entry_point, experiment_id), None)
        if run is None:
            name = client.get_experiment(experiment_id).name
            first = command(entry_point, experiment=name if name != EXPERIMENT else "")
            raise UserError(f"no finished {entry_point} run in experiment {shown(name)}; first run: {first}")
        return run
    try:
        run = client.get_run(local_run_id(run_id))
    except MlflowException as error:
        raise UserError(f"no run {shown(run_id)} in this store; expected the ID of a {entry_point} run") from error
    actual = run.data.tags.get(ENTRY_POINT_TAG, "something else")
    if actual != entry_point:
        raise UserError(f"run {run_id} is a run of {actual}, expected a {entry_point} run")
    if run.info.status != "FINISHED":
        raise UserError(f"{entry_point} run {run_id} is {run.info.status}, expected FINISHED")
    return run


def other_experiment(run: Run) -> str:
    """Name of the experiment a run is in, where a command has to say so: "" for the one that everything goes to."""
    name = str(MlflowClient().get_experiment(run.info.experiment_id).name)
    return "" if name == EXPERIMENT else name


@dataclass(frozen=True)
class FinalModelAddress:
    """Where a training's final model is.

    Attributes:
        run_id: of the run that fitted it.
        uri: of the model, ``models:/m-...``.
    """

    run_id: str
    uri: str

    def tags(self) -> dict[str, str]:
        """The tags by which `final_model` finds it."""
        return {"final_model_run_id": self.run_id, "final_model_uri": self.uri}

    @property
    def model_id(self) -> str | None:
        """ID of the model, as MLflow's runs link it; None where MLflow knows it by its run only."""
        return self.uri.removeprefix("models:/") if self.uri.startswith("models:/m-") else None


def final_model(train: Run) -> FinalModelAddress | None:
    """The model that a training fitted on all subjects; None where it has none."""
    tags = train.data.tags
    # The second names are those that trainings recorded until November 2026.
    for run_tag, uri_tag in (("final_model_run_id", "final_model_uri"), ("deployable_run_id", "deployable_model_uri")):
        if run_tag in tags and uri_tag in tags:
            return FinalModelAddress(str(tags[run_tag]), str(tags[uri_tag]))
    return None


def is_final_model(run: Run) -> bool:
    """Whether this run fitted the final model of a training."""
    return run.data.tags.get(ENTRY_POINT_TAG) in (FINAL_MODEL, "deployable")  # the latter until November 2026


def fold_children(train: Run) -> list[Run]:
    """The runs of a training's folds, in whatever state they are."""
    return [run for run in children(train) if is_fold(run)]


def is_fold(run: Run) -> bool:
    """Whether this is the run of a fold."""
    return bool(run.data.tags.get(ENTRY_POINT_TAG) == "fold")


def children(parent: Run) -> list[Run]:
    """The runs nested right under a run, in whatever state they are."""
    return every_run([parent.info.experiment_id], f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent.info.run_id}'")


def fold_runs(train_run_id: str) -> list[FoldRun]:
    """The finished folds of a training, by name and test number.

    Raises:
        UserError: there are none, or fewer than were trained, or a ``split.json`` is not the one that was recorded.
    """
    train = MlflowClient().get_run(local_run_id(train_run_id))
    folds: list[FoldRun] = []
    for run in fold_children(train):
        if run.info.status == "FINISHED":
            split = documents.json_of(run, digests.SPLIT, documents.Split)
            folds.append(FoldRun(run, Fold.of_split(split, *documents.fold_key(run), run.data.tags.get("label", ""))))
    planned = train.data.metrics.get("folds", 0)
    if not folds:
        raise UserError(f"train run {train_run_id} has no finished folds")
    if len(folds) < planned:
        raise UserError(
            f"train run {train_run_id} has {len(folds)} of its {planned:.0f} folds; the others were deleted or did not "
            "finish: train again, with reuse=false from main"
        )
    return sorted(folds, key=lambda run: run.fold.key)


def load_history(fold: FoldRun) -> pd.DataFrame:
    """The fold's training history: a row per epoch (the index, from 1), a column per metric.

    Raises:
        UserError: it is not the one that was recorded, or damaged.
    """
    return documents.table_of(fold.run, digests.HISTORY, HISTORY_COLUMNS, index="epoch")


def load_left_out(fold: FoldRun) -> pd.DataFrame | None:
    """What is said of each training trial by the model fitted without its subject; None where nobody was left out.

    Raises:
        UserError: as `load_history`.
    """
    if not digests.is_recorded(fold.run, digests.LEFT_OUT):
        return None
    return documents.table_of(fold.run, digests.LEFT_OUT, LEFT_OUT_COLUMNS)
