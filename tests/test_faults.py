"""What networks, disks and servers do to a study, and the tools that make them do it."""

from __future__ import annotations

import errno
import http.client
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric

from steps.core.data.dataset import Dataset
from steps.tracking.experiments import EXPERIMENT as STUDIES
from steps.tracking.spool.push import Push
from steps.tracking.spool.spool import Spool, open_spool
from steps.tracking.store.trouble import FAILURES
from steps.tracking.tracker import MLflowTracker
from tests.chaos import KILL, PATIENCE_S, PAUSE, Chaos, chaos
from tests.conftest import ROOT, run_command
from tests.inventory import Inventory, differences, inventory, settled
from tests.proxy import OF_CONNECTIONS, Fault, Kind, Met, Proxy, proxy_to
from tests.servers import Server, SmallDisk, can_mount, mlflow_server, small_disk
from tests.test_two_drivers import TINY
from tests.tracking.spool.test_push import OWN_TAGS, a_fold, missed

# And a pointer from a model to its registered versions, which only a server writes; where a store is, only a local one.
NOT_COPIED = rf"{OWN_TAGS}|mlflow\.modelVersions$|store_place$"
BODY = b"0123456789" * 100


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was sent, and remembers what arrived whole."""

    received: list[bytes]

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            return
        self.received.append(body)
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Say nothing."""


