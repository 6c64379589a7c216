"""Finding what earlier steps left: ``latest``, datasets by URI, the folds of a training."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.artifact.runs_artifact_repo import RunsArtifactRepository
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from pydantic import ValidationError

from steps.commands import command
from steps.core.data.artifact import read_artifact
from steps.core.data.dataset import Dataset
from steps.core.data.manifest import MANIFEST_FILE, Manifest
from steps.core.models import keras_file
from steps.errors import UserError, shown, shown_path
from steps.tracking import documents, record
from steps.tracking.session import ENTRY_POINT_TAG, EXPERIMENT
from steps.tracking.spool import pull
from steps.tracking.store import digests
from steps.tracking.store.tracking_uri import without_credentials

if TYPE_CHECKING:
    import keras

DATASET_FOLDER = "dataset"
MODEL_FILE = "data/model.keras"
HISTORY_COLUMNS = ("epoch", "loss")
LATEST = "latest"
# What a run that fits the final model of a training is a run of.
FINAL_MODEL = "final_model"
# Where artifacts of MLflow are; a page of the web is no dataset.
_SCHEMES = {"runs", "file", "mlflow-artifacts", "models", "s3", "gs", "wasbs", "abfss", "dbfs", "hdfs", "sftp", "ftp"}


@dataclass(frozen=True)
class FoldRun:
    """A finished fold: its run and who was tested."""

    run: Run
    name: str
    test_number: int
    split: dict[str, list[str]]

    @property
    def run_id(self) -> str:
        """ID of the fold's run."""
        return str(self.run.info.run_id)


def find_run(entry_point: str, run_id: str, experiment_id: str) -> Run:
    """The run named by ``run_id``, or the newest FINISHED run of ``entry_point`` for ``latest``.

    Raises:
        UserError: there is none, or it is a run of something else, or it has not finished.
    """
    client = MlflowClient()
    if run_id == LATEST:
        finished = f"tags.{ENTRY_POINT_TAG} = '{entry_point}' and attributes.status = 'FINISHED'"
        pull.fetch(experiment_id, finished)
        newest = client.search_runs([experiment_id], finished, order_by=["attributes.start_time DESC"])
        found = next((run for run in newest if not pull.deleted_on_server(run)), None)
        if found is None:
            name = client.get_experiment(experiment_id).name
            first = command(entry_point, experiment=name if name != EXPERIMENT else "")
            raise UserError(f"no finished {entry_point} run in experiment {shown(name)}; first run: {first}")
        return found
    try:
        run = client.get_run(pull.local_run_id(run_id))
    except MlflowException as error:
        raise UserError(f"no run {shown(run_id)} in this store; expected the ID of a {entry_point} run") from error
    found_as = run.data.tags.get(ENTRY_POINT_TAG, "something else")
    if found_as != entry_point:
        raise UserError(f"run {run_id} is a run of {found_as}, expected a {entry_point} run")
    if run.info.status != "FINISHED":
        raise UserError(f"{entry_point} run {run_id} is {run.info.status}, expected FINISHED")
    return run


def other_experiment(run: Run) -> str:
    """Name of the experiment a run is in, where a command has to say so: "" for the one that everything goes to."""
    name = str(MlflowClient().get_experiment(run.info.experiment_id).name)
    return "" if name == EXPERIMENT else name


def resolve_dataset_uri(uri: str, experiment_id: str) -> str:
    """``latest`` as ``runs:/<newest prepare run>/dataset``, a path as an absolute one; any other URI unchanged."""
    if uri != LATEST:
        if without_credentials(uri) != uri:
            raise UserError(
                "dataset_uri holds a password or a token, which would be recorded; give it in the environment, as "
                f"{without_credentials(uri)[:100]} needs it"
            )
        _refuse_unknown_scheme(uri)
        # A path as typed would mean another place to the next step.
        return uri if "://" in uri or uri.startswith("runs:/") else str(Path(uri).resolve())
    return f"runs:/{find_run('prepare', LATEST, experiment_id).info.run_id}/{DATASET_FOLDER}"


def _refuse_unknown_scheme(uri: str) -> None:
    scheme = uri.partition("://")[0].lower()
    if "://" in uri and scheme not in _SCHEMES:
        raise UserError(
            f"dataset_uri is {shown(uri)}, expected 'latest', runs:/<run id>/{DATASET_FOLDER}, a folder, or a URI that "
            f"begins with one of {', '.join(sorted(_SCHEMES))}"
        )


