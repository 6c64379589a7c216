"""The whole project as its users run it: real `mlflow run`, real store, real processes."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from steps.core.models.heads import PENALTIES
from tests.conftest import ROOT, mlflow_run, run_command, step, step_here

SMALL: dict[str, Any] = {
    "simulated_subjects": 5,
    "simulated_controls": 2,
    "simulated_trials_min": 3,
    "simulated_trials_max": 4,
    "simulated_features": 6,
    "timesteps": 21,
    "epochs": 3,
    "batch_size": 8,
}
CHAIN = ("prepare", "train", "evaluate", "attribute")
ATTRIBUTION_TABLES = (
    "feature_importance", "attribution_map", "attribution_map_signed", "cell_importance", "time_importance",
    "importance_by_outcome", "rank_stability", "class_trajectories", "deletion_insertion", "randomisation",
    "planted_truth", "completeness",
)  # fmt: skip


@dataclass(frozen=True)
class Study:
    """A folder in which the small study was run, and its store."""

    folder: Path
    output: str

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(f"sqlite:///{self.folder / 'mlflow.db'}")

    def runs(self, filter_string: str = "", experiment: str = "Fear_Classification_Experiments") -> list[Run]:
        described = self.client.get_experiment_by_name(experiment)
        return list(
            self.client.search_runs([described.experiment_id], filter_string, order_by=["attributes.start_time ASC"])
        )

    def of(self, entry_point: str) -> list[Run]:
        return self.runs(f"tags.entry_point = '{entry_point}'")

    def artifacts(self, run: Run) -> set[str]:
        return {item.path for item in self.client.list_artifacts(run.info.run_id)}

    def text(self, run: Run, name: str) -> str:
        return Path(self.client.download_artifacts(run.info.run_id, name)).read_text()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A bare `mlflow run` of the default entry point, small, with MLflow's default store.

    Tests that look at a step alone run it in their own process (`step_here`): how `mlflow run` and the driver start
    processes is tested here and in `test_server`.
    """
    folder = tmp_path_factory.mktemp("study")
    done = mlflow_run(cwd=folder, **SMALL)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return Study(folder, done.stdout)


def test_steps_are_nested_under_the_driver_and_folds_under_train(study: Study) -> None:
    (main,) = study.of("main")
    assert main.info.status == "FINISHED"
    assert "mlflow.parentRunId" not in main.data.tags
    for entry_point in CHAIN:
        (run,) = study.of(entry_point)
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == main.info.run_id
        assert main.data.tags[f"{entry_point}_run_id"] == run.info.run_id
    folds = study.of("fold")
    assert [fold.data.tags["mlflow.parentRunId"] for fold in folds] == [study.of("train")[0].info.run_id] * 5
    assert {fold.info.run_name for fold in folds} == {f"fear_{fold.data.tags['subject']}_1" for fold in folds}


def test_a_bare_run_leaves_one_pointer_in_default(study: Study) -> None:
    (pointer,) = study.runs(experiment="Default")
    assert pointer.data.tags["study_run_id"] == study.of("main")[0].info.run_id


def test_the_record_of_prepare(study: Study) -> None:
    (run,) = study.of("prepare")
    manifest = json.loads(study.text(run, "dataset/dataset.json"))
    assert run.data.tags["dataset_digest"] == manifest["digest"]
    assert run.data.metrics["trials"] == manifest["trials"] == sum(s["trials"] for s in manifest["subjects"])
    assert (run.data.metrics["subjects"], run.data.metrics["control_subjects"]) == (5, 2)
    assert manifest["planted_truth"]["windows"]
    assert run.inputs.dataset_inputs[0].dataset.digest == manifest["digest"][:32]


