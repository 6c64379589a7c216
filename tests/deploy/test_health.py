"""What is looked at, and what is said; the real stores are in `test_round_trip.py`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy import health
from deploy.stores import StoreError


def test_the_newest_backup_counts(tmp_path: Path) -> None:
    for name in ("2026-11-27T021500Z", "2026-11-28T021500Z", "2026-11-29T021500Z.new"):
        (tmp_path / "backups" / name).mkdir(parents=True)
    assert health.backup(tmp_path, 26, datetime(2026, 11, 29, 4, 14, tzinfo=UTC)) == "the newest is 2026-11-28T021500Z"
    with pytest.raises(StoreError, match="the newest, 2026-11-28T021500Z, is 27 hours old, expected at most 26"):
        health.backup(tmp_path, 26, datetime(2026, 11, 29, 5, 0, tzinfo=UTC))
    with pytest.raises(StoreError, match="holds no backup"):
        health.backup(tmp_path / "none", 26, datetime.now(UTC))


def test_a_disk_that_is_nearly_full_is_said(tmp_path: Path) -> None:
    assert health.disk(tmp_path, 0).endswith(f"GB left at {tmp_path}")
    with pytest.raises(StoreError, match="expected at least 1e"):
        health.disk(tmp_path, 1e9)


def test_a_server_that_does_not_answer_is_an_error() -> None:
    from tests.servers import free_port

    port = free_port()
    with pytest.raises(StoreError, match=f"^http://127.0.0.1:{port}/health does not answer: .*refused"):
        health.server({"MLFLOW_HOST": "0.0.0.0", "MLFLOW_PORT": str(port)})  # noqa: S104 - asked for on loopback


@pytest.mark.parametrize("port", ["five", "70000"])
def test_a_port_that_is_none_is_an_error(port: str) -> None:
    with pytest.raises(StoreError, match="does not answer: "):
        health.server({"MLFLOW_PORT": port})


def test_what_cannot_be_looked_at_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MLFLOW_BACKEND_STORE_URI", raising=False)
    assert health.main([]) == 2
    assert capsys.readouterr().err.startswith("error: MLFLOW_BACKEND_STORE_URI is not set")
