"""Reading the networks of folds back: only their ``.keras`` files; nothing is unpickled and no code comes with them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from steps.core.models import keras_file
from steps.errors import UserError
from steps.tracking.models.fold_model import MODEL
from steps.tracking.store import digests
from steps.tracking.store.artifact_places import repository
from steps.tracking.store.cloud import StoreError
from steps.tracking.store.trouble import one_line

if TYPE_CHECKING:
    import keras

_FILE = "data/model.keras"


def load_network(fold: Run) -> keras.Model:
    """The network of a fold, loaded in Keras's safe mode.

    Raises:
        UserError: the model is not there, not the one that was recorded, or no network, or it holds code.
    """
    try:
        return keras_file.load(read_network(fold))
    except keras_file.NotAKerasFileError as error:
        raise _no_model(fold, error) from error


def read_network(fold: Run) -> bytes:
    """The content of the ``.keras`` file of a fold's model.

    Raises:
        UserError: the model is not there, or not the one that was recorded.
    """
    try:
        with tempfile.TemporaryDirectory() as scratch:
            place, path = _file_of(fold)
            files = repository(place, mlflow.get_tracking_uri())
            content = keras_file.read(Path(files.download_artifacts(path, scratch)))
    except StoreError:
        raise
    except (MlflowException, OSError, keras_file.NotAKerasFileError) as error:
        raise _no_model(fold, error) from error
    digests.check_file_of(fold, digests.MODEL, content)
    return content


def has_network(fold: Run) -> bool:
    """Whether the file of a fold's model is there.

    Raises:
        StoreError: it would be in a cloud's store that cannot be worked with.
    """
    try:
        place, path = _file_of(fold)
        folder = path.rpartition("/")[0]
        return any(item.path == path for item in repository(place, mlflow.get_tracking_uri()).list_artifacts(folder))
    except StoreError:  # which may hold it all the same
        raise
    except (MlflowException, OSError):
        return False


def _file_of(fold: Run) -> tuple[str, str]:
    """Where the files of a fold's model are, and which of them is the network."""
    models = fold.outputs.model_outputs if fold.outputs else []
    if len(models) == 1:
        return MlflowClient().get_logged_model(models[0].model_id).artifact_location, _FILE
    return fold.info.artifact_uri, f"{MODEL}/{_FILE}"  # logged as files of the run


def _no_model(fold: Run, error: Exception) -> UserError:
    return UserError(f"cannot load the model of run {fold.info.run_name} ({fold.info.run_id}): {one_line(error)}")
