"""The entry point; copying itself is tested in tests/tracking/spool, faults in tests/test_faults.py."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from mlflow import MlflowClient

from steps.sync.__main__ import main
from steps.tracking.spool.spool import Spool, open_spool
from steps.tracking.tracker import MLflowTracker

Sync = Callable[..., Result]


@pytest.fixture
def sync(store: Path) -> Iterator[Sync]:
    """The command, in this process: importing MLflow again for each would be most of the time."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield lambda *options: CliRunner().invoke(main, ["--cwd", str(store), *options])
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def spool(store: Path, monkeypatch: pytest.MonkeyPatch) -> Spool:
    """A spool with one finished run for a server that nobody listens at."""
    spool = open_spool("http://127.0.0.1:9", store)
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", spool.uri)
        with MLflowTracker(experiment_id=spool.experiment("study")) as tracker:
            tracker.start_run("one")
            tracker.log_parameters({"epochs": 3})
    return spool


def test_without_a_spool_there_is_nothing_to_do(sync: Sync) -> None:
    done = sync()
    assert done.exit_code == 0
    assert done.stdout.startswith("nothing to do: no study in ")


def test_a_server_that_does_not_answer_is_one_line_and_nothing_is_lost(sync: Sync, spool: Spool) -> None:
    done = sync("--prune", "true")
    assert done.exit_code == 2
    wanted = "http://127.0.0.1:9: the server does not answer; try again later (runs not there yet: 1)"
    assert done.stderr == f"error: {wanted}\n"
    assert len(spool.client().search_runs([spool.experiment("study")])) == 1


def test_a_spool_is_copied_and_then_removed_if_wished(
    sync: Sync, spool: Spool, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In place of a server: another store.
    server = f"sqlite:///{store / 'server.db'}"
    description = spool.folder / "spool.json"
    description.write_text(description.read_text().replace("http://127.0.0.1:9", server))
    done = sync()
    assert done.exit_code == 0, done.output
    assert "1 of 1 runs, 0 models and 0 registered versions copied and checked; 0 duplicates removed; 0 runs left" in (
        done.stdout
    )
    server_client = MlflowClient(server)
    (run,) = server_client.search_runs([server_client.get_experiment_by_name("study").experiment_id])
    assert run.data.params == {"epochs": "3"}
    again = sync("--prune", "true")
    assert "0 of 0 runs" in again.stdout
    assert f"{spool.folder} removed" in again.stdout
    assert not spool.folder.exists()
