"""The plugins: the small ones here, the package as others install it in processes without this project."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from steps.core.metrics.estimates import estimates
from steps.core.metrics.predictions import levels_of
from tests.conftest import ROOT, clean_environment

FOLDER = ROOT / "plugins"
VARIABLES = ("STUDY", "TASK", "DEVICE", "SITE", "OPERATOR", "OPERATOR_KEY", "CONTEXT_FILE")


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    for name in VARIABLES:
        monkeypatch.delenv(f"MLFLOW_{name}", raising=False)
    return import_module("plugins.mlflow_subjectwise.context").StudyContext()


def test_a_run_is_told_what_it_is_part_of(context: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not context.in_context()
    (tmp_path / "mlflow-context.yaml").write_text("study: landing\nsite: 3\ntask: drop jump\n")
    monkeypatch.setenv("MLFLOW_TASK", "landing on one leg")
    assert context.in_context()
    assert context.tags() == {"study": "landing", "site": "3", "task": "landing on one leg"}


def test_the_operator_is_a_pseudonym_or_nobody(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_OPERATOR", "Ada Lovelace")
    with pytest.warns(UserWarning, match="not recorded: set MLFLOW_OPERATOR_KEY"):
        assert context.tags() == {}
    monkeypatch.setenv("MLFLOW_OPERATOR_KEY", "one")
    one = context.tags()["operator"]
    assert len(one) == 12
    monkeypatch.setenv("MLFLOW_OPERATOR", " ada lovelace")
    assert context.tags()["operator"] == one
    monkeypatch.setenv("MLFLOW_OPERATOR_KEY", "other")
    assert context.tags()["operator"] != one


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "holds no lines 'name: value'"),
        ("study: [", "expected some of"),
        ("color: red", "'color' is none of"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_warning(context: Any, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "mlflow-context.yaml").write_text(text)
    with pytest.warns(UserWarning, match=said):
        assert context.tags() == {}


def test_a_file_that_is_named_and_not_there_is_a_warning(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_CONTEXT_FILE", "other.yaml")
    with pytest.warns(UserWarning, match=r"other\.yaml"):
        assert not context.in_context()


def test_the_tracker_as_one_object(store: Path) -> None:
    tracker = import_module("plugins.mlflow_tracker").Tracker()
    with pytest.raises(RuntimeError, match="call start_run first"):
        tracker.log_parameters({"epochs": 3})
    run_id = tracker.start_run("mine", subject="S01", test=2)
    with pytest.raises(RuntimeError, match="still open"):
        tracker.start_run("mine")
    tracker.log_parameters({"epochs": 3})
    tracker.log_evaluation_metrics({"test_accuracy": 0.75}, inference_time=0.2)
    with pytest.raises(ValueError, match="expected one of FINISHED"):
        tracker.end_run("DONE")
    tracker.end_run()
    run = MlflowClient().get_run(run_id)
    assert (run.info.run_name, run.info.status) == ("mine_S01_2", "FINISHED")
    assert (run.data.tags["subject"], run.data.tags["test_number"]) == ("S01", "2")
    assert run.data.params == {"epochs": "3"}
    assert run.data.metrics == {"test_accuracy": 0.75, "inference_ms_per_trial": 0.2}


def test_the_statistics_are_the_projects_and_need_nothing_else_of_it() -> None:
    copied = import_module("plugins.setup").statistics(ROOT)
    assert {"estimates", "intervals", "jackknife", "metrics", "predictions"} <= copied.keys()
    for name, text in copied.items():
        own = (ROOT / "steps" / "core" / "metrics" / f"{name}.py").read_text()
        assert text.replace("mlflow_subjectwise.statistics", "steps.core.metrics") == own
        at_run_time = [node for node in ast.parse(text).body if isinstance(node, ast.ImportFrom)]
        assert not [node.module for node in at_run_time if str(node.module).startswith("steps")]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, installed by pip from a copy of what a clone has."""
    clone, target = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("installed")
    ignored = shutil.ignore_patterns("build", "*.egg-info", "__pycache__")
    for part in ("plugins", "steps/core/metrics"):
        shutil.copytree(ROOT / part, clone / part, ignore=ignored)
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--target", str(target))
    command = [sys.executable, "-m", "pip", "install", "--quiet", *options, str(clone / "plugins")]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return target


