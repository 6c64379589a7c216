"""The entry point against a real store, with trainings whose folds and evaluations were written by hand."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from mlflow import MlflowClient

from steps.compare.__main__ import main
from steps.core.metrics.comparable import Method
from steps.tracking import record
from steps.tracking.session import step_run
from steps.tracking.tracker import MLflowTracker
from tests.core.metrics.conftest import MethodMaker

Compare = Callable[[str], Result]


@pytest.fixture
def compare(store: Path) -> Iterator[Compare]:
    """The command, in this process: importing MLflow again for each would be most of the time."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield lambda runs: CliRunner().invoke(main, ["--runs", runs, "--cwd", str(store)])
    for number, handler in handlers.items():
        signal.signal(number, handler)


def put(method: Method, *, digest: str = "d", baseline: Method | None = None, evaluated: bool = True) -> str:
    with step_run("train", {}) as train:
        with MLflowTracker(parent_run_id=train.info.run_id, experiment_id=train.info.experiment_id) as tracker:
            for (name, number), tested in method.folds.items():
                fold = tracker.start_run("fear", name, number, {"entry_point": "fold"})
                split = {"training": [], "validation": [], "test": sorted(tested)}
                fold.log_artifacts({"split.json": json.dumps(split)})
                fold.end_run()
        tags = {"dataset_digest": digest, "model": "cnn"}
        record.log(train.info.run_id, tags=tags, metrics={"folds": len(method.folds)})
    if evaluated:
        with step_run("evaluate", {}) as run:
            record.log(run.info.run_id, tags={"train_run_id": train.info.run_id})
            record.log_files(run.info.run_id, {"results.csv": method.results})
            if baseline:
                record.log_files(run.info.run_id, {"baselines.csv": baseline.results.assign(method="logistic")})
    return str(train.info.run_id)


def test_two_trainings_and_a_baseline(compare: Compare, make_method: MethodMaker) -> None:
    old = put(make_method(0.0, subjects=24))
    new = put(make_method(3.0, noise=1, subjects=24), baseline=make_method(0.0, noise=2, subjects=24))
    done = compare("latest,previous")
    assert done.exit_code == 0, done.output
    assert f"cnn ({new[:8]}) is better than cnn ({old[:8]})" in done.stdout
    beside = compare("logistic,latest")
    assert beside.exit_code == 0, beside.output
    assert "logistic is worse than cnn" in beside.stdout
    client = MlflowClient()
    experiment = client.get_experiment_by_name("Fear_Classification_Experiments")
    second, first = client.search_runs([experiment.experiment_id], "tags.entry_point = 'compare'")
    assert (first.data.tags["train_run_id_a"], first.data.tags["train_run_id_b"]) == (new, old)
    assert second.data.tags["baseline_a"] == "logistic"
    assert "baseline_b" not in second.data.tags
    names = {item.path for item in client.list_artifacts(first.info.run_id)}
    assert {"comparison.json", "comparison.csv", "differences.png", "differences.svg"} <= names
    document = json.loads(Path(client.download_artifacts(first.info.run_id, "comparison.json")).read_text())
    assert first.data.metrics["difference/subject/auc"] == document["subject"]["auc"]["difference"]["value"]
    assert "is better than" in first.data.tags["mlflow.note.content"].replace("\\", "")


def test_what_cannot_be_compared_is_one_line_and_leaves_no_artifacts(
    compare: Compare, make_method: MethodMaker
) -> None:
    method = make_method(subjects=4)
    known, other, bare = put(method), put(method, digest="e"), put(method, evaluated=False)
    for runs, message in (
        (f"{known},{other}", "expected the same data"),
        (f"{known},{bare}", f"-m steps.evaluate --train_run_id {bare}"),
        (f"{known},minirocket", "--baselines minirocket"),
        (f"{bare},latest", "names one training twice"),
    ):
        done = compare(runs)
        assert done.exit_code == 2, done.output
        assert message in done.stderr
        assert len([line for line in done.stderr.splitlines() if line.startswith("error: ")]) == 1
    client = MlflowClient()
    experiment = client.get_experiment_by_name("Fear_Classification_Experiments")
    for run in client.search_runs([experiment.experiment_id], "tags.entry_point = 'compare'"):
        assert run.info.status == "FAILED"
        assert {item.path for item in client.list_artifacts(run.info.run_id)} == {"packages.json", "parameters.json"}