def test_the_record_of_a_fold_is_complete(study: Study) -> None:
    prepare, train = study.of("prepare")[0], study.of("train")[0]
    for fold in study.of("fold"):
        tags, params, metrics = fold.data.tags, fold.data.params, fold.data.metrics
        assert tags["test_number"] == "1"
        assert tags["label"] in {"fear", "no_fear"}
        assert tags["dataset_digest"] == train.data.tags["dataset_digest"] == prepare.data.tags["dataset_digest"]
        assert params["epochs"] == "3"
        assert {"batch_size", "learning_rate", "seed", "timesteps", "features", "training_trials_positive"} <= set(
            params
        )
        for name in ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"):
            points = study.client.get_metric_history(fold.info.run_id, name)
            assert [point.step for point in points] == list(range(1, len(PENALTIES) + 1)), name
            if name in ("loss", "val_loss"):
                again = study.client.get_metric_history(fold.info.run_id, f"curves/{name}")
                assert [(p.step, p.value) for p in again] == [(p.step, p.value) for p in points], name
        assert metrics["epochs_trained"] == len(PENALTIES)
        assert metrics["best_val_loss"] == min(
            point.value for point in study.client.get_metric_history(fold.info.run_id, "val_loss")
        )
        assert metrics["training_time_s"] > 0
        assert {"test_loss", "inference_ms_per_trial"} <= set(metrics)
        assert "test_auc" not in metrics  # one subject, one class
        for threshold in ("0.5", "0.43", "0.35"):
            counts = [metrics[f"threshold_{threshold}/{cell}"] for cell in ("tn", "fp", "fn", "tp")]
            assert sum(counts) == int(params["test_trials_positive"]) + int(params["test_trials_negative"])
            assert metrics[f"threshold_{threshold}/accuracy"] == pytest.approx((counts[0] + counts[3]) / sum(counts))
        assert {"history.csv", "left_out.csv", "model_summary.txt", "split.json"} <= study.artifacts(fold)
        split = json.loads(study.text(fold, "split.json"))
        assert split["test"] == [tags["subject"]]
        assert not set(split["training"]) & set(split["validation"])


def test_results_hold_every_trial_once_and_only_patients(study: Study) -> None:
    (run,) = study.of("evaluate")
    rows = list(csv.DictReader(io.StringIO(study.text(run, "results.csv"))))
    manifest = json.loads(study.text(study.of("prepare")[0], "dataset/dataset.json"))
    patients = {entry["name"]: entry["trials"] for entry in manifest["subjects"] if entry["group"] == "patient"}
    assert len(rows) == sum(patients.values())
    assert len({(row["subject"], row["trial"]) for row in rows}) == len(rows)
    assert {row["subject"] for row in rows} == set(patients)
    for row in rows:
        for threshold in (0.5, 0.43, 0.35):
            assert int(row[f"prediction_{threshold}"]) == (float(row["probability"]) >= threshold)
    assert {"subjects.csv", "summary.json"} <= study.artifacts(run)
    assert len([name for name in study.artifacts(run) if name.endswith(".png")]) >= 4


def test_evaluate_leaves_what_printers_and_statisticians_need(study: Study) -> None:
    (run,) = study.of("evaluate")
    artifacts = study.artifacts(run)
    assert {"export.csv", "export.parquet", "codebook.csv", "in_fold_thresholds.csv", "decision_curve.csv"} <= artifacts
    pictures = {name.removesuffix(".png") for name in artifacts if name.endswith(".png")}
    assert {"roc", "precision_recall", "reliability", "threshold_sweep", "decision_curve", "subject_table"} <= pictures
    assert {f"{name}.svg" for name in pictures} <= artifacts
    rows = list(csv.DictReader(io.StringIO(study.text(run, "export.csv"))))
    assert len(rows) == 4 * (len(study.text(run, "results.csv").splitlines()) - 1)  # three thresholds, one of the fold
    book = list(csv.DictReader(io.StringIO(study.text(run, "codebook.csv"))))
    assert [row["variable"] for row in book] == list(rows[0])
    metrics = run.data.metrics
    assert 0 < metrics["subject/auc_p_value"] <= 1
    assert metrics["pooled/threshold_0.5/mcc_low"] <= metrics["pooled/threshold_0.5/mcc"]
    assert {"pooled/ece", "chance/subject/accuracy", "subject_vote/threshold_0.43/recall"} <= set(metrics)
    own = {row["subject"]: float(row["threshold"]) for row in rows if row["threshold_name"] == "threshold_in_fold"}
    for fold in study.of("fold"):
        assert fold.data.metrics["in_fold_threshold"] == own[fold.data.tags["subject"]]
        assert "threshold_in_fold/accuracy" in fold.data.metrics