@contextmanager
def dataset_folder(uri: str) -> Iterator[Path]:
    """Local folder of a dataset artifact inside the block, downloaded if need be.

    Raises:
        UserError: nothing is there.
    """
    with tempfile.TemporaryDirectory() as scratch:
        try:
            path = Path(uri) if Path(uri).is_dir() else _download(uri, scratch)
        except (MlflowException, OSError, ImportError, ValueError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UserError(f"no dataset artifact at {shown_path(uri[:200])}: {reason[:300]}") from error
        yield path


def manifest_of(prepare: Run) -> Manifest:
    """``dataset.json`` of the dataset that a ``prepare`` run made.

    Raises:
        UserError: it is not there, or damaged.
    """
    path = f"{DATASET_FOLDER}/{MANIFEST_FILE}"
    try:
        return Manifest.model_validate_json(documents.text_of(prepare, path))
    except ValidationError as error:
        raise documents.damaged(prepare, path, error.errors()[0]["msg"]) from error


def load_dataset(uri: str) -> Dataset:
    """The dataset at ``uri``, its digest checked."""
    with dataset_folder(uri) as folder:
        return read_artifact(folder)


def dataset_of(train: Run) -> Dataset:
    """The dataset of a training; see `dataset_and_uri_of`."""
    return dataset_and_uri_of(train)[0]


def dataset_and_uri_of(train: Run) -> tuple[Dataset, str]:
    """The dataset of a training: where it was then, or any prepared dataset with the same digest; and where it is.

    Raises:
        UserError: neither is there.
    """
    uri, digest = (documents.required_tag(train, name) for name in ("dataset_uri", "dataset_digest"))
    try:
        return _load_dataset_with(digest, uri, train), uri
    except UserError:
        others = MlflowClient().search_runs(
            [train.info.experiment_id],
            f"tags.{ENTRY_POINT_TAG} = 'prepare' and tags.dataset_digest = '{digest}' "
            "and attributes.status = 'FINISHED'",
            order_by=["attributes.start_time DESC"],
        )
        for other in others:
            with suppress(UserError):
                found = f"runs:/{other.info.run_id}/{DATASET_FOLDER}"
                return _load_dataset_with(digest, found, train), found
        raise


def _load_dataset_with(digest: str, uri: str, train: Run) -> Dataset:
    dataset = load_dataset(uri)
    found = dataset.digest()
    if found != digest:
        raise UserError(
            f"the dataset at {uri} has digest {found[:12]}…, but train run {train.info.run_id} was trained on "
            f"{digest[:12]}…"
        )
    return dataset


def _download(uri: str, scratch: str) -> Path:
    if RunsArtifactRepository.is_runs_uri(uri):
        run_id, path = RunsArtifactRepository.parse_runs_uri(uri)
        uri = f"runs:/{pull.local_run_id(run_id)}/{path}"
    return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=scratch))


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


def log_study(run_id: str, train: Run, dataset: Dataset, uri: str, *, context: str) -> None:
    """Log as inputs of a run the dataset of a training, and the model that the training fitted on all subjects."""
    record.log_dataset_input(dataset.manifest(), uri, context=context)
    if (model := final_model(train)) and model.model_id:
        record.log_model_input(run_id, model.model_id)


def fold_children(train: Run) -> list[Run]:
    """The runs of a training's folds, in whatever state they are."""
    return [run for run in children(train) if is_fold(run)]


def is_fold(run: Run) -> bool:
    """Whether this is the run of a fold."""
    return bool(run.data.tags.get(ENTRY_POINT_TAG) == "fold")


def children(parent: Run) -> list[Run]:
    """The runs nested right under a run, in whatever state they are."""
    client = MlflowClient()
    nested = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent.info.run_id}'"
    found: list[Run] = []
    token = None
    while True:
        page = client.search_runs([parent.info.experiment_id], nested, max_results=1000, page_token=token)
        found.extend(page)
        token = page.token
        if not token:
            return found


def fold_runs(train_run_id: str) -> list[FoldRun]:
    """The finished folds of a training, by name and test number.

    Raises:
        UserError: there are none, or fewer than were trained, or a ``split.json`` is not the one that was recorded.
    """
    train = MlflowClient().get_run(pull.local_run_id(train_run_id))
    folds: list[FoldRun] = []
    for run in fold_children(train):
        if run.info.status == "FINISHED":
            folds.append(FoldRun(run, *documents.fold_key(run), documents.json_of(run, "split.json", documents.Split)))
    planned = train.data.metrics.get("folds", 0)
    if not folds:
        raise UserError(f"train run {train_run_id} has no finished folds")
    if len(folds) < planned:
        raise UserError(
            f"train run {train_run_id} has {len(folds)} of its {planned:.0f} folds; the others were deleted or did not "
            "finish: train again, with reuse=false from main"
        )
    return sorted(folds, key=lambda fold: (fold.name, fold.test_number))


def load_model(fold: FoldRun) -> keras.Model:
    """The fold's model.

    Only its ``.keras`` file is read, in Keras's safe mode: nothing is unpickled and no code comes with it.

    Raises:
        UserError: the model is not there, not the one that was recorded, or no network, or it holds code.
    """
    try:
        return keras_file.load(read_model(fold))
    except keras_file.NotAKerasFileError as error:
        raise _no_model(fold, error) from error


def read_model(fold: FoldRun) -> bytes:
    """The content of the ``.keras`` file of the fold's model.

    Raises:
        UserError: the model is not there, or not the one that was recorded.
    """
    try:
        with tempfile.TemporaryDirectory() as scratch:
            content = keras_file.read(_fetch_model(fold, scratch))
    except (MlflowException, OSError, keras_file.NotAKerasFileError) as error:
        raise _no_model(fold, error) from error
    digests.check_file_of(fold.run, digests.MODEL, content)
    return content


def _fetch_model(fold: FoldRun, scratch: str) -> Path:
    models = fold.run.outputs.model_outputs if fold.run.outputs else []
    if len(models) == 1:
        place, path = MlflowClient().get_logged_model(models[0].model_id).artifact_location, MODEL_FILE
    else:  # logged as files of the run
        place, path = fold.run.info.artifact_uri, f"model/{MODEL_FILE}"
    return Path(get_artifact_repository(place).download_artifacts(path, scratch))


def _no_model(fold: FoldRun, error: Exception) -> UserError:
    reason = str(error).strip().splitlines()[0]
    return UserError(f"cannot load the model of run {fold.run.info.run_name} ({fold.run_id}): {reason}")


def load_history(fold: FoldRun) -> pd.DataFrame:
    """The fold's training history: a row per epoch (the index, from 1), a column per metric.

    Raises:
        UserError: it is not the one that was recorded, or damaged.
    """
    return documents.table_of(fold.run, digests.HISTORY, HISTORY_COLUMNS, index="epoch")
