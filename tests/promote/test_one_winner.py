"""Two real processes at once, and one that is killed in between."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from steps.errors import UserError
from steps.tracking import promotion, promotion_lock
from tests.conftest import ROOT, clean_environment
from tests.promote.racer import entry
from tests.servers import mlflow_server

ROUNDS = int(os.environ.get("RACE_ROUNDS", "6"))


def registered(name: str) -> None:
    client = MlflowClient()
    if not client.search_runs(["0"], max_results=1):
        client.create_run("0")
    (run,) = client.search_runs(["0"], max_results=1)
    client.create_registered_model(name)
    for _ in range(2):
        client.create_model_version(name, f"{run.info.artifact_uri}/model", run_id=run.info.run_id)


def champion(name: str) -> str:
    return str(MlflowClient().get_registered_model(name).aliases.get("champion", ""))


def process(store: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = clean_environment(os.environ["MLFLOW_TRACKING_URI"]) | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.promote.racer", *arguments]
    return subprocess.Popen(
        command, cwd=store, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def race(store: Path) -> None:
    """Two processes at once, again and again, in the store in use; at last each is killed before it moves an alias."""
    names = [f"m{number}" for number in range(ROUNDS)]
    for name in (*names, "killed1", "killed2"):
        registered(name)
    racers = [process(store, version, str(ROUNDS)) for version in ("1", "2")]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    start = f"{time.time() + 0.3}\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write(start)
        racer.stdin.flush()
    said = [racer.communicate(timeout=120)[0].splitlines() for racer in racers]
    for number, (one, other) in enumerate(zip(*said, strict=True)):
        assert [one, other].count("won") == 1, (one, other)
        assert "nothing was changed" in next(line for line in (one, other) if line != "won")
        winner = "1" if one == "won" else "2"
        assert champion(f"m{number}") == winner
        assert [each.version for each in promotion.trail(f"m{number}").entries] == [winner]
    assert [racer.returncode for racer in racers] == [-9, -9]
    every = {model.name for model in MlflowClient().search_registered_models()}
    locks = {"killed1.promoting", "killed2.promoting"}
    assert every == {*names, "killed1", "killed2", *locks}, "no lock is left but those of killed processes"
    trail = promotion.trail("killed1")
    assert trail.champion == "", "no alias without an entry"
    assert trail.broken_off == trail.entries[-1] == entry("1", "c" * 32)
    promotion.appoint("killed1", entry("2", "d" * 32))
    assert champion("killed1") == "2"
    assert "killed1.promoting" not in {model.name for model in MlflowClient().search_registered_models()}


def test_of_two_processes_at_once_exactly_one_wins_and_a_killed_one_is_in_nobodys_way(store: Path) -> None:
    race(store)


@pytest.mark.slow
def test_of_two_processes_at_once_exactly_one_wins_on_a_server(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mlflow_server(tmp_path / "server") as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
        race(store)


def test_the_lock_of_a_process_of_another_machine_holds_for_its_time(store: Path) -> None:
    registered("m")
    client = MlflowClient()
    held = {"host": "elsewhere", "pid": "7", "by": "Ada", "until": f"{time.time() + 60:.0f}"}
    client.create_registered_model("m.promoting", tags=held)
    with pytest.raises(UserError, match=r"is being made by Ada \(process 7 on elsewhere\) at this moment: nothing was"):
        promotion.appoint("m", entry("1", "a" * 32))
    client.create_registered_model("m.promoting.2", tags=held)
    client.set_registered_model_tag("m.promoting", "until", "1")
    with pytest.raises(UserError, match="by Ada"):  # the second one is held
        promotion.appoint("m", entry("1", "a" * 32))
    client.delete_registered_model("m.promoting")
    with pytest.raises(UserError, match="by Ada"):  # whoever has made the first sees the second
        promotion.appoint("m", entry("1", "a" * 32))
    assert champion("m") == ""
    client.set_registered_model_tag("m.promoting.2", "until", "1")
    promotion.appoint("m", entry("1", "a" * 32))
    assert {model.name for model in client.search_registered_models()} == {"m"}


def test_who_is_too_slow_moves_nothing(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registered("m")
    monkeypatch.setattr(promotion_lock, "_LEASE_S", 0.0)
    with pytest.raises(UserError, match="too slow"):
        promotion.appoint("m", entry("1", "a" * 32))
    assert champion("m") == ""


def test_a_champion_of_meanwhile_is_not_replaced_and_no_entry_is_written_twice(store: Path) -> None:
    registered("m")
    promotion.appoint("m", entry("1", "a" * 32))
    with pytest.raises(UserError, match="is version 1 by now, it was none when this began: nothing was changed"):
        promotion.appoint("m", entry("2", "b" * 32))
    with pytest.raises(UserError, match="has the entry promotion/"):
        promotion.note("m", entry("1", "a" * 32))
