"""What runs recorded is read as typed values, or blamed on the file and the run in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from steps.errors import UserError
from steps.parameters import STEPS
from steps.report import evaluations
from steps.reproduce import recorded
from steps.tracking import documents, lookup, products, record, reuse
from steps.tracking.documents import DamagedError
from steps.tracking.reuse import IDENTITY_TAG, Identity
from steps.tracking.session import step_run
from tests.tracking.helpers import fold_run
from tests.tracking.test_reuse import EVALUATION, PARAMETERS, evaluated

SPLIT = '{"training": ["S1"], "validation": ["S2"], "test": ["S3"]}'
HISTORY = "epoch,loss,accuracy,val_loss,val_accuracy\n1,0.7,0.5,0.6,0.5\n2,0.6,0.5,0.5,0.5\n"


def holding(files: dict[str, str], kind: str = "evaluate", **tags: str) -> Run:
    with step_run(kind, {}) as run:
        record.log(run.info.run_id, tags=tags)
        for name, text in files.items():
            MlflowClient().log_text(run.info.run_id, text, name)
    return MlflowClient().get_run(run.info.run_id)


def place(run: Run, name: str) -> Path:
    return Path(run.info.artifact_uri.removeprefix("file://"), name)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SPLIT[:20], "Invalid JSON: EOF while parsing"),
        ("", "Invalid JSON: EOF while parsing"),
        ("[]", "should be an object"),
        ("null", "should be an object"),
        ('{"training": [], "validation": []}', "'test': Field required"),
        (SPLIT.replace('["S3"]', '"S3"'), "'test': Input should be a valid array, found 'S3'"),
        (SPLIT.replace('"S3"', "3"), "'test.0': Input should be a valid string, found 3"),
        ("[" * 100_000, "recursion limit"),
    ],
)
def test_json_of_wrong_types_is_blamed_on_file_and_run(store: Path, text: str, reason: str) -> None:
    run = holding({"split.json": SPLIT}, kind="fold")
    assert documents.json_of(run, "split.json", documents.Split) == json.loads(SPLIT)
    MlflowClient().log_text(run.info.run_id, text, "split.json")
    with pytest.raises(DamagedError) as raised:
        documents.json_of(run, "split.json", documents.Split)
    message = str(raised.value)
    assert message.startswith(f"split.json of fold run {run.info.run_id} is damaged: ")
    assert reason in message
    assert "-m steps.train" in message
    assert len(message) < 700


def test_a_file_that_is_gone_or_no_text_is_blamed_too(store: Path) -> None:
    run = holding({"split.json": SPLIT}, kind="fold")
    place(run, "split.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DamagedError, match=rf"split\.json of fold run {run.info.run_id} is damaged: it is not UTF-8"):
        documents.json_of(run, "split.json", documents.Split)
    place(run, "split.json").unlink()
    with pytest.raises(DamagedError, match=rf"fold run {run.info.run_id} holds no split\.json that can be read"):
        documents.json_of(run, "split.json", documents.Split)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "cut off in line 1"),
        ("\n", "No columns to parse"),
        (HISTORY[:-1], "cut off in line 3"),
        ("epoch,accuracy\n1,0.7\n", "column 'loss' is missing"),
        (HISTORY.replace("0.6,0.5,0.5,0.5\n", "0.6,0.5\n"), "row 3, column val_loss: '' is not a number"),
        (HISTORY.replace("0.7", "seven"), "row 2, column loss: 'seven' is not a number"),
        (HISTORY.replace("0.7", ""), "row 2, column loss: '' is not a number"),
        (HISTORY.replace("1,0.7", "1,2,3,0.7"), "Error tokenizing data|is not a number|cut off"),
        ("\0" * 300 + "\n", "column 'epoch' is missing|No columns"),
    ],
)
def test_a_damaged_table_is_blamed_on_row_and_column(store: Path, text: str, reason: str) -> None:
    with step_run("train", {}) as train:
        fold_run(train, "S1")
        record.log(train, metrics={"folds": 1})
    (fold,) = lookup.fold_runs(train.info.run_id)
    MlflowClient().log_text(fold.run_id, HISTORY, "history.csv")
    assert lookup.load_history(fold)["val_loss"].tolist() == [0.6, 0.5]
    MlflowClient().log_text(fold.run_id, text, "history.csv")
    with pytest.raises(UserError, match=rf"history\.csv of fold run {fold.run_id} is damaged: .*({reason})"):
        lookup.load_history(fold)


def test_names_that_look_like_numbers_or_nothing_stay_names(store: Path) -> None:
    run = holding({"results.csv": EVALUATION["results.csv"] + "NA,,1,1,0.25\n"})
    table = documents.table_of(run, "results.csv", STEPS["evaluate"].tables["results.csv"])
    assert table["subject"].tolist() == ["S1", "NA"]
    assert table["trial"].tolist() == ["01", ""]


@pytest.mark.parametrize("text", ['{"parameters": {"seed": 0}, "code": "', "[]", '{"parameters": []}', "x" * 7000])
def test_a_damaged_or_foreign_tag_never_stops_reuse(store: Path, text: str) -> None:
    run_id, experiment_id = evaluated()
    MlflowClient().set_tag(run_id, IDENTITY_TAG, text)
    other = Identity.of("evaluate", PARAMETERS | {"seed": 5}, "in")
    assert reuse.find(other, experiment_id) == (None, f"tag reuse_identity of the last run, {run_id}, is damaged")
    run = MlflowClient().get_run(run_id)
    assert evaluations.training_parameters(run) == {}
    reusable, _ = reuse.find(Identity.of("evaluate", PARAMETERS, "in"), experiment_id)
    assert reusable is not None, "its key, which is what counts, is whole"


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("summary.json", '{"counts": ', "summary.json of evaluate run {} is damaged: Invalid JSON"),
        ("summary.json", '{"counts": 3}', "summary.json of evaluate run {} is damaged: 'counts': "),
        ("audit.json", '{"checks": "3"}', "audit.json of evaluate run {} is damaged: 'checks': "),
        ("results.csv", EVALUATION["results.csv"][:-9], "results.csv of evaluate run {} is damaged"),
        ("in_fold_thresholds.csv", "x\n", "in_fold_thresholds.csv of evaluate run {} is damaged: column 'subject'"),
    ],
)
def test_a_run_whose_files_are_damaged_is_not_reused(store: Path, name: str, text: str, reason: str) -> None:
    run_id, experiment_id = evaluated()
    MlflowClient().log_text(run_id, text, name)
    reusable, why = reuse.find(Identity.of("evaluate", PARAMETERS, "in"), experiment_id)
    assert reusable is None
    assert why.startswith(f"run {run_id} matches, but {reason.format(run_id)}")


def test_a_training_with_a_damaged_split_or_history_is_not_reused(store: Path) -> None:
    identity = Identity.of("train", {"seed": 1}, "in")
    tags = {"dataset_uri": "u", "dataset_digest": "d", "final_model_run_id": "r", "final_model_uri": "m"}
    runtime = dict.fromkeys(documents.Runtime.model_fields, 1.0)
    with step_run("train", {}) as train:
        fold_id = fold_run(train, "S1")
        record.log(train, tags={**identity.tags(), **tags}, metrics={"folds": 1})
        record.log_files(train.info.run_id, {"runtime.json": runtime})
        MlflowClient().log_text(fold_id, HISTORY, "history.csv")
    experiment_id = train.info.experiment_id
    assert "the model of its fear_S1_1 is gone" in reuse.find(identity, experiment_id)[1], "all else is whole"
    place(MlflowClient().get_run(fold_id), "history.csv").write_text(HISTORY[:-10])
    assert (
        f"history.csv of fold run {fold_id} is damaged: it is cut off in line 3"
        in reuse.find(identity, experiment_id)[1]
    )
    place(MlflowClient().get_run(fold_id), "split.json").unlink()
    assert f"fold run {fold_id} holds no split.json" in reuse.find(identity, experiment_id)[1]
    MlflowClient().delete_tag(train.info.run_id, "dataset_digest")
    assert "tag dataset_digest of train run" in reuse.find(identity, experiment_id)[1]


def test_a_damaged_manifest_is_one_line(store: Path) -> None:
    run = holding({"dataset/dataset.json": '{"digest": 3'}, kind="prepare", dataset_uri="u", dataset_digest="d")
    with pytest.raises(UserError, match=rf"dataset/dataset\.json of prepare run {run.info.run_id} is damaged"):
        products.check(run, "prepare")


def test_a_fold_whose_tags_are_damaged_is_one_line(store: Path) -> None:
    with step_run("train", {}) as train:
        fold_id = fold_run(train, "S1")
        MlflowClient().set_tag(fold_id, "test_number", "two")
    with pytest.raises(UserError, match=rf"tag test_number of fold run {fold_id} is damaged: found 'two'"):
        lookup.fold_runs(train.info.run_id)


def test_what_reproduce_compares_is_blamed_when_damaged(store: Path) -> None:
    for name, text in (("summary.json", "{"), ("results.csv", "")):
        with pytest.raises(UserError, match=rf"{name} of evaluate run [0-9a-f]+ is damaged"):
            recorded.evidence(holding({name: text}))
