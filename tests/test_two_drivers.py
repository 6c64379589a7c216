"""Two studies at once, in one folder and on one default store, get the results each gets alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tests.conftest import ROOT, clean_environment
from tests.inventory import Inventory, differences, inventory, settled
from tests.test_main import CHAIN, SMALL

# A machine that has other work to do may take ten times as long.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
TIMEOUT_S = 800

EXPERIMENT = "Fear_Classification_Experiments"
SUBJECTS = 4
TINY: dict[str, Any] = {**SMALL, "simulated_subjects": SUBJECTS, "epochs": 2, "workers": 1, "baselines": "none"}
SEEDS = {"first": 1, "second": 2}
STUDY = ": simulated, soft_multirocket, loso"  # what the name of a driver's run ends in


def start(folder: Path, name: str) -> subprocess.Popen[str]:
    """Start a driver; its standard error goes with its output."""
    parameters = {**TINY, "run_name": name, "seed": SEEDS[name]}
    options = [part for key, value in parameters.items() for part in (f"--{key}", str(value))]
    return subprocess.Popen(
        [sys.executable, "-m", "steps.main", *options],
        cwd=folder,
        env=clean_environment() | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def stock_of(folder: Path) -> Inventory:
    return inventory(MlflowClient(f"sqlite:///{folder / 'mlflow.db'}"), EXPERIMENT)


def part_of(stock: Inventory, name: str) -> Inventory:
    """The runs of one driver."""
    runs = {path: run for path, run in stock.runs.items() if path == name or path.startswith(f"{name}/")}
    return settled(Inventory(runs, {}, stock.experiment_tags))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Inventory]:
    """What each driver leaves when it is alone, in a folder of its own."""
    stocks = {}
    for name in SEEDS:
        folder = tmp_path_factory.mktemp(name)
        process = start(folder, name)
        output, _ = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0, output[-3000:]
        stocks[name] = part_of(stock_of(folder), name + STUDY)
    return stocks


def test_two_drivers_at_once_do_not_mix(alone: dict[str, Inventory], tmp_path: Path) -> None:
    processes = {name: start(tmp_path, name) for name in SEEDS}
    outputs = {name: process.communicate(timeout=TIMEOUT_S)[0] for name, process in processes.items()}
    for name, process in processes.items():
        assert process.returncode == 0, outputs[name][-3000:]
        assert "database is locked" not in outputs[name]
    both = stock_of(tmp_path)
    assert len(both.runs) == sum(len(stock.runs) for stock in alone.values())
    for short, stock in alone.items():
        name = short + STUDY
        train = f"{name}/train"
        own = part_of(both, name)
        assert {f"{name}/{step}" for step in CHAIN} < set(own.runs)
        folds = [run for path, run in own.runs.items() if path.startswith(f"{train}/") and run.tags.get("subject")]
        assert len(folds) == SUBJECTS
        assert own.runs[name].tags["train_run_id"] == f"<run {train}>"
        assert own.runs[f"{name}/evaluate"].tags["train_run_id"] == f"<run {train}>"
        assert "\n".join(differences(stock, own)) == ""
    assert [version.run.partition("/")[0] for version in both.registered["fear-classifier"]] in (
        [f"first{STUDY}", f"second{STUDY}"],
        [f"second{STUDY}", f"first{STUDY}"],
    )


def test_the_two_studies_differ_so_that_mixing_them_would_show(alone: dict[str, Inventory]) -> None:
    first, second = (alone[name].runs[f"{name}{STUDY}/evaluate"] for name in SEEDS)
    assert first.files["results.csv"] != second.files["results.csv"]
    assert first.metrics != second.metrics
