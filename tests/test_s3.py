"""Artifacts in an S3 store, behind a server or spoken to directly: faults, large files, where we may be sent."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

from steps.errors import UserError
from steps.sync.__main__ import main
from steps.tracking.spool import copy, pull
from steps.tracking.spool.push import Push
from steps.tracking.spool.spool import Spool, open_spool
from steps.tracking.store import allowed as allowed_places
from steps.tracking.store import artifact_places, cloud
from steps.tracking.store.allowed import ALLOWED, PlaceError
from steps.tracking.store.artifact_places import repository
from steps.tracking.store.tracking_uri import show_uri
from steps.tracking.store.trouble import trouble_with
from steps.tracking.tracker import MLflowTracker
from tests.changed_server import copy_database
from tests.conftest import mlflow_run, step_here
from tests.proxy import Fault, Kind
from tests.s3 import BUCKET, KEYS, Store, artifacts_server, s3_store
from tests.servers import Server
from tests.tracking.spool.test_push import NETWORK

STUDY = "study"
TABLE = "subject,probability\n" + "S01,0.25\n" * 500
MB = 2**20


@pytest.fixture(scope="module")
def s3() -> Iterator[Store]:
    with s3_store() as store:
        yield store


@pytest.fixture
def lab(s3: Store, store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The empty S3 store, which this process's libraries know by its proxy, and keys for it."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.proxy.uri)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    yield s3
    s3.proxy.clear()
    s3.empty()


def recorded(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> Spool:
    """The spool, with a run, its model and a table in it."""
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", spool.uri)
        with MLflowTracker(experiment_id=spool.experiment(STUDY)) as tracker:
            run = tracker.start_run("one")
            run.log_parameters({"seed": 1})
            run.log_model(NETWORK, (21, 6))
            run.log_artifacts({"table.csv": TABLE})
    return spool


@pytest.fixture
def spool(lab: Store, store: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Spool:
    """A spool with one run, for a server that keeps its artifacts in S3 and has its clients write there themselves.

    The server is a SQLite store that passes for one.
    """
    uri = f"sqlite:///{store / 'server.db'}"
    shutil.copy(empty_store, store / "server.db")
    for module in (allowed_places, artifact_places, cloud, copy):
        monkeypatch.setattr(module, "is_remote", lambda address: address == uri)
    monkeypatch.setenv(ALLOWED, f"s3://{BUCKET}/mlflow")
    # As many stores that are no Amazon's need it: then nobody but us compares what was sent with what comes back.
    for name in ("AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION"):
        monkeypatch.setenv(name, "when_required")
    spool = open_spool(uri, store / "user")
    spool.target_client().create_experiment(STUDY, artifact_location=f"s3://{BUCKET}/mlflow/1")
    return recorded(spool, monkeypatch)


def assert_there_once(spool: Spool) -> None:
    server = spool.target_client()
    experiment = server.get_experiment_by_name(STUDY)
    runs, models = (search([experiment.experiment_id]) for search in (server.search_runs, server.search_logged_models))
    assert (len(runs), len(models)) == (1, 1)
    assert Push(spool).pending() == 0
    assert Push(spool).unverified() == []


def test_a_record_is_whole_once_the_store_is_well(spool: Spool, lab: Store) -> None:
    lab.proxy.inject(Fault(Kind.STATUS, status=503, requests=2, only="PUT"))
    with pytest.raises(OSError, match=rf"^s3://{BUCKET}/mlflow/1/models/\S+: the store answered 503"):
        Push(spool).once()
    # The next pass finds what the last one began; one file arrives cut off, and the store says that it has it.
    lab.proxy.inject(Fault(Kind.SHORT_REQUEST, only=r"PUT .*model\.keras"))
    lab.proxy.inject(Fault(Kind.SHORT_REQUEST, only=r"PUT .*table\.csv"))
    refused = Push(spool).once().refused
    assert len(refused) == 2
    assert refused[0] == (
        f"model model: artifact data/model.keras came back as {len(NETWORK) // 2} bytes that differ from the "
        f"{len(NETWORK)} sent"
    )
    assert f"artifact table.csv came back as {len(TABLE) // 2} bytes" in refused[1]
    assert Push(spool).once(thorough=True).refused == []
    assert_there_once(spool)


def test_half_a_table_is_no_table(spool: Spool, lab: Store, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Push(spool).once()
    colleague = open_spool(spool.target, store / "colleague")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", colleague.uri)
    monkeypatch.setenv("FEAR_TRACKING_TARGET", colleague.target)
    monkeypatch.setattr(pull, "reachable", lambda _uri: True)
    (run,) = spool.target_client().search_runs(["1"])
    # As long as the store says it is, and read as a table: but half of it.
    lab.proxy.inject(Fault(Kind.SHORT_RESPONSE, only=r"GET .*table\.csv"))
    with pytest.raises(
        UserError,
        match=rf"^run {run.info.run_id} cannot be fetched: artifact table.csv came with {len(TABLE) // 2} of "
        rf"{len(TABLE)} bytes; give the same command again$",
    ):
        pull.local_run_id(run.info.run_id)
    assert colleague.client().search_runs([colleague.experiment(STUDY)]) == [], "nothing half-fetched"
    (key,) = [key for key in lab.held() if key.endswith("data/model.keras")]
    fetched = pull.local_run_id(run.info.run_id)
    assert Path(colleague.client().download_artifacts(fetched, "table.csv")).read_text() == TABLE
    assert lab.read(key) == NETWORK


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of 12 MB, which is sent in three parts where files are sent in parts."""
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", str(6 * MB))
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", str(5 * MB))  # S3 takes no smaller ones
    monkeypatch.setenv("MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE", str(5 * MB))
    path = tmp_path / "large.bin"
    path.write_bytes(hashlib.shake_128(b"large").digest(12 * MB))
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def parts_of(lab: Store, folder: str) -> int:
    """In how many parts S3 was given the large file; its ETag says so."""
    tag = lab.client.head_object(Bucket=BUCKET, Key=f"mlflow/1/a/{folder}/large.bin")["ETag"]
    return int(tag.strip('"').partition("-")[2])


