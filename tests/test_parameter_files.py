"""Parameters from a file or a declared set: what wins, what is said, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml
from mlflow import MlflowClient

from steps.configuration import CONFIGURATIONS
from steps.errors import UserError
from steps.parameter_files import filled
from steps.parameters import PARAMETERS, PRESETS, STEPS
from tests.conftest import ROOT, run_command


def defaults(entry_point: str, **given: Any) -> dict[str, Any]:
    return {name: PARAMETERS[name].default for name in STEPS[entry_point].parameters} | given


def written(folder: Path, text: str) -> str:
    path = folder / "study-parameters.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_nothing_is_filled_in_where_nothing_is_asked_for() -> None:
    for entry_point in STEPS:
        given = defaults(entry_point)
        complete = filled(entry_point, given)
        assert complete.given == given
        assert not complete.files
        assert not complete.notes


def test_the_command_line_wins_over_the_file_and_the_file_over_the_set(tmp_path: Path) -> None:
    config = written(tmp_path, "cv: group-kfold:4\ntimesteps: 50\nthresholds: [0.4, 0.6]\nseed: 007\ntrim: no\n")
    complete = filled("main", defaults("main", config=config, preset="landing", cv="loso-plain"))
    assert complete.given["cv"] == "loso-plain", "the command line"
    assert complete.given["timesteps"] == 50, "the file"
    assert complete.given["max_gap"] == PRESETS["landing"].parameters["max_gap"], "the set"
    assert complete.given["thresholds"] == "0.4,0.6"
    assert complete.given["seed"] == 7
    assert complete.given["config"] == complete.given["preset"] == "none", "both are done with"
    assert complete.files == {"config.yaml": Path(config).read_bytes()}
    of_file, of_preset = complete.notes
    assert "timesteps=50" in of_file
    assert "given otherwise: cv" in of_file
    assert "given otherwise: timesteps" in of_preset
    CONFIGURATIONS["main"].of(complete.given, complete.files)


def test_a_file_may_name_the_set(tmp_path: Path) -> None:
    complete = filled("main", defaults("main", config=written(tmp_path, "preset: physiology\nmax_gap: 3\n")))
    assert complete.given["normalise"] == "subject"
    assert complete.given["max_gap"] == 3


def test_one_file_serves_all_entry_points(tmp_path: Path) -> None:
    config = written(tmp_path, "max_gap: 4\nmodel: cnn\n")
    assert filled("prepare", defaults("prepare", config=config)).given["max_gap"] == 4
    assert filled("train", defaults("train", config=config)).given["model"] == "cnn"


@pytest.mark.parametrize("name", PRESETS)
def test_every_value_of_a_set_is_one_of_its_parameter(name: str) -> None:
    for parameter, value in PRESETS[name].parameters.items():
        assert PARAMETERS[parameter].parse(value) == value != PARAMETERS[parameter].default
    CONFIGURATIONS["main"].of(filled("main", defaults("main", preset=name)).given)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("epoch: 3\n", r"line 1: 'epoch' is no parameter of any entry point; did you mean epochs\?"),
        ("seed: 1\n\nepochs: many\n", "line 3: epochs is 'many', expected a whole number from 1 to 1000000"),
        ("cwd: /\n", "line 1: cwd belongs on the command line"),
        ("config: other.yaml\n", "line 1: config belongs on the command line"),
        ("preset: dancing\n", "line 1: preset is 'dancing', expected one of none, landing, gait, physiology"),
        ("cv:\n  folds: 3\n", "line 1: cv holds keys of its own"),
        ("seed: 1\nseed: 2\n", "line 2: key 'seed' was already given in line 1"),
        ("- seed\n", "line 1: holds no parameters"),
        ("", "is empty"),
        ("a: &x 1\nb: *x\n", "anchor or alias"),
        ("seed: !!python/object/apply:os.system [ls]\n", "tag"),
    ],
)
def test_what_is_no_parameter_is_refused_with_its_line(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=expected):
        filled("main", defaults("main", config=written(tmp_path, text)))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        filled("main", defaults("main", config=str(tmp_path / "none.yaml")))


def prepared(folder: Path, *arguments: str) -> tuple[Mapping[str, str], str, str]:
    """The parameters of a run of prepare, its run ID, and what was printed."""
    command = ("python", "-m", "steps.prepare", *arguments)
    done = run_command(*command, cwd=folder, PYTHONPATH=str(ROOT))
    assert done.returncode == 0, done.stderr
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("Fear_Classification_Experiments")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    return run.data.params, run.info.run_id, done.stdout


def test_by_command_the_file_is_recorded_and_what_it_meant(empty_store: Path, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(empty_store.read_bytes())
    text = yaml.safe_dump({"simulated_subjects": 6, "simulated_features": 2, "timesteps": 20, "epochs": 5})
    (tmp_path / "small.yaml").write_text(text, encoding="utf-8")
    params, run_id, said = prepared(tmp_path, "--config", "small.yaml", "--seed", "3")
    assert (params["simulated_subjects"], params["timesteps"], params["seed"]) == ("6", "20", "3")
    assert "config small.yaml: simulated_features=2, simulated_subjects=6, timesteps=20" in said
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    stored = client.download_artifacts(run_id, "config.yaml", str(tmp_path))
    assert Path(stored).read_text(encoding="utf-8") == text
    assert mlflow.active_run() is None
