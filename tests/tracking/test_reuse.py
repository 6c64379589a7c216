"""Is there a finished run that did exactly this already?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run, RunData, RunInfo, RunTag

from steps.tracking import record, reuse
from steps.tracking.reuse import Identity
from steps.tracking.session import step_run

SUMMARY = {"counts": {}, "thresholds": [0.5], "intervals": {"confidence": 0.95}, "pooled": {}, "subject": {}}
AUDIT = {
    "checks": 3, "findings": 0, "alpha": 0.05, "permutations": 10, "within_people": False, "shortcuts": [],
    "same_for_all": [], "names": [], "both_groups": [],
}  # fmt: skip
EVALUATION = {
    "results.csv": "subject,trial,label,test_number,probability\nS1,01,1,1,0.5\n",
    "subjects.csv": "subject,label,trials,probability\nS1,1,1,0.5\n",
    "summary.json": json.dumps(SUMMARY),
    "audit.json": json.dumps(AUDIT),
    "in_fold_thresholds.csv": "subject,test_number,fold,threshold,youden_j\nS1,1,S1,0.5,\n",
}
PARAMETERS = {"train_run_id": "abc", "thresholds": "0.5", "seed": 0, "cwd": "."}


def evaluated(parameters: dict[str, object] = PARAMETERS, inputs: str = "in") -> tuple[str, str]:
    with step_run("evaluate", {}) as run:
        run_id = run.info.run_id
        record.log(run_id, tags=Identity.of("evaluate", parameters, inputs).tags())
        for name in EVALUATION:
            MlflowClient().log_text(run_id, EVALUATION[name], name)
    return str(run_id), str(run.info.experiment_id)


def test_numbers_count_by_value_and_locations_do_not_count() -> None:
    spelled = PARAMETERS | {"seed": "0", "cwd": "/elsewhere", "train_run_id": "other"}
    assert Identity.of("evaluate", spelled, "in").key == Identity.of("evaluate", PARAMETERS, "in").key
    for change in ({"seed": 1}, {"thresholds": "0.4"}):
        assert Identity.of("evaluate", PARAMETERS | change, "in").key != Identity.of("evaluate", PARAMETERS, "in").key
    assert Identity.of("evaluate", PARAMETERS, "other").key != Identity.of("evaluate", PARAMETERS, "in").key
    assert Identity.of("attribute", PARAMETERS, "in").key != Identity.of("evaluate", PARAMETERS, "in").key


def test_a_hit_is_the_newest_equal_run(store: Path) -> None:
    evaluated()
    run_id, experiment_id = evaluated()
    reusable, reason = reuse.find(Identity.of("evaluate", PARAMETERS, "in"), experiment_id)
    assert reusable is not None
    assert reusable.info.run_id == run_id
    assert reason == "same parameters, code and inputs"


@pytest.mark.parametrize(
    ("parameters", "inputs", "reason"),
    [
        (PARAMETERS | {"thresholds": "0.4"}, "in", "thresholds was '0.5', is '0.4'"),
        (PARAMETERS | {"seed": 3}, "in", "seed was 0, is 3"),
        (PARAMETERS, "else", "the training is another one"),
    ],
)
def test_a_miss_says_why(store: Path, parameters: dict[str, object], inputs: str, reason: str) -> None:
    _, experiment_id = evaluated()
    assert reuse.find(Identity.of("evaluate", parameters, inputs), experiment_id) == (None, reason)


def test_changed_recordings_are_called_by_their_name() -> None:
    before = Identity.of("prepare", {"source": "a.csv"}, "in")
    tags = [RunTag(key, value) for key, value in before.tags().items()]
    last = Run(RunInfo("0" * 32, "1", "u", "FINISHED", 0, 1, "active"), RunData(tags=tags))
    now = Identity.of("prepare", {"source": "b.csv"}, "else")
    assert reuse._difference(now, last, "b.csv") == "the recordings in 'b.csv' have changed"


def test_never_run_before(store: Path) -> None:
    _, experiment_id = evaluated()
    assert reuse.find(Identity.of("attribute", {}, "in"), experiment_id) == (None, "never run before")


def test_changed_code_is_a_miss(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, experiment_id = evaluated()
    monkeypatch.setattr(reuse, "code_hash", lambda: "changed")
    assert reuse.find(Identity.of("evaluate", PARAMETERS, "in"), experiment_id) == (
        None,
        "the code or the environment has changed",
    )


def test_a_run_that_lost_an_artifact_is_a_miss(store: Path) -> None:
    run_id, experiment_id = evaluated()
    artifacts = MlflowClient().get_run(run_id).info.artifact_uri
    Path(artifacts.removeprefix("file://"), "subjects.csv").unlink()
    reusable, reason = reuse.find(Identity.of("evaluate", PARAMETERS, "in"), experiment_id)
    assert reusable is None
    assert reason == f"run {run_id} matches, but its subjects.csv is gone"


def test_a_run_that_failed_is_a_miss(store: Path) -> None:
    run_id, experiment_id = evaluated()
    MlflowClient().set_terminated(run_id, "FAILED")
    assert reuse.find(Identity.of("evaluate", PARAMETERS, "in"), experiment_id)[0] is None
