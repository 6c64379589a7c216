"""`evaluate` of the default network: p values that train again, and a learning curve where it is asked for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from steps.cli import USER_ERROR
from tests.conftest import step_here

SIMULATED = {"simulated_subjects": 14, "simulated_controls": 1, "simulated_trials_max": 5, "simulated_features": 2}


@pytest.fixture(scope="module")
def folder(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a small study was prepared, trained and evaluated with its learning curve."""
    folder = tmp_path_factory.mktemp("evaluated")
    shutil.copy(empty_store, folder / "mlflow.db")
    asked: dict[str, dict[str, Any]] = {
        "prepare": {**SIMULATED, "timesteps": 20},
        "train": {"cv": "group-kfold:4"},
        "evaluate": {"learning_curve": "true", "baselines": "none", "leak_check": "true"},
    }
    for name, parameters in asked.items():
        done = step_here(name, folder, **parameters)
        assert done.exit_code == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder


def test_a_learning_curve_is_recorded_with_its_figure(folder: Path) -> None:
    (path,) = folder.glob("mlruns/*/*/artifacts/learning_curve.csv")
    curve = pd.read_csv(path)
    assert path.with_suffix(".png").is_file()
    summary = json.loads((path.parent / "summary.json").read_text())
    assert curve["measured"].tolist() == sorted(curve["measured"], reverse=True)
    assert curve["training_subjects"].is_monotonic_increasing
    # With all training subjects the same people are tested by the same kind of heads; only the fronts differ.
    last = curve[curve["measured"]].iloc[-1]
    assert last["auc"] == pytest.approx(summary["subject"]["auc"]["value"], abs=0.15)
    assert [one["width"] for one in summary["learning_curve"]["people"]] == [0.2, 0.1, 0.05]


def test_p_of_auc_is_from_training_again_and_the_others_are_not(folder: Path) -> None:
    (path,) = folder.glob("mlruns/*/*/artifacts/summary.json")
    permutation = json.loads(path.read_text())["permutation"]
    for level in ("pooled", "subject"):
        assert permutation[level]["auc"]["retrained"]
        assert not permutation[level]["threshold_0.5/balanced_accuracy"]["retrained"]


def test_where_only_some_are_tested_a_learning_curve_is_refused(folder: Path) -> None:
    assert step_here("train", folder, subjects="S01").exit_code == 0
    done = step_here("evaluate", folder, learning_curve="true", baselines="none")
    assert done.exit_code == USER_ERROR
    assert "learning_curve=true needs a training that tests every subject, found one of subjects='S01'" in done.stderr
    assert "train with subjects=all" in done.stderr
