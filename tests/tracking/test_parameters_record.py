"""The parameters of a run are kept whole, however long they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from steps.errors import UserError
from steps.parameters import Value
from steps.report import evaluations
from steps.reproduce import recorded
from steps.tracking import parameters_record, record, reuse
from steps.tracking.reuse import IDENTITY_TAG, Identity
from steps.tracking.session import step_run

NAMES = ",".join(f"S{number:04}-of-the-pilot" for number in range(1500))


def trained(subjects: str = NAMES, seed: int = 3) -> Run:
    parameters = {"subjects": subjects, "epochs": 3, "seed": seed, "cwd": "/x"}
    with step_run("train", parameters) as run:
        record.log(run, tags=Identity.of("train", parameters, "in").tags())
    return MlflowClient().get_run(run.info.run_id)


def test_fifteen_hundred_names_come_back_whole(store: Path) -> None:
    run = trained()
    assert recorded.parameters_of(run) == {"subjects": NAMES, "epochs": 3, "seed": 3, "cwd": "/x"}
    assert parameters_record.TAG not in run.data.tags, "it would not be whole"
    assert run.data.params["subjects"].endswith(f"… (cut: {len(NAMES)} characters)"), "the copy to look at says so"
    assert len(run.data.params["subjects"]) == parameters_record.LONGEST_PARAM
    file = MlflowClient().download_artifacts(run.info.run_id, parameters_record.FILE)
    assert json.loads(Path(file).read_text())["subjects"] == NAMES


def test_an_identity_too_long_for_a_tag_still_says_what_differs(store: Path) -> None:
    run = trained()
    assert json.loads(run.data.tags[IDENTITY_TAG])["shortened"] == ["subjects"]
    assert run.data.tags[reuse.KEY_TAG] == Identity.of("train", {"subjects": NAMES, "epochs": 3, "seed": 3}, "in").key
    experiment_id = run.info.experiment_id

    def why(subjects: str, seed: int) -> str:
        return reuse.find(Identity.of("train", {"subjects": subjects, "epochs": 3, "seed": seed}, "in"), experiment_id)[
            1
        ]

    assert why(NAMES, 4) == "seed was 3, is 4"
    other = why(NAMES + ",S9999", 3)
    assert other.startswith("subjects was 'S0000-of-the-pilot,")
    assert len(other) < 500
    assert len(evaluations.training_parameters(run)["subjects"]) < 200


def file_of(run: Run) -> Path:
    return Path(run.info.artifact_uri.removeprefix("file://"), parameters_record.FILE)


def test_a_study_whose_record_was_cut_is_refused_not_guessed(store: Path) -> None:
    """Subjects would silently become all subjects."""
    run = trained("S1,S2")
    file_of(run).write_text(file_of(run).read_text()[:40])
    with pytest.raises(UserError, match=rf"parameters.json of train run {run.info.run_id} is damaged: Invalid JSON"):
        recorded.parameters_of(run)
    file_of(run).unlink()
    with pytest.raises(UserError, match=rf"train run {run.info.run_id} holds no parameters.json that can be read"):
        recorded.parameters_of(run)


@pytest.mark.parametrize("text", ['{"epochs": "many"}', '{"epochs": -1}'])
def test_parameters_of_wrong_types_are_one_line(store: Path, text: str) -> None:
    run = trained("S1,S2")
    file_of(run).write_text(text)
    with pytest.raises(UserError, match=r"record of the parameters of train run .* is damaged"):
        recorded.parameters_of(run)


def test_long_tags_and_notes_say_that_they_were_cut(store: Path) -> None:
    with step_run("prepare", {}) as run:
        record.log(run, tags={"long": "x" * 9000})
        record.describe(run.info.run_id, "y" * 9000)
    tags = MlflowClient().get_run(run.info.run_id).data.tags
    for name in ("long", "mlflow.note.content"):
        assert tags[name].endswith("… (cut: 9000 characters)")
        assert len(tags[name]) == parameters_record.LONGEST_TAG


def test_a_password_that_occurs_in_a_path_or_a_number_changes_neither(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "1234")
    given = {"source": "/data/1234-study/rec.csv", "seed": 1234, "cwd": "/x"}
    with step_run("prepare", given) as run:
        pass
    assert parameters_record.load(MlflowClient().get_run(run.info.run_id)) == given
    text = MlflowClient().download_artifacts(run.info.run_id, parameters_record.FILE)
    assert json.loads(Path(text).read_text()) == given


def test_what_was_recorded_under_older_names_is_read_under_those_of_today(store: Path) -> None:
    before: dict[str, Value] = {"steps": 16, "baseline": "control", "baseline_trials": 8, "target": 0, "seed": 3}
    now = {"attribution_steps": 16, "attribution_baseline": "control", "attribution_baseline_trials": 8}
    with step_run("attribute", before) as run:
        pass
    assert recorded.parameters_of(MlflowClient().get_run(run.info.run_id)) == now | {"target": 0, "seed": 3}


def test_a_parameter_that_was_renamed_is_no_difference_between_runs(store: Path) -> None:
    same = Identity.of("attribute", {"attribution_steps": 16, "target": 0}, "in")
    with step_run("attribute", {}) as run:
        older = Identity("attribute", {"steps": 16, "target": 1}, same.code, "in")
        record.log(run, tags=older.tags())
    _, why = reuse.find(same, run.info.experiment_id)
    assert why == "target was 1, is 0"