def test_the_audit_is_on_the_first_screen_and_in_the_record(study: Study) -> None:
    (main,), (prepare,), (run,) = study.of("main"), study.of("prepare"), study.of("evaluate")
    document = json.loads(study.text(run, "audit.json"))
    assert run.data.metrics["audit_findings"] == prepare.data.metrics["audit_findings"] == document["findings"]
    assert document["shortcuts"] == [
        {**kind, "does_as_well": mine["does_as_well"]}
        for kind, mine in zip(
            json.loads(study.text(prepare, "audit.json"))["shortcuts"], document["shortcuts"], strict=True
        )
    ]
    assert "leak_check" not in document
    rows = list(csv.DictReader(io.StringIO(study.text(run, "audit.csv"))))
    assert len(rows) == sum(kind["looked_at"] for kind in document["shortcuts"])
    page = study.text(main, "report.html")
    assert f"({document['checks']} checks)" in page[: page.index("<nav")]
    assert '<section id="audit">' in page


def test_attribution_is_complete_and_covers_every_feature(study: Study) -> None:
    (run,) = study.of("attribute")
    importance = list(csv.DictReader(io.StringIO(study.text(run, "feature_importance.csv"))))
    assert len(importance) == 6
    assert [int(row["rank"]) for row in importance] == list(range(1, 7))
    assert {f"{name}.csv" for name in ATTRIBUTION_TABLES} <= study.artifacts(run)
    for name in ("attribution_map", "feature_importance", "time_importance", "deletion_insertion"):
        assert {f"{name}.png", f"{name}.svg"} <= study.artifacts(run)
    for name in ("deletion_area_cells", "insertion_area_cells", "randomised_correlation", "rank_tau_pairwise"):
        assert -1 <= run.data.metrics[name] <= 1
    assert run.data.metrics["check_completeness"] == 1
    trials = list(csv.DictReader(io.StringIO(study.text(run, "completeness.csv"))))
    assert len(trials) == len(study.text(study.of("evaluate")[0], "results.csv").splitlines()) - 1
    assert run.data.metrics["completeness_error_max"] == max(float(row["relative_error"]) for row in trials)
    assert run.data.metrics["completeness_error_max"] < 0.01


def test_the_drivers_page_shows_headlines_dataset_and_model(study: Study) -> None:
    (main,), (run,) = study.of("main"), study.of("evaluate")
    assert len(main.data.metrics) <= 30
    assert {name: value for name, value in main.data.metrics.items() if name in run.data.metrics} == {
        name: value for name, value in main.data.metrics.items() if not name.endswith("_wall_s")
    }
    assert {"pooled/auc", "subject/auc", "subject/auc_low", "subject/auc_p_value", "subject/brier"} <= set(
        main.data.metrics
    )
    assert main.info.run_name == "fear: simulated, soft_multirocket, loso"
    (output,) = main.outputs.model_outputs
    (version,) = study.client.search_model_versions("name = 'fear-classifier'")
    assert output.model_id in version.source
    for step_run in (main, run, *study.of("attribute")):
        (used,) = step_run.inputs.dataset_inputs
        assert used.dataset.digest == run.data.tags["dataset_digest"][:32]
    for step_run in (run, *study.of("attribute")):
        whole = study.client.get_run(step_run.info.run_id)  # searching leaves a run's models out
        assert [model.model_id for model in whole.inputs.model_inputs] == [output.model_id]
    for step_run in (main, *(one for name in CHAIN for one in study.of(name))):
        assert step_run.data.tags["mlflow.note.content"]


def test_the_terminal_shows_the_answer_in_few_lines(study: Study) -> None:
    lines = study.output.splitlines()
    assert len(lines) <= 60
    assert max(len(line.replace(str(study.folder), "study")) for line in lines) <= 120
    assert not [line for line in lines if "absl" in line or "oneDNN" in line or "Running command" in line]
    names = [line.split(" ", 1)[0] for line in lines[-12:] if not line.startswith(" ")]
    assert names[-6:] == ["Answer", "Simpler", "Data", "Model", "Report", "MLflow"]
    report = next(line for line in lines if line.startswith("Report")).removeprefix("Report").strip()
    assert Path(report).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert "?workflowType=machine_learning" in lines[-1]


