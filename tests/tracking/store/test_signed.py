"""Signed addresses of a server that may be hostile: nobody goes where the user has not said that one may."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from steps.tracking.store.allowed import ALLOWED, PlaceError
from steps.tracking.store.artifact_places import repository
from steps.tracking.store.punctual import bounded_patience, punctual_client
from steps.tracking.store.trouble import trouble_with
from tests.bad_servers import answering

CONTENT = "recordings of people"
OFFERS = {"multipart_uploads_enabled": True, "multipart_downloads_enabled": True}


class Hostile:
    """A tracking server that signs addresses of another machine, and that machine; both remember what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.elsewhere: list[str] = []
        self.address = ""

    def answer(self, method: str, path: str) -> tuple[int, str]:
        self.asked.append(f"{method} {path.partition('?')[0].rpartition('/mlflow-artifacts/')[2]}")
        signed = f"{self.address}/private/file?X-Amz-Signature=s3cret"
        if path.endswith("/server-info"):
            return 200, json.dumps(OFFERS)
        if "/mpu/create/" in path:
            return 200, json.dumps({"upload_id": "1", "credentials": [{"url": signed, "part_number": 1}]})
        if "/presigned/" in path:
            return 200, json.dumps({"url": signed, "headers": {}, "file_size": len(CONTENT)})
        return 200, CONTENT if method == "GET" and path.endswith("/file.txt") else "{}"

    def answer_elsewhere(self, method: str, path: str) -> tuple[int, str]:
        self.elsewhere.append(f"{method} {path.partition('?')[0]}")
        return 200, CONTENT


@pytest.fixture
def hostile() -> Hostile:
    return Hostile()


@pytest.fixture
def server(hostile: Hostile) -> Iterator[str]:
    with answering(hostile.answer_elsewhere) as hostile.address, answering(hostile.answer) as uri:
        yield uri


@pytest.fixture
def calls(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Callable[[], None], Callable[[], str]]:
    """To send a file that is large enough for parts, and to fetch one."""
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    (tmp_path / "file.txt").write_text(CONTENT)
    (tmp_path / "back").mkdir()

    def send() -> None:
        repository("mlflow-artifacts:/1/run", server).log_artifact(str(tmp_path / "file.txt"))

    def fetch() -> str:
        files = repository("mlflow-artifacts:/1/run", server)
        return Path(files.download_artifacts("file.txt", str(tmp_path / "back"))).read_text()

    return send, fetch


def test_an_offer_is_not_taken_up_unasked(
    hostile: Hostile, calls: tuple[Callable[[], None], Callable[[], str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    send, fetch = calls
    monkeypatch.setenv(ALLOWED, "s3://lab/mlflow, /srv/mlruns")  # no store that is spoken to at signed addresses
    send()
    assert fetch() == CONTENT
    assert [one for one in hostile.asked if "file.txt" in one] == [
        "PUT artifacts/1/run/file.txt",
        "GET artifacts/1/run/file.txt",
    ]
    assert hostile.elsewhere == []


@pytest.mark.parametrize("asked_for", [True, False])
def test_nobody_goes_where_the_user_has_allowed_nothing(
    hostile: Hostile,
    calls: tuple[Callable[[], None], Callable[[], str]],
    monkeypatch: pytest.MonkeyPatch,
    asked_for: bool,
) -> None:
    if asked_for:
        monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "true")
        monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "true")
    else:
        monkeypatch.setenv(ALLOWED, f"https://store.example/lab, {hostile.address}/public")
    for call in calls:
        with pytest.raises(PlaceError) as refused:
            call()
        assert f" sends us for a file to {hostile.address}/private/file, where a server cannot" in str(refused.value)
        assert ALLOWED in str(refused.value)
        assert "s3cret" not in str(refused.value)
    assert hostile.elsewhere == []
    assert [one for one in hostile.asked if one.startswith("POST")] == ["POST mpu/create/1/run", "POST mpu/abort/1/run"]


def test_what_the_user_has_allowed_is_used(
    hostile: Hostile, calls: tuple[Callable[[], None], Callable[[], str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    send, fetch = calls
    monkeypatch.setenv(ALLOWED, f"{hostile.address}/private")
    send()
    assert fetch() == CONTENT
    assert hostile.elsewhere == ["PUT /private/file", "GET /private/file"]
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "false")
    assert fetch() == CONTENT
    assert len(hostile.elsewhere) == 2


def test_nobody_is_sent_on_to_another_server(hostile: Hostile, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text(CONTENT)
    with (
        answering(hostile.answer_elsewhere) as elsewhere,
        answering(lambda _method, path: (307, f"{elsewhere}{path}")) as uri,
        bounded_patience(),
    ):
        with pytest.raises(MlflowException) as refused:
            punctual_client(uri).search_experiments()
        trouble = trouble_with(refused.value)
        assert trouble.reason == "the server sends us on to another address (HTTP 307)"
        assert trouble.mend.startswith("set MLFLOW_TRACKING_URI to that address")
        files = repository("mlflow-artifacts:/1/run", uri)
        files.log_artifact(str(tmp_path / "file.txt"))  # which reading back would notice
        with suppress(MlflowException, OSError, ValueError):
            files.download_artifacts("file.txt", str(tmp_path))
    assert hostile.elsewhere == []
