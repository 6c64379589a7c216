"""Tries as runs: written once, found again after an interruption, without gaps."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from mlflow import MlflowClient

from steps.core.data.tried import State, Tried, Value
from steps.tracking import left_running, lookup, record
from steps.tracking.search_recorder import SearchRecorder, interrupted_searches
from steps.tracking.session import step_run

KEY = {"reuse_key": "k"}


def tried(number: int, state: State = "finished") -> Tried:
    settings: dict[str, Value] = {"model": "cnn", "learning_rate": 0.1 / (number + 3), "epochs": 20 + number}
    values = () if state == "failed" else (0.1 / 3, 0.2 + number * 1e-17)
    reason = "the loss left the finite numbers" if state == "failed" else ""
    return Tried(number, settings, dict(settings), values, state, 1.5, reason)


def interrupted(tries: dict[str, list[Tried]]) -> str:
    """A run of `tune` that ends early with these tries recorded; its ID."""
    with suppress(InterruptedError), step_run("tune", {}) as run:
        record.log(run.info.run_id, tags=KEY)
        with SearchRecorder(run, {"model": "cnn"}) as recorder:
            for fold, done in tries.items():
                for one in done:
                    assert recorder.record(fold, one)
                    assert not recorder.record(fold, one)
        raise InterruptedError
    return str(run.info.run_id)


def test_tries_are_taken_over_as_they_were_up_to_the_first_gap(store: Path) -> None:
    first = [tried(0), tried(1, "failed"), tried(2, "stopped"), tried(4)]
    interrupted({"S01": first, "all": [tried(1)]})
    second = interrupted({"S02": [tried(0)]})
    client = MlflowClient()
    with step_run("tune", {}) as run:
        record.log(run.info.run_id, tags=KEY)
        taken = interrupted_searches(run, "k")
        assert {fold: [one.tried for one in own] for fold, own in taken.items() if own} == {
            "S01": first[:3],
            "S02": [tried(0)],
        }
        assert interrupted_searches(run, "another") == {}
        with SearchRecorder(run, {}) as recorder:
            for fold, own in taken.items():
                recorder.take_over(fold, own)
            assert not recorder.record("S01", tried(2))
            assert recorder.record("S01", tried(3))
            recorder.end("S01", tried(0).settings, {"inner_brier": 0.2})
    (search,) = [one for one in lookup.children(run) if one.data.tags["fold"] == "S01"]
    assert search.info.status == "FINISHED"
    assert search.data.metrics["inner_brier"] == 0.2
    runs = {int(one.info.run_name.split()[-1]): one for one in lookup.children(search)}
    assert sorted(runs) == [0, 1, 2, 3]
    assert [runs[number].info.status for number in range(4)] == ["FINISHED", "FAILED", "FINISHED", "FINISHED"]
    assert runs[3].data.params == {"model": "cnn", "learning_rate": str(0.1 / 6), "epochs": "23"}
    steps = client.get_metric_history(runs[3].info.run_id, "inner_brier")
    assert [(point.step, point.value) for point in steps] == list(enumerate(tried(3).values, start=1))
    assert client.get_run(second).data.tags["resumed_by"] == run.info.run_id


def test_a_try_that_was_not_written_to_its_end_is_tried_again(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = interrupted({"S01": [tried(0), tried(1), tried(2)]})
    client = MlflowClient()
    (search,) = lookup.children(client.get_run(run_id))
    runs = {int(one.info.run_name.split()[-1]): one.info.run_id for one in lookup.children(search)}
    client.update_run(runs[1], "RUNNING")
    client.update_run(run_id, "RUNNING")
    with step_run("tune", {}) as run:
        assert interrupted_searches(run, "k") == {}, "somebody may still be at it"
        monkeypatch.setattr(left_running, "is_gone", lambda _tags: True)
        taken = interrupted_searches(run, "k")
    assert [one.tried.number for one in taken["S01"]] == [0]
    assert client.get_run(runs[1]).info.status == "FAILED"


def test_a_damaged_try_is_tried_again(store: Path) -> None:
    run_id = interrupted({"S01": [tried(0), tried(1)]})
    client = MlflowClient()
    (search,) = lookup.children(client.get_run(run_id))
    for one in lookup.children(search):
        if one.info.run_name.endswith("0"):
            client.set_tag(one.info.run_id, "tried", one.data.tags["tried"][:-9])
    with step_run("tune", {}) as run:
        assert interrupted_searches(run, "k") == {"S01": ()}