def test_baselines_stand_beside_the_network_on_the_same_trials(study: Study) -> None:
    (main,), (run,) = study.of("main"), study.of("evaluate")
    rows = list(csv.DictReader(io.StringIO(study.text(run, "results.csv"))))
    baselines = list(csv.DictReader(io.StringIO(study.text(run, "baselines.csv"))))
    tested = [(row["subject"], row["trial"], row["label"]) for row in rows]
    for method in ("majority", "logistic"):
        assert [(row["subject"], row["trial"], row["label"]) for row in baselines if row["method"] == method] == tested
        value = run.data.metrics[f"baseline_{method}/subject/auc"]
        difference = run.data.metrics[f"baseline_{method}/network_minus/subject/auc"]
        assert run.data.metrics["subject/auc"] - value == pytest.approx(difference)
    assert "Beside simpler methods" in study.output
    assert "logistic regression" in study.text(main, "report.md")


def test_the_driver_shows_the_results_and_where_they_are(study: Study) -> None:
    (main,) = study.of("main")
    (evaluate,) = study.of("evaluate")
    assert main.data.metrics["pooled/auc"] == evaluate.data.metrics["pooled/auc"]
    summary = json.loads(study.text(evaluate, "summary.json"))
    page, markdown = study.text(main, "report.html"), study.text(main, "report.md")
    for text in (page, markdown, main.data.tags["mlflow.note.content"]):
        assert f"{summary['subject']['auc']['value']:.3f} [" in text
    assert "epochs=3" in markdown
    first, own = (run.data.tags["mlflow.note.content"].splitlines()[0] for run in (main, evaluate))
    assert own == first, "the answer first"
    drawn = [name for step in (evaluate, study.of("attribute")[0]) for name in study.artifacts(step)]
    assert page.count("<img ") == sum(name.endswith(".png") for name in drawn) - 1, "the subjects are a table there"
    assert f"cd {study.folder} && mlflow ui" in study.output
    for entry_point in CHAIN:
        assert study.of(entry_point)[0].info.run_id in study.output


def test_the_model_for_new_people_is_registered_with_its_evidence(study: Study) -> None:
    (refit,) = study.of("final_model")
    version = study.client.get_model_version_by_alias("fear-classifier", "challenger")
    assert version.run_id == refit.info.run_id
    assert version.tags["train_run_id"] == study.of("train")[0].info.run_id
    assert version.tags["dataset_digest"] == study.of("prepare")[0].data.tags["dataset_digest"]
    assert float(version.tags["pooled/auc"]) == pytest.approx(study.of("main")[0].data.metrics["pooled/auc"], rel=1e-5)
    assert 1000 < len(version.description) <= 5000  # what PostgreSQL holds
    split = json.loads(study.text(refit, "split.json"))
    assert (len(split["training"]), split["validation"], split["test"]) == (5, [], [])
    assert "epochs_trained" in refit.data.metrics


def test_every_run_says_what_it_was_computed_with(study: Study) -> None:
    for entry_point in ("main", *CHAIN, "fold", "final_model"):
        for run in study.of(entry_point):
            assert {"code_sha256", "python", "os", "cpu", "version.tensorflow"} <= set(run.data.tags), entry_point
    packages = json.loads(study.text(study.of("train")[0], "packages.json"))
    assert packages["mlflow"] == "3.17.2"


def test_a_second_study_reuses_every_step_and_says_so(study: Study) -> None:
    before = len(study.runs())
    again = step_here("main", study.folder, **SMALL)
    assert again.exit_code == 0, again.stderr[-3000:]
    for entry_point in CHAIN:
        run_id = study.of(entry_point)[0].info.run_id
        assert f"{entry_point}: reused run {run_id} (same parameters, code and inputs)" in again.stdout
    assert len(study.runs()) == before + 1
    assert len(study.client.search_model_versions("name = 'fear-classifier'")) == 1
    newest = study.of("main")[-1]
    assert newest.data.metrics["pooled/auc"] == study.of("main")[0].data.metrics["pooled/auc"]


