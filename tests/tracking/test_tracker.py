"""The tracker: what it logs, that the caller does not wait, and the example of its page."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.models import Model

from steps.core.models.keras_file import as_bytes
from steps.tracking import MLflowTracker
from steps.tracking.experiments import EXPERIMENT
from steps.tracking.models import fold_model
from steps.tracking.tracked_run import LogLevel
from tests.conftest import ROOT

HISTORY = {"loss": [0.7, 0.6], "accuracy": [0.5, 0.75]}


def network() -> Any:
    import keras

    inputs = keras.Input((5, 2))
    return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(keras.layers.Flatten()(inputs)))


def history_of(run_id: str, key: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in MlflowClient().get_metric_history(run_id, key)]


def test_a_run_holds_what_it_was_given(store: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.txt").write_text("a")
    with MLflowTracker() as tracker:
        run = tracker.start_run("fear", subject="S01", test_number=2, tags={"label": "fear"})
        tracker.log_parameters({"epochs": 2})
        tracker.log_training_metrics(HISTORY)
        tracker.log_evaluation_metrics({"test_auc": 0.75}, inference_time=0.5)
        tracker.log_artifacts({"split.json": "{}"})
        tracker.log_artifacts(lambda: {"late.txt": "made when it is written"})
        tracker.log_artifacts(tmp_path / "more", "folder")
        tracker.log_artifacts(tmp_path / "more" / "a.txt")
        tracker.end_run()
    recorded = MlflowClient().get_run(run.run_id)
    assert mlflow.get_experiment(recorded.info.experiment_id).name == EXPERIMENT
    assert (recorded.info.run_name, recorded.info.status) == ("fear_S01_2", "FINISHED")
    assert {"subject": "S01", "test_number": "2", "label": "fear"}.items() <= recorded.data.tags.items()
    assert recorded.data.params == {"epochs": "2"}
    assert recorded.data.metrics == {"loss": 0.6, "accuracy": 0.75, "test_auc": 0.75, "inference_ms_per_trial": 0.5}
    assert history_of(run.run_id, "loss") == [(1, 0.7), (2, 0.6)]
    assert {item.path for item in MlflowClient().list_artifacts(run.run_id)} == {
        "split.json",
        "late.txt",
        "folder",
        "a.txt",
    }


@pytest.mark.parametrize(
    ("level", "metrics", "params"),
    [
        ("epoch", {"loss", "accuracy", "test_auc", "kept"}, True),
        ("run", {"test_auc", "kept"}, True),
        ("experiment", {"kept"}, False),
    ],
)
def test_the_log_level_chooses_how_fine(store: Path, level: LogLevel, metrics: set[str], params: bool) -> None:
    with MLflowTracker(log_level=level) as tracker:
        run = tracker.start_run("fear", "S01", 1)
        run.log_parameters({"epochs": 2})
        run.log_training_metrics(HISTORY)
        run.log_evaluation_metrics({"test_auc": 0.75})
        run.log_evaluation_metrics({"kept": 1.0}, needed=True)
    data = MlflowClient().get_run(run.run_id).data
    assert set(data.metrics) == metrics
    assert bool(data.params) == params


@pytest.mark.parametrize(
    ("error", "status"), [(None, "FINISHED"), (ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")]
)
def test_leaving_the_block_ends_the_run(store: Path, error: type[BaseException] | None, status: str) -> None:
    def leave() -> None:
        with MLflowTracker() as tracker:
            runs.append(tracker.start_run("fear"))
            if error:
                raise error

    runs: list[Any] = []
    if error:
        with pytest.raises(error):
            leave()
    else:
        leave()
    assert MlflowClient().get_run(runs[0].run_id).info.status == status


def test_nothing_that_is_logged_waits_for_the_store(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = MlflowClient.log_batch

    def slow(*args: Any, **kwargs: Any) -> Any:
        time.sleep(1.0)
        return real(*args, **kwargs)

    monkeypatch.setattr(MlflowClient, "log_batch", slow)
    with MLflowTracker() as tracker:
        run = tracker.start_run("fear", "S01", 1)
        before = time.perf_counter()
        for value in range(3):
            run.log_evaluation_metrics({f"metric_{value}": value})
        assert time.perf_counter() - before < 1.0
    assert len(MlflowClient().get_run(run.run_id).data.metrics) == 3


def test_a_store_that_fails_is_not_passed_over(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError("No space left on device")

    tracker = MLflowTracker()
    run = tracker.start_run("fear")
    tracker.flush()
    monkeypatch.setattr(MlflowClient, "log_batch", full)
    run.log_parameters({"epochs": 2})
    with pytest.raises(OSError, match="No space left"):
        tracker.close()


def test_misuse_is_explained(store: Path) -> None:
    with MLflowTracker() as tracker:
        with pytest.raises(RuntimeError, match="call start_run first"):
            tracker.log_parameters({})
        run = tracker.start_run("fear")
        with pytest.raises(ValueError, match="'RUNNING', expected FINISHED, FAILED or KILLED"):
            run.end_run("RUNNING")
        with pytest.raises(ValueError, match="shape is missing"):
            run.log_model(b"")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_model_is_written_as_mlflow_writes_it(store: Path, tmp_path: Path) -> None:
    import mlflow.tensorflow

    model = network()
    signature = fold_model._of((5, 2))
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    requirements = fold_model.model_requirements(*fold_model.PACKAGES)
    mlflow.tensorflow.save_model(model, theirs, signature=signature, pip_requirements=requirements)
    fold_model.write_model(ours, as_bytes(model), (5, 2), Model())
    names = {path.relative_to(theirs) for path in theirs.rglob("*") if path.is_file()}
    assert {path.relative_to(ours) for path in ours.rglob("*") if path.is_file()} == names

    def described(folder: Path, name: str) -> Any:
        return yaml.safe_load((folder / name).read_text())

    own = {"model_uuid", "utc_time_created", "model_size_bytes"}
    assert {k: v for k, v in described(ours, "MLmodel").items() if k not in own} == {
        k: v for k, v in described(theirs, "MLmodel").items() if k not in own
    }
    for name in ("conda.yaml", "python_env.yaml"):
        assert described(ours, name) == described(theirs, name)
    for name in ("requirements.txt", "data/keras_module.txt", "data/save_format.txt"):
        assert (ours / name).read_text() == (theirs / name).read_text()


def test_metrics_are_linked_with_the_model_they_are_about(store: Path, tmp_path: Path) -> None:
    with MLflowTracker() as tracker:
        run = tracker.start_run("fear", "S01", 1)
        run.log_model(as_bytes(network()), (5, 2))
        run.log_evaluation_metrics({"test_auc": 0.75})
    (output,) = MlflowClient().get_run(run.run_id).outputs.model_outputs
    model = MlflowClient().get_logged_model(output.model_id)
    assert [(metric.key, metric.value) for metric in model.metrics] == [("test_auc", 0.75)]
    assert str(model.status) == "READY"
    assert model.source_run_id == run.run_id


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_what_autologging_has_logged_is_not_logged_again(store: Path) -> None:
    values = np.random.default_rng(0).normal(size=(8, 5, 2)).astype(np.float32)
    model = network()
    model.compile(loss="binary_crossentropy", metrics=["accuracy"])
    with MLflowTracker(autolog=True) as tracker:
        run = tracker.start_run("fear", "S01", 1)
        history = model.fit(values, np.arange(8) % 2, epochs=2, verbose=0)
        tracker.log_parameters({"epochs": 2, "mine": "yes"})
        tracker.log_training_metrics({**history.history, "mine": [1.0, 2.0]})
    recorded = MlflowClient().get_run(run.run_id)
    assert recorded.info.status == "FINISHED"
    assert recorded.data.params["mine"] == "yes"
    assert len(history_of(run.run_id, "loss")) == 2
    assert len(history_of(run.run_id, "mine")) == 2
    assert not mlflow.active_run()
    assert len(MlflowClient().search_logged_models([recorded.info.experiment_id])) == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_example_of_the_page_runs(store: Path) -> None:
    text = (ROOT / "docs" / "tracking.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(example, "docs/tracking.md", "exec"), {})  # noqa: S102 - our own page
    experiment = MlflowClient().get_experiment_by_name("my experiment")
    runs = MlflowClient().search_runs([experiment.experiment_id], order_by=["attributes.start_time"])
    assert [run.info.run_name for run in runs] == ["mine_S01_1", "mine_S02_1"]
    for run in runs:
        assert run.info.status == "FINISHED"
        assert set(run.data.metrics) >= {"loss", "accuracy", "test_loss", "test_accuracy", "inference_ms_per_trial"}
        assert mlflow.tensorflow.load_model(f"runs:/{run.info.run_id}/model").input_shape == (None, 20, 3)