@pytest.mark.slow
def test_a_large_file_in_parts(
    lab: Store, large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = artifacts_server(f"s3://{BUCKET}/mlflow", monkeypatch)
    (back := tmp_path / "back").mkdir()
    with server as uri:
        files = repository("mlflow-artifacts:/1/a", uri)
        met = len(lab.proxy.met)
        lab.proxy.inject(Fault(Kind.DELAY, delay=0, requests=99, only="X-Amz-Signature"))
        # The server offers it, and nobody has asked for it: everything passes through the server.
        files.log_artifact(str(large), "folder")
        assert digest(Path(files.download_artifacts("folder/large.bin", str(back)))) == digest(large)
        assert parts_of(lab, "folder") == 2, "the server's own way to S3"
        # Asked for, but the server sends us to a place that nobody has allowed.
        monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "true")
        monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "true")
        refusal = rf"sends us for a file to {lab.proxy.uri}/{BUCKET}/mlflow/1/a/other/large.bin, where a server cannot"
        with pytest.raises(PlaceError, match=refusal) as refused:
            files.log_artifact(str(large), "other")
        assert "X-Amz" not in str(refused.value)
        assert lab.unfinished() == []
        with pytest.raises(PlaceError, match=f"sends us for a file to {lab.proxy.uri}/.*{ALLOWED}"):
            files.download_artifacts("folder/large.bin", str(back))
        assert len(lab.proxy.met) == met, "nobody went to a signed address"
        lab.proxy.clear()
        # Allowed, which is enough where the server offers it.
        monkeypatch.delenv("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD")
        monkeypatch.delenv("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD")
        monkeypatch.setenv(ALLOWED, f"{lab.proxy.uri}/{BUCKET}/mlflow")
        # A part that does not arrive: the upload is given up, nothing is left of it, and no signature is printed.
        lab.proxy.inject(Fault(Kind.STATUS, status=503, only="PUT .*partNumber=2"))
        with pytest.raises(Exception, match=r"Failed to upload at least one part") as failed:
            files.log_artifact(str(large), "parts")
        assert lab.unfinished() == []
        assert "mlflow/1/a/parts/large.bin" not in lab.held()
        assert "X-Amz-Signature" not in caplog.text + show_uri(str(failed.value))
        assert trouble_with(failed.value).reason == "the store that it sends us to for large.bin answers HTTP 503"
        files.log_artifact(str(large), "parts")
        assert parts_of(lab, "parts") == 3
        # A part of it comes cut off, and is fetched again.
        lab.proxy.inject(Fault(Kind.CUT_RESPONSE, only="GET .*large.bin"))
        assert digest(Path(files.download_artifacts("parts/large.bin", str(back)))) == digest(large)