def elsewhere(installed: Path, folder: Path, code: str, **environment: str) -> Any:
    """What a script prints as JSON that has MLflow and the package, and nothing of this project."""
    known = clean_environment(f"sqlite:///{folder / 'mlflow.db'}") | {"PYTHONPATH": str(installed)} | environment
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=known, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


EVALUATE = """
import json
import mlflow, pandas as pd
from importlib.util import find_spec
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LogisticRegression

assert find_spec("steps") is None
table = pd.read_csv("table.csv")
fitted = LogisticRegression().fit(table[["x", "y"]], table["label"])

def judge(data, model=None, **config):
    more = {} if model else {"predictions": "p"}
    with mlflow.start_run() as run:
        result = mlflow.models.evaluate(
            model, data, targets="label", model_type="classifier", evaluators="subjectwise", evaluator_config=config,
            **more,
        )
    return run.info.run_id, result

logged = mlflow.sklearn.log_model(fitted, name="model", pip_requirements=["scikit-learn"])
run_id, by_model = judge(table, logged.model_uri, subject="person", positive="fear")
table["p"] = fitted.predict_proba(table[["x", "y"]])[:, 1]
_, by_column = judge(table, subject="person", thresholds=[0.5, 0.35])
refused = []
for config in ({}, {"subject": "who"}, {"subject": "person", "positive": "joy"}, {"subject": "person", "colour": 1},
               {"subject": "person", "thresholds": [2]}):
    try:
        judge(table, **config)
    except MlflowException as error:
        refused.append(str(error))
client = mlflow.MlflowClient()
run = client.get_run(run_id)
files = sorted(item.path for item in client.list_artifacts(run_id))
print(json.dumps({
    "model": by_model.metrics, "column": by_column.metrics, "recorded": run.data.metrics, "tags": run.data.tags,
    "files": files, "refused": refused, "p": table["p"].tolist(),
}))
"""


@pytest.mark.slow
def test_any_model_and_table_has_intervals_over_subjects(installed: Path, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    person = np.repeat([f"P{number:02d}" for number in range(20)], 5)
    label = np.where(np.arange(100) // 5 % 2 == 1, "fear", "calm")
    x = (label == "fear") + generator.normal(0, 1, 20).repeat(5) + generator.normal(0, 0.5, 100)
    table = pd.DataFrame({"person": person, "label": label, "x": x, "y": generator.normal(size=100)})
    table.to_csv(tmp_path / "table.csv", index=False)
    found = elsewhere(
        installed, tmp_path, EVALUATE, MLFLOW_STUDY="landing", MLFLOW_OPERATOR="Ada", MLFLOW_OPERATOR_KEY="secret"
    )
    results = table.assign(
        subject=table["person"], label=(label == "fear").astype(int), trial=[str(n) for n in range(100)],
        test_number=1, probability=found["p"],
    )  # fmt: skip
    for level, scores in levels_of(results).items():
        for name, estimate in estimates(scores, (0.5,)).items():
            for part, value in estimate.items():
                key = f"{level}/{name}" + ("" if part == "value" else f"_{part}")
                assert found["model"][key] == pytest.approx(value, abs=1e-12)
                assert found["recorded"][key] == pytest.approx(value, abs=1e-12)
                assert found["column"][key] == pytest.approx(value, abs=1e-12)
    assert "subject/threshold_0.35/recall_low" in found["column"]
    assert {"subjectwise.csv", "subjectwise_subjects.csv"} <= set(found["files"])
    assert found["tags"]["study"] == "landing"
    assert "Ada" not in json.dumps(found["tags"])
    assert len(found["tags"]["operator"]) == 12
    for message, said in zip(
        found["refused"],
        ("expected evaluator_config={'subject'", "no column 'who' of subjects", "positive is 'joy'",
         "'colour' is no option", "expected numbers between 0 and 1"),
        strict=True,
    ):  # fmt: skip
        assert said in message


@pytest.mark.slow
def test_the_readme_of_the_plugins_is_true(installed: Path, tmp_path: Path) -> None:
    blocks = (FOLDER / "README.md").read_text().split("```python\n")[1:]
    code = "\n".join(block.split("```")[0] for block in blocks)
    assert elsewhere(installed, tmp_path, code + "\nimport json; print(json.dumps(sorted(result.metrics)))")