def test_the_filters_of_the_readme_find_what_they_say(study: Study) -> None:
    filters = re.findall(r'^find\("(.*)"\)', (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(filters) == 5
    selections = [study.runs(filter_string) for filter_string in filters]
    folds = study.of("fold")
    assert [run.info.run_name for run in selections[0]] == ["fear_S01_1"]
    wrong = [fold.info.run_id for fold in folds if fold.data.metrics["threshold_0.5/accuracy"] < 0.5]
    assert [run.info.run_id for run in selections[1]] == wrong
    afraid = [fold.info.run_id for fold in folds if fold.data.tags["label"] == "fear"]
    assert [run.info.run_id for run in selections[2]] == afraid
    better = [run.info.run_id for run in study.of("main") if run.data.metrics.get("subject/auc_low", 0) > 0.5]
    assert [run.info.run_id for run in selections[3]] == better
    clean = [run.info.run_id for run in study.of("train") if run.data.tags.get("git_dirty") == "false"]
    assert [run.info.run_id for run in selections[4]] == clean


def test_evaluate_alone_finds_the_training_and_doubles_nothing(study: Study) -> None:
    fold = study.of("fold")[0]
    name = "threshold_0.5/accuracy"
    before = study.client.get_metric_history(fold.info.run_id, name)
    alone = step_here("evaluate", study.folder)
    assert alone.exit_code == 0, alone.stderr[-3000:]
    first, second = study.of("evaluate")[0], study.of("evaluate")[-1]
    assert second.info.run_id != first.info.run_id
    assert second.data.tags["train_run_id"] == study.of("train")[-1].info.run_id
    assert study.text(second, "results.csv") == study.text(first, "results.csv")
    assert study.text(second, "summary.json") == study.text(first, "summary.json")
    assert [p.value for p in study.client.get_metric_history(fold.info.run_id, name)] == [p.value for p in before]


def test_attribute_alone_finds_the_training(study: Study) -> None:
    alone = step_here(
        "attribute",
        study.folder,
        attribution_baseline="control",
        target=0,
        method="expected_gradients",
        attribution_baseline_trials=3,
    )
    assert alone.exit_code == 0, alone.stderr[-3000:]
    run = study.of("attribute")[-1]
    assert run.data.tags["train_run_id"] == study.of("train")[-1].info.run_id
    trials = list(csv.DictReader(io.StringIO(study.text(run, "completeness.csv"))))
    assert {row["baselines"] for row in trials} == {"3"}
    assert all(float(row["sampling_error"]) > 0 for row in trials)


def test_results_do_not_depend_on_the_number_of_workers(study: Study) -> None:
    folds = {fold.info.run_name: fold for fold in study.of("fold")}
    uri = study.of("prepare")[0].data.tags["dataset_uri"]
    done = step_here("train", study.folder, dataset_uri=uri, epochs=3, batch_size=8, workers=1, run_name="one")
    assert done.exit_code == 0, done.stderr[-3000:]
    ones = study.runs("tags.entry_point = 'fold' and attributes.run_name LIKE 'one_%'")
    assert len(ones) == 5
    for one in ones:
        other = folds[one.info.run_name.replace("one_", "fear_")]
        for name in ("loss", "val_loss", "best_val_loss", "best_val_accuracy"):
            assert one.data.metrics[name] == other.data.metrics[name], (one.info.run_name, name)


def test_a_failing_step_stops_the_chain_and_says_why_once_and_on_every_run(study: Study) -> None:
    runs = len(study.of("evaluate"))
    failed = step("main", study.folder, **SMALL, cv="group-kfold:99")
    assert failed.returncode != 0
    why = "cv='group-kfold:99' asks for 99 folds, but only 5 subjects can be tested"
    assert failed.stderr.count(why) == 1, "an error is said once"
    assert f"error: {why}" in failed.stderr
    main, train = study.of("main")[-1], study.of("train")[-1]
    assert f"error: step train failed for the reason above (run {train.info.run_id})" in failed.stderr
    assert (main.info.status, train.info.status) == ("FAILED", "FAILED")
    for run in (main, train):
        assert run.data.tags["mlflow.note.content"].startswith("**Failed.**")
        assert why in run.data.tags["mlflow.note.content"]
    assert len(study.of("evaluate")) == runs


def test_bad_input_is_one_line_and_registers_nothing(study: Study, tmp_path: Path) -> None:
    table = tmp_path / "bad.csv"
    table.write_text("subject,label,trial,time,x\nA,fear,1,0,1\nA,fear,1,1,oops\n")
    failed = step_here("prepare", study.folder, source=table)
    assert failed.exit_code == 2
    errors = [line for line in failed.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "bad.csv" in errors[0]
    assert "'oops'" in errors[0]
    assert "Traceback" not in failed.stderr
    run = study.of("prepare")[-1]
    assert run.info.status == "FAILED"
    assert study.artifacts(run) == {"packages.json", "parameters.json"}
    assert not run.inputs.dataset_inputs


def test_predict_scores_new_people_with_the_registered_model(study: Study, tmp_path: Path) -> None:
    manifest = json.loads(study.text(study.of("prepare")[0], "dataset/dataset.json"))
    rows = [",".join(("subject", "trial", "time", *reversed(manifest["features"])))]
    rows += [
        ",".join([subject, "1", str(time), *[str(0.1 * time)] * len(manifest["features"])])
        for subject in ("S01", "N01")
        for time in manifest["time"]
    ]
    (tmp_path / "new.csv").write_text("\n".join(rows) + "\n")
    done = mlflow_run("-e", "predict", cwd=study.folder, source=tmp_path / "new.csv", threshold=0.35)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "2 trials of 2 subjects scored by models:/fear-classifier/1" in done.stdout
    assert "warning: the model was FITTED ON 1 of these 2 subjects (S01)" in done.stderr
    (run,) = study.of("predict")
    scored = list(csv.DictReader(io.StringIO(study.text(run, "predictions.csv"))))
    assert [(row["subject"], row["in_training"], row["threshold"]) for row in scored] == [
        ("N01", "0", "0.35"),
        ("S01", "1", "0.35"),
    ]
    assert {"attribution.parquet", "probabilities.svg", "probabilities.png"} <= study.artifacts(run)


def test_a_step_without_its_predecessor_says_what_to_run_first(tmp_path: Path, empty_store: Path) -> None:
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    failed = step_here("evaluate", tmp_path)
    assert failed.exit_code == 2
    assert "no finished train run" in failed.stderr
    assert "-m steps.train" in failed.stderr.partition("first run: ")[2]


@pytest.mark.slow
def test_from_a_git_url_with_a_relative_source(tmp_path: Path, empty_store: Path, small_study_table: str) -> None:
    """The store, its artifacts and the user's relative path all mean the folder the command was typed in."""
    clone, folder = tmp_path / "clone", tmp_path / "home"
    folder.mkdir()
    shutil.copy(empty_store, folder / "mlflow.db")
    (folder / "mine.csv").write_text(small_study_table)
    copy_of_the_working_tree(clone)
    commit = git("rev-parse", "HEAD", cwd=clone)
    done = mlflow_run("-v", commit, "-e", "prepare", cwd=folder, uri=clone.as_uri(), source="mine.csv")
    assert done.returncode == 0, done.stderr[-3000:]
    study = Study(folder, done.stdout)
    (run,) = study.of("prepare")
    assert run.data.tags["mlflow.source.git.commit"] == commit
    artifacts = Path(run.info.artifact_uri.removeprefix("file://"))
    assert artifacts.is_relative_to(folder)
    assert (artifacts / "dataset" / "trials.parquet").is_file()


@pytest.mark.slow
def test_a_relative_sqlite_uri_means_the_callers_folder(tmp_path: Path, empty_store: Path) -> None:
    shutil.copy(empty_store, tmp_path / "mine.db")
    values = [
        part for name, value in SMALL.items() if name.startswith("simulated") for part in ("-P", f"{name}={value}")
    ]
    done = run_command(
        *("mlflow", "run", str(ROOT), "-e", "prepare", "--env-manager", "local", *values),
        cwd=tmp_path,
        tracking_uri="sqlite:///mine.db",
    )
    assert done.returncode == 0, done.stderr[-3000:]
    client = MlflowClient(f"sqlite:///{tmp_path / 'mine.db'}")
    experiment = client.get_experiment_by_name("Fear_Classification_Experiments")
    assert len(client.search_runs([experiment.experiment_id])) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.db", "mlruns"]


def git(*arguments: str, cwd: Path) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *arguments], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def copy_of_the_working_tree(target: Path) -> None:
    """A git repository of what stands here now, committed or not."""
    (target / "steps").mkdir(parents=True)
    code = [path for path in (ROOT / "steps").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    for path in [ROOT / "MLproject", ROOT / "conda.yaml", *code]:
        copy = target / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    git("init", "-q", "-b", "main", cwd=target)
    git("add", "-A", cwd=target)
    git("commit", "-q", "-m", "copy", cwd=target)