@pytest.fixture(scope="module")
def server(s3: Store, tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Server]:
    """A real server that keeps its artifacts in S3, and alone has the keys for it."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(empty_store, folder / "server.db")
    environment = {**KEYS, "AWS_ENDPOINT_URL": s3.proxy.uri, "AWS_MAX_ATTEMPTS": "2"}
    options = ("--artifacts-destination", f"s3://{BUCKET}/mlflow")
    running = Server(folder, environment=environment, options=options).start()
    yield running
    running.kill()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["PUT", "GET"])
@pytest.mark.parametrize("kind", list(Kind))
def test_whatever_the_store_behind_a_server_does_sync_completes_the_record(
    s3: Store,
    server: Server,
    store: Path,
    empty_store: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: Kind,
    method: str,
) -> None:
    copy_database(empty_store, server.folder / "server.db")
    spool = recorded(open_spool(server.uri, store / "user"), monkeypatch)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    s3.proxy.inject(Fault(kind, requests=10_000, delay=0.05, status=503, only=f"{method} .*mlflow"))
    during = CliRunner().invoke(main, ["--cwd", str(store / "user")])
    s3.proxy.clear()
    if kind in (Kind.STATUS, Kind.RESET, Kind.SWALLOW):
        assert during.exit_code == 2
        assert during.output.splitlines()[-1].startswith(f"error: {server.uri}: ")
        assert during.output.endswith("; try again later (runs not there yet: 1)\n")
        # To a file that is sent, the server may also answer by closing the connection.
        assert method == "PUT" or "the server answers, but not for files (HTTP 500)" in during.output
    assert "Traceback" not in during.output
    after = CliRunner().invoke(main, ["--cwd", str(store / "user")])
    assert after.exit_code == 0, after.output
    assert_there_once(spool)


@pytest.mark.slow
def test_a_server_may_have_its_clients_write_to_the_store_themselves(
    lab: Store, store: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(empty_store, store / "server.db")
    options = ("--no-serve-artifacts", "--default-artifact-root", f"s3://{BUCKET}/mlflow")
    server = Server(store, environment=KEYS | {"AWS_ENDPOINT_URL": lab.uri}, options=options).start()
    try:
        spool = recorded(open_spool(server.uri, store / "user"), monkeypatch)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
        sync = ("--cwd", str(store / "user"))
        refused = CliRunner().invoke(main, sync)
        assert refused.exit_code == 2
        assert (
            f"{server.uri} keeps artifacts in s3://{BUCKET}/mlflow/1, where a server cannot send us" in refused.output
        )
        assert lab.held() == []
        monkeypatch.setenv(ALLOWED, f"s3://{BUCKET}/mlflow")
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "boto3", None)
            missing = CliRunner().invoke(main, sync)
        assert missing.exit_code == 2
        assert "needs a package that is not installed (boto3)" in missing.output
        assert "pip install boto3, and run with --env-manager local" in missing.output
        done = CliRunner().invoke(main, sync)
        assert done.exit_code == 0, done.output
        assert_there_once(spool)
        assert [key for key in lab.held() if key.endswith("/data/model.keras")]
    finally:
        server.kill()


@pytest.mark.slow
def test_a_study_whose_experiment_is_in_the_store(lab: Store, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = MlflowClient()
    client.create_experiment("in_s3", artifact_location=f"s3://{BUCKET}/studies")
    aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    environment = {**aws, "MLFLOW_EXPERIMENT_NAME": "in_s3"}
    small: dict[str, Any] = {"simulated_subjects": 6, "simulated_features": 4, "timesteps": 21, "simulated_controls": 2}
    done = mlflow_run(cwd=store, tracking_uri=f"sqlite:///{store / 'mlflow.db'}", environment=environment, **small)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert not list((store / "mlruns").rglob("trials.parquet")), "nothing of it is here"
    held = lab.held("studies/")
    for name in ("trials.parquet", "network.keras", "report.html", "summary.json", "attribution_map.csv"):
        assert [key for key in held if key.endswith(f"/{name}")], name
    # A file that took the place of another, of the same size, is no evidence.
    (split, *_) = [key for key in held if key.endswith("/split.json")]
    lab.write(split, lab.read(split).replace(b"S01", b"S09"))
    again = step_here("evaluate", store, None, environment)
    assert again.exit_code == 2
    assert "split.json of run" in again.output
    assert "is not the file that was recorded" in again.output
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in done.stdout + done.stderr
    assert KEYS["AWS_SECRET_ACCESS_KEY"].encode() not in (store / "mlflow.db").read_bytes()
