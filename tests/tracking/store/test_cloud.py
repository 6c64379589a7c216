"""Artifacts in a cloud's store: what is missing is named before any work, and what fails is one line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from steps.tracking.experiments import experiment_named
from steps.tracking.store import cloud
from steps.tracking.store.artifact_places import repository
from steps.tracking.store.cloud import StoreError
from steps.tracking.store.trouble import FAILURES, Trouble, trouble_with

LOCAL = "sqlite:///mlflow.db"


@pytest.mark.parametrize(
    ("place", "module", "install"),
    [
        ("s3://lab/1", "boto3", "pip install boto3"),
        ("r2://lab@account/1", "boto3", "pip install boto3"),
        ("gs://lab/1", "google.cloud.storage", "pip install google-cloud-storage"),
        (
            "wasbs://lab@account.blob.core.windows.net/1",
            "azure.storage.blob",
            "pip install azure-storage-blob azure-identity",
        ),
        (
            "abfss://lab@account.dfs.core.windows.net/1",
            "azure.storage.filedatalake",
            "pip install azure-storage-file-datalake azure-identity",
        ),
    ],
)
def test_a_package_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, place: str, module: str, install: str
) -> None:
    parts = module.split(".")
    for length in range(1, len(parts) + 1):  # whether or not it is installed here
        monkeypatch.setitem(sys.modules, ".".join(parts[:length]), None)
    with pytest.raises(StoreError) as refused:
        repository(place, LOCAL)
    assert str(refused.value) == (
        f"artifacts are in {place}, which needs a package that is not installed ({module}): {install}, and run with "
        "--env-manager local"
    )
    assert isinstance(refused.value, FAILURES), "a server's replicator goes on"
    trouble = trouble_with(refused.value)
    assert trouble.mend.startswith(install), "waiting does not help"


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("az://lab/1", "wasbs://<container>@<account>.blob.core.windows.net/<path>"),
        ("abfs://lab@account/1", "abfss://<container>@<account>.dfs.core.windows.net/<path>"),
        ("gcs://lab/1", "gs://<bucket>/<path>"),
        ("s3a://lab/1", "s3://<bucket>/<path>"),
    ],
)
def test_names_of_other_programs_are_not_mlflows(place: str, expected: str) -> None:
    scheme = place.partition(":")[0]
    with pytest.raises(StoreError) as refused:
        repository(place, LOCAL)
    assert str(refused.value) == (
        f"artifacts are in {place}, and MLflow knows no {scheme}://: use an experiment whose place is {expected}"
    )


def test_it_is_said_before_any_work_is_done(store: Path) -> None:
    MlflowClient().create_experiment("elsewhere", artifact_location="az://lab/mlflow")
    with pytest.raises(StoreError, match="MLflow knows no az://"):
        experiment_named("elsewhere")


class _Failing:
    """MLflow's access to artifacts, of a store that lets everything fail."""

    error: Exception

    def __init__(self, error: Exception) -> None:
        self.error = error

    def _fail(self, *_: object) -> None:
        raise self.error

    log_artifact = log_artifacts = list_artifacts = delete_artifacts = download_artifacts = _download_file = _fail


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (type("ClientError", (Exception,), {"response": {"ResponseMetadata": {"HTTPStatusCode": 403}}})(), "denied"),
        (type("HttpResponseError", (Exception,), {"status_code": 503})(), "the store answered 503"),
        (type("TooManyRequests", (Exception,), {"code": 429})(), "the store answered 429"),
        (type("DefaultCredentialsError", (Exception,), {})(), "there are no credentials for this store"),
        (type("EndpointConnectionError", (Exception,), {})(), "the store cannot be reached"),
        (type("FlexibleChecksumError", (Exception,), {})(), "a file came damaged"),
        (TimeoutError("no answer within 30 s"), "no answer"),
        (ValueError("odd: https://store/x?X-Amz-Signature=s3cret"), "ValueError: odd: https://store/x"),
    ],
)
def test_what_fails_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, said: str) -> None:
    monkeypatch.setattr(cloud, "check_installed", lambda _uri: None)
    monkeypatch.setattr(cloud, "get_artifact_repository", lambda *_, **__: _Failing(error))
    files = repository("gs://lab/1", LOCAL)
    calls: tuple[Callable[[], object], ...] = (
        lambda: files.log_artifacts(str(tmp_path)),
        files.list_artifacts,
        lambda: files.download_artifacts("a", str(tmp_path)),
        files.delete_artifacts,
    )
    for call in calls:
        with pytest.raises(StoreError, match=f"^gs://lab/1: .*{said}") as refused:
            call()
        assert "s3cret" not in str(refused.value)
        assert trouble_with(refused.value) == Trouble(str(refused.value))