@pytest.fixture
def received() -> Iterator[tuple[Proxy, list[bytes]]]:
    """A proxy to a small server, and what that server has received."""
    handler = type("Handler", (Echo,), {"received": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    with proxy_to(f"http://127.0.0.1:{server.server_address[1]}") as proxy:
        yield proxy, handler.received  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


def post(proxy: Proxy, path: str = "/x") -> tuple[int, bytes]:
    request = urllib.request.Request(f"{proxy.uri}{path}", data=BODY)  # noqa: S310 - our own server
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, b""


def test_without_a_fault_everything_passes(received: tuple[Proxy, list[bytes]]) -> None:
    proxy, bodies = received
    assert post(proxy) == (200, BODY)
    assert bodies == [BODY]
    assert (proxy.passed, proxy.met) == (1, [])


@pytest.mark.parametrize(
    ("kind", "arrives"),
    [(Kind.RESET, False), (Kind.CUT_REQUEST, False), (Kind.CUT_RESPONSE, True), (Kind.SWALLOW, True)],
)
def test_a_broken_connection_says_nothing_about_what_the_server_did(
    received: tuple[Proxy, list[bytes]], kind: Kind, arrives: bool
) -> None:
    proxy, bodies = received
    proxy.inject(Fault(kind))
    with pytest.raises((OSError, http.client.HTTPException), match=r"reset|Remote end closed|IncompleteRead"):
        post(proxy)
    assert bodies == [BODY] * arrives
    assert post(proxy) == (200, BODY)
    assert bodies == [BODY] * (1 + arrives)
    assert proxy.met == [Met("POST /x", kind)]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_error_is_answered_without_asking_the_server(received: tuple[Proxy, list[bytes]], status: int) -> None:
    proxy, bodies = received
    proxy.inject(Fault(Kind.STATUS, requests=2, status=status))
    assert [post(proxy)[0] for _ in range(3)] == [status, status, 200]
    assert bodies == [BODY]


def test_a_delay_delays(received: tuple[Proxy, list[bytes]]) -> None:
    proxy, _ = received
    proxy.inject(Fault(Kind.DELAY, delay=0.5))
    before = time.monotonic()
    assert post(proxy) == (200, BODY)
    assert time.monotonic() - before >= 0.5


def test_a_fault_lasts_as_long_as_it_should_and_meets_only_whom_it_should(
    received: tuple[Proxy, list[bytes]],
) -> None:
    proxy, _ = received
    proxy.inject(Fault(Kind.STATUS, seconds=1.0, only="POST /a"))
    assert post(proxy, "/b")[0] == 200
    assert post(proxy, "/a")[0] == 500
    deadline = time.monotonic() + 60
    while post(proxy, "/a")[0] == 500:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert proxy.is_quiet


def test_a_plan_is_carried_out_at_its_requests(received: tuple[Proxy, list[bytes]]) -> None:
    proxy, _ = received
    proxy.at(2, lambda: proxy.inject(Fault(Kind.STATUS, status=503)))
    proxy.at(4, lambda: proxy.inject(Fault(Kind.STATUS, status=429)))
    assert not proxy.is_quiet
    assert [post(proxy)[0] for _ in range(5)] == [200, 503, 200, 429, 200]
    assert proxy.is_quiet


def test_a_proxy_that_is_down_refuses_and_comes_back_at_the_same_address(
    received: tuple[Proxy, list[bytes]],
) -> None:
    proxy, _ = received
    uri = proxy.uri
    proxy.down()
    with pytest.raises(urllib.error.URLError, match="refused"):
        post(proxy)
    proxy.up()
    assert proxy.uri == uri
    assert post(proxy) == (200, BODY)


def test_a_full_disk_is_full_until_it_is_freed(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=4) as disk:
        disk.fill()
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            (disk.folder / "file").write_bytes(bytes(100_000))
        disk.free()
        (disk.folder / "file").write_bytes(bytes(100_000))
        disk.fill(leave=300_000)
        (disk.folder / "other").write_bytes(bytes(200_000))
    assert not list((tmp_path / "disk").iterdir())


EXPERIMENT = "study"


def record_study(client: MlflowClient, scratch: Path) -> dict[str, str]:
    """Record two nested runs with everything that a run may hold, on a clock that stands still; returns their IDs."""
    experiment_id = client.create_experiment(EXPERIMENT)
    main = client.create_run(experiment_id, start_time=1000, run_name="main").info.run_id
    fold = client.create_run(
        experiment_id, start_time=2000, run_name="fold", tags={"mlflow.parentRunId": main, "subject": "S1"}
    ).info.run_id
    client.set_tag(main, "fold_run_id", fold)
    client.log_batch(fold, metrics=[Metric("loss", 1.0 / step, 3000 + step, step) for step in range(1, 6)])
    client.log_param(fold, "epochs", 5)
    (scratch / "data.bin").write_bytes(bytes(range(256)))
    client.log_artifact(fold, str(scratch / "data.bin"), "folder")
    client.log_text(main, f"see run {fold}", "report.md")
    for run_id in (fold, main):
        client.set_terminated(run_id, end_time=9000)
    return {"main": main, "fold": fold}


@pytest.fixture
def two_stores(empty_store: Path, tmp_path: Path) -> list[tuple[MlflowClient, dict[str, str]]]:
    """The same study, recorded in two stores."""
    stores = []
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "mlflow.db").write_bytes(empty_store.read_bytes())
        os.chdir(folder)  # where a store keeps its artifacts
        client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
        stores.append((client, record_study(client, tmp_path)))
    return stores


@pytest.mark.usefixtures("store")
def test_an_inventory_is_the_same_for_two_stores_that_hold_the_same(
    two_stores: list[tuple[MlflowClient, dict[str, str]]],
) -> None:
    one, other = (inventory(client, EXPERIMENT) for client, _ in two_stores)
    assert differences(one, other) == []
    assert [line.split(" is ")[0] for line in differences(one, other, verbatim="")] == [
        "runs > main > files > report.md > sha256"  # it names a run
    ]
    assert set(one.runs) == {"main", "main/fold"}
    assert one.runs["main"].tags["fold_run_id"] == "<run main/fold>"
    assert one.summary() == {
        "runs": 2,
        "params": 1,
        "tags": 5,
        "metric points": 5,
        "artifacts": 2,
        "models": 0,
        "model files": 0,
        "registered versions": 0,
    }


Change = Callable[[MlflowClient, dict[str, str], Path], Any]
CHANGES: dict[str, Change] = {
    "main/fold > metrics > loss": lambda c, ids, _: c.log_metric(ids["fold"], "loss", 0.2, 3006, 6),
    "main/fold > params > more is too much": lambda c, ids, _: c.log_param(ids["fold"], "more", 1),
    "main/fold > tags > subject is missing": lambda c, ids, _: c.delete_tag(ids["fold"], "subject"),
    "main > tags > note is too much": lambda c, ids, _: c.set_tag(ids["main"], "note", "x"),
    "main/fold > status": lambda c, ids, _: c.set_terminated(ids["fold"], "FAILED", end_time=9000),
    "main/fold > files > folder/data.bin": lambda c, ids, path: c.log_artifact(ids["fold"], str(path), "folder"),
    "main/fold #2 is too much": lambda c, ids, _: c.create_run(
        c.get_run(ids["fold"]).info.experiment_id, 2500, {"mlflow.parentRunId": ids["main"]}, "fold"
    ),
}


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("expected", CHANGES)
def test_an_inventory_shows_what_is_missing_doubled_or_different(
    two_stores: list[tuple[MlflowClient, dict[str, str]]], tmp_path: Path, expected: str
) -> None:
    (one, _), (other, ids) = two_stores
    (tmp_path / "data.bin").write_bytes(b"cut short")
    CHANGES[expected](other, ids, tmp_path / "data.bin")
    lines = differences(inventory(one, EXPERIMENT), inventory(other, EXPERIMENT))
    assert lines[0].startswith(f"runs > {expected}")
    place = " > ".join(expected.split(" is ")[0].split(" > ")[:4])
    assert [line for line in lines if not line.startswith(f"runs > {place}")] == []


@dataclass
class Line:
    """A client's way to a server that things happen to, with a spool at this end."""

    spool: Spool
    server: Server
    proxy: Proxy
    disk: SmallDisk | None

    @property
    def local(self) -> Inventory:
        return inventory(self.spool.client(), STUDIES, NOT_COPIED)

    @property
    def copied(self) -> Inventory:
        """Also what was removed, under names that end in ``(deleted)``."""
        return inventory(MlflowClient(self.server.uri), STUDIES, NOT_COPIED)

    def assert_exactly_once(self) -> None:
        copied = self.copied
        kept = replace(copied, runs={name: run for name, run in copied.runs.items() if "(deleted)" not in name})
        assert missed(self.local, kept) == []
        counts = self.local.summary()
        assert counts == kept.summary() | {"tags": counts["tags"]}

    def sync(self) -> subprocess.CompletedProcess[str]:
        command = (sys.executable, "-m", "steps.sync")
        folder = self.spool.folder.parents[1]
        return run_command(*command, cwd=folder, tracking_uri=self.proxy.uri, PYTHONPATH=str(ROOT))


@pytest.fixture
def line(store: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """A spool in a user's folder for a real server behind a proxy, on a small disk where that can be had."""
    user = store / "user"
    user.mkdir()
    with ExitStack() as stack:
        disk = stack.enter_context(small_disk(store / "disk", megabytes=48)) if can_mount() else None
        place = disk.folder if disk else store / "disk"
        place.mkdir(exist_ok=True)
        shutil.copy(empty_store, place / "server.db")
        server = stack.enter_context(mlflow_server(store / "server", disk=place))
        proxy = stack.enter_context(proxy_to(server.uri))
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", str(PATIENCE_S))
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        spool = open_spool(proxy.uri, user)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", spool.uri)
        yield Line(spool, server, proxy, disk)


def record_folds(experiment_id: str, train_run_id: str, manifest: Any, subjects: Sequence[str]) -> None:
    with MLflowTracker(experiment_id=experiment_id, parent_run_id=train_run_id) as folds:
        for subject in subjects:
            a_fold(folds, subject, train_run_id, manifest)


def copy_through_chaos(line: Line, chaos: Chaos, manifest: Any, folds: int) -> int:
    """Record a study fold by fold and copy it as it grows, until the chaos is over; returns how many passes failed."""
    client, experiment_id = line.spool.client(), line.spool.experiment(STUDIES)
    train = client.create_run(experiment_id, run_name="train", tags={"entry_point": "train"}).info.run_id
    push, failed, recorded = Push(line.spool), 0, 0
    deadline = time.monotonic() + 240
    while recorded < folds or not chaos.is_over:
        assert time.monotonic() < deadline, "the faults did not end"
        if recorded < folds:
            record_folds(experiment_id, train, manifest, [f"S{recorded}"])
            recorded += 1
        else:  # something has to be copied until the last fault has been met
            client.log_text(train, f"{time.monotonic()}", "last.txt")
        try:
            push.once(thorough=recorded % 3 == 0)
        except FAILURES:
            failed += 1
            push = Push(line.spool)  # as another process would go on
            time.sleep(0.1)
    (model, *_) = client.search_logged_models([experiment_id])
    client.create_registered_model("fear-classifier")
    client.create_model_version(
        "fear-classifier", model.artifact_location, model.source_run_id, model_id=model.model_id
    )
    client.set_registered_model_alias("fear-classifier", "challenger", "1")
    client.set_terminated(train)
    return failed


def assert_sync_completes(line: Line) -> None:
    done = line.sync()
    assert done.returncode == 0, done.stdout + done.stderr
    line.assert_exactly_once()
    before = line.copied
    again = line.sync()
    assert again.returncode == 0, again.stdout + again.stderr
    assert "0 of 0 runs, 0 models and 0 registered versions" in again.stdout
    assert differences(before, line.copied, verbatim="") == []


@pytest.mark.slow
def test_twenty_five_faults_lose_nothing_and_double_nothing(line: Line, small_study: Dataset) -> None:
    with chaos(1, line.server, line.proxy, line.disk) as faults:
        faults.plan(network=24, kills=1, pauses=1, full_disks=1)
        failed = copy_through_chaos(line, faults, small_study.manifest(), folds=6)
    assert sum(faults.happened.values()) >= 25
    assert {kind.value for kind in OF_CONNECTIONS} | {KILL, PAUSE} <= set(faults.happened)
    assert failed > 5, "most of them were felt"
    assert_sync_completes(line)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
@pytest.mark.timeout(1200)
def test_a_hundred_faults_lose_nothing_and_double_nothing(line: Line, small_study: Dataset, seed: int) -> None:
    with chaos(seed, line.server, line.proxy, line.disk) as faults:
        faults.plan(network=90, kills=5, pauses=3, full_disks=3)
        copy_through_chaos(line, faults, small_study.manifest(), folds=10)
    assert sum(faults.happened.values()) >= 98
    assert_sync_completes(line)


def study(folder: Path, tracking_uri: str | None, **environment: str) -> subprocess.CompletedProcess[str]:
    """A whole small study, by its driver."""
    options = [part for name, value in TINY.items() for part in (f"--{name}", str(value))]
    command = (sys.executable, "-m", "steps.main", *options)
    return run_command(
        *command, cwd=folder, tracking_uri=tracking_uri, timeout=1200, PYTHONPATH=str(ROOT), **environment
    )


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_a_whole_study_amid_faults_ends_as_an_undisturbed_one(line: Line, tmp_path: Path) -> None:
    with chaos(6, line.server, line.proxy, line.disk) as faults:
        faults.plan(network=25, kills=1, pauses=1, full_disks=1, gap=2)
        done = study(line.spool.folder.parents[1], line.proxy.uri, MLFLOW_HTTP_REQUEST_TIMEOUT=str(PATIENCE_S))
        felt = sum(faults.happened.values())
        # A study asks less of a server that fails, so what is left of the plan meets those who try to sync.
        syncs = [line.sync().returncode for _ in iter(lambda: faults.is_over, True)]
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert felt >= 8
    assert sum(faults.happened.values()) >= 25
    assert set(syncs) <= {0, 2}
    assert_sync_completes(line)
    alone = tmp_path / "alone"
    alone.mkdir()
    undisturbed = study(alone, None)
    assert undisturbed.returncode == 0, undisturbed.stderr[-3000:]
    expected = inventory(MlflowClient(f"sqlite:///{alone / 'mlflow.db'}"), STUDIES, NOT_COPIED)
    copied = line.copied
    kept = replace(copied, runs={name: run for name, run in copied.runs.items() if "(deleted)" not in name})
    assert differences(settled(expected), settled(kept)) == []


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_a_study_without_its_server_is_completed_later(line: Line) -> None:
    line.server.kill()
    folder = line.spool.folder.parents[1]
    done = study(folder, line.proxy.uri)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert "degraded: " in done.stderr
    assert re.search(rf"cd {re.escape(str(ROOT))} && \S+ -m steps\.sync --cwd {re.escape(str(folder))}\n", done.stderr)
    early = line.sync()
    assert early.returncode == 2
    assert "does not answer" in early.stderr
    line.server.start()
    assert_sync_completes(line)
