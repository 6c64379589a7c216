"""What to run again, with which parameters."""

from __future__ import annotations

from pathlib import Path

import pytest

from steps.core.data.cross_validation import CrossValidation
from steps.core.data.dataset import Dataset
from steps.core.data.folds import plan_folds
from steps.core.readers.simulate import SimulationSize, simulate
from steps.errors import UserError
from steps.parameter_values import parse_subjects
from steps.parameters import PARAMETERS, STEPS, Value
from steps.reproduce import plan

DEFAULTS: dict[str, Value] = {name: parameter.default for name, parameter in PARAMETERS.items()}


def test_given_before_recorded_before_default_and_nothing_reused() -> None:
    recorded = DEFAULTS | {"epochs": 7, "source": "old.csv", "scheduler": "tcp://a-cluster:8786"}
    parameters, defaulted = plan.complete("main", recorded, source="/new.csv")
    assert list(parameters) == list(STEPS["main"].parameters)
    assert (parameters["epochs"], parameters["source"]) == (7, "/new.csv")
    assert (parameters["reuse"], parameters["register"], parameters["resume"]) == (False, False, False)
    assert parameters["scheduler"] == "local", "the cluster may be gone"
    assert defaulted == []


def test_parameters_that_were_not_recorded_are_named() -> None:
    known = {name: DEFAULTS[name] for name in STEPS["train"].parameters if name not in ("controls", "workers")}
    parameters, defaulted = plan.complete("train", known)
    assert parameters["controls"] == "exclude"
    assert defaulted == ["controls"]
    needed = [name for name in STEPS["prepare"].parameters if name not in ("seed", "cwd") and "simulated" not in name]
    _, of_files = plan.complete("prepare", {name: DEFAULTS[name] for name in needed} | {"source": "a.csv"})
    assert of_files == []


def test_a_source_is_looked_for_in_its_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty, holding = tmp_path / "here", tmp_path / "there"
    for folder in (empty, holding):
        folder.mkdir()
    (holding / "mine.csv").write_text("x")
    assert plan.existing_source("mine.csv", [empty, holding]) == str(holding / "mine.csv")
    assert plan.existing_source(str(holding / "mine.csv"), [empty]) == str(holding / "mine.csv")
    assert plan.existing_source((holding / "mine.csv").as_uri(), [empty]) == str(holding / "mine.csv")
    monkeypatch.setenv("HOME", str(holding))
    assert plan.existing_source("~/mine.csv", [empty]) == str(holding / "mine.csv")
    assert plan.existing_source("simulated", []) == "simulated"
    digest = "#sha256=" + "0a" * 32
    assert plan.existing_source(f"mine.csv{digest}", [empty, holding]) == f"{holding / 'mine.csv'}{digest}"
    assert plan.existing_source(f"s3://lab/mine.csv{digest}", [empty]) == f"s3://lab/mine.csv{digest}"
    with pytest.raises(UserError, match=r"'mine\.csv' is no longer there \(looked for .*here/mine\.csv\)"):
        plan.existing_source("mine.csv", [empty, empty])


def test_a_simulated_dataset_comes_out_again() -> None:
    known = DEFAULTS | {"simulated_subjects": 5, "simulated_features": 3, "timesteps": 9, "seed": 4}
    expected = simulate(SimulationSize(subjects=5, features=3), timesteps=9, seed=4)
    digest = plan.dataset_again(known).digest()
    plan.same_dataset(expected.digest(), digest, "simulated")
    other = plan.dataset_again(known | {"seed": 5}).digest()
    with pytest.raises(UserError, match=r"the dataset is another one: .* the code that simulates has changed"):
        plan.same_dataset(expected.digest(), other, "simulated")
    with pytest.raises(UserError, match=r"source '/a\.csv' .* the recordings have changed"):
        plan.same_dataset(expected.digest(), other, "/a.csv")


@pytest.mark.parametrize("cv", ["loso", "group-kfold:3"])
def test_training_one_fold_gives_the_very_same_fold(small_study: Dataset, cv: str) -> None:
    folds = plan_folds(small_study, cv=CrossValidation.of(cv), repeats=3, seed=2)
    for fold in folds:
        training = DEFAULTS | {"cv": cv, "repeats": 3}
        chosen = plan.of_one_fold(training, fold.name, fold.test_number, fold.test_subjects)
        subjects = parse_subjects(str(chosen["subjects"]))
        again = CrossValidation.of(cv)
        alone = plan_folds(small_study, cv=again, repeats=int(chosen["repeats"]), subjects=subjects, seed=2)
        assert len(alone) == fold.test_number
        assert alone[-1] == fold


@pytest.mark.parametrize("name", ["a,b", "all", " a"])
def test_a_subject_that_cannot_stand_in_a_list_trains_all(name: str) -> None:
    assert plan.of_one_fold(DEFAULTS, name, 2, [name]) == DEFAULTS | {"repeats": 2}


def test_a_description_is_looked_for_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "then").mkdir()
    (tmp_path / "then" / "mine.yaml").write_text("files: a.csv\n")
    folders = [tmp_path / "now", tmp_path / "then"]
    assert plan.existing_study("mine.yaml", folders) == str(tmp_path / "then" / "mine.yaml")
    assert plan.existing_study("gone.yaml", folders) == "gone.yaml"
    for said in ("auto", "none", "{files: a.csv}"):
        assert plan.existing_study(said, folders) == said
