"""The step with a real tracking server: where decisions are made, and what others are told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from steps.core.models.keras_file import as_bytes
from steps.errors import UserError
from steps.promote.run import promote
from steps.tracking import promotion
from steps.tracking.spool.spool import open_spool
from tests.conftest import step_here
from tests.core.metrics.conftest import MethodMaker
from tests.promote.conftest import record_study
from tests.servers import Server, wait_until

pytestmark = pytest.mark.slow
NAME = "fear-classifier"
# MLflow's webhooks go to https:// and to public addresses only, unless its server is told otherwise.
LOOPBACK = {"MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http", "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "server", environment=LOOPBACK).start()
    yield server
    server.kill()


@pytest.fixture
def heard() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of somebody who listens, and what they have heard."""
    messages: list[dict[str, Any]] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    listening = HTTPServer(("127.0.0.1", 0), Listener)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}/", messages
    listening.shutdown()
    thread.join()
    listening.server_close()


def test_a_server_decides_tells_others_and_nothing_is_decided_without_it(
    store: Path, server: Server, heard: tuple[str, list[dict[str, Any]]], final_network: Any,
    training_json: dict[str, Any], make_method: MethodMaker, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    client = MlflowClient(server.uri)
    address, messages = heard
    client.create_webhook("champions", address, ["model_version_alias.created"])
    assert record_study(as_bytes(final_network), training_json, make_method) == "1"
    decision = promote()
    assert decision.is_champion, decision
    assert client.get_model_version_by_alias(NAME, "champion").version == "1"
    (entry,) = promotion.trail(NAME).entries
    run = client.get_run(entry.run_id)  # the server's ID, not the spool's
    wait_until(lambda: client.get_run(entry.run_id).info.status == "FINISHED", "copying the run", 20)
    assert client.get_run(entry.run_id).data.tags["decision"] == "promoted"
    assert run.data.metrics["gate_passed/auc"] == 1
    wait_until(lambda: any(one["data"].get("alias") == "champion" for one in messages), "the webhook", 20)
    (message,) = [one for one in messages if one["data"]["alias"] == "champion"]
    assert (message["entity"], message["action"]) == ("model_version_alias", "created")
    assert (message["data"]["name"], message["data"]["version"]) == (NAME, "1")
    assert [model.name for model in client.search_registered_models()] == [NAME], "no lock is left"

    spool = open_spool(server.uri, store)
    spool.client().create_registered_model(NAME)
    spool.client().create_model_version(NAME, "file:///nowhere")
    with pytest.raises(UserError, match=r"version 1 of fear-classifier is in the spool and not on http.*steps\.sync"):
        promote()
    spool.client().delete_registered_model(NAME)

    server.kill()
    started = time.monotonic()
    done = step_here("promote", store, server.uri)
    assert done.exit_code == 2
    assert done.stderr.splitlines() == [
        f"error: tracking server {server.uri} failed (the server does not answer); nothing was decided"
    ]
    assert time.monotonic() - started < 15
    mlflow.set_tracking_uri(None)
