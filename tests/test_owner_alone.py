"""What a step makes of recordings of people is for its owner alone, whatever the umask."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from steps.prepare.__main__ import main
from tests.servers import free_port


@pytest.fixture(autouse=True)
def careless(store: Path) -> Iterator[None]:
    """A user whose umask lets everybody do everything."""
    before = os.umask(0)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    os.umask(before)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def prepared(folder: Path, table: str, monkeypatch: pytest.MonkeyPatch, uri: str) -> dict[str, str]:
    """Prepare a dataset; returns what was made, with permissions that others have on it."""
    (folder / "recordings.csv").write_text(table)
    (folder / "mlflow.db").unlink()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    given = {folder, *folder.rglob("*")}
    done = CliRunner().invoke(main, ["--cwd", str(folder), "--source", "recordings.csv"])
    assert done.exit_code == 0, done.output
    assert os.umask(0) == 0, "afterwards it is the user's again"
    made = [path for path in folder.rglob("*") if path not in given]
    return {str(path.relative_to(folder)): oct(path.stat().st_mode & 0o077) for path in made}


def test_in_the_default_store(store: Path, small_study_table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = prepared(store, small_study_table, monkeypatch, f"sqlite:///{store / 'mlflow.db'}")
    assert "mlflow.db" in made
    assert any(name.endswith("dataset/trials.parquet") for name in made)
    assert {name: mode for name, mode in made.items() if mode != "0o0"} == {}


def test_in_a_spool(store: Path, small_study_table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = prepared(store, small_study_table, monkeypatch, f"http://me:s3cret@127.0.0.1:{free_port()}")
    assert ".fear-spool" in made
    assert any(name.endswith("dataset/trials.parquet") for name in made)
    assert {name: mode for name, mode in made.items() if mode != "0o0"} == {}
