"""A dry run finds what would go wrong, before anything is spent on it, and leaves nothing behind."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from steps.check.checklist import FAILED, OK, SKIPPED, WARNING, Checklist, Outcome
from steps.check.dry_run import AUDIT, FITS, FOLDS, PARAMETERS_OK, QUALITY, RECORDINGS, TIME, TRAINED, dry_run
from steps.core.readers.simulate import SimulationSize, simulate
from tests.conftest import ROOT, run_command

Mistake = Callable[[pd.DataFrame], pd.DataFrame]
SIZE = SimulationSize(subjects=12, controls=0, trials_min=4, trials_max=4, features=3)


def table() -> pd.DataFrame:
    """A study in which nothing is wrong, as a long table of 12 subjects with 4 trials of 40 points."""
    study = simulate(SIZE, timesteps=40, seed=0)
    trials, timesteps, features = study.values.shape
    made = pd.DataFrame(study.values.reshape(-1, features), columns=list(study.features))
    made.insert(0, "time", np.tile(np.arange(timesteps) / 100, trials))
    for name, values in (
        ("trial", study.trials),
        ("label", np.array(study.label_names)[study.labels]),
        ("subject", study.subjects),
    ):
        made.insert(0, name, np.repeat(values, timesteps))
    return made


def tried(folder: Path, study: pd.DataFrame, **parameters: Any) -> dict[str, Outcome]:
    study.to_csv(folder / "study.csv", index=False)
    checks = Checklist()
    dry_run(checks, {"source": str(folder / "study.csv"), **parameters})
    return {outcome.name: outcome for outcome in checks.outcomes}


def test_a_study_in_which_nothing_is_wrong(tmp_path: Path) -> None:
    found = tried(tmp_path, table())
    assert {outcome.status for outcome in found.values()} == {OK}, found
    assert list(found) == [PARAMETERS_OK, RECORDINGS, QUALITY, AUDIT, FITS, FOLDS, TRAINED, TIME]
    assert "48 trials of 12 subjects" in found[RECORDINGS].finding
    assert "12 folds" in found[FOLDS].finding
    assert [path.name for path in tmp_path.iterdir()] == ["study.csv"], "nothing is left behind"


def test_a_network_that_is_trained_step_by_step(tmp_path: Path) -> None:
    found = tried(tmp_path, table(), model="cnn", epochs=50)
    assert {outcome.status for outcome in found.values()} == {OK}, found


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"controls": "negatives"}, "controls=negatives needs labels that are yes or no, found label_kind=classes"),
        ({"class_weight": "1,2"}, "class_weight=1,2 is for two classes, found label_kind=classes"),
        ({"explained_class": "joy"}, "explained_class is 'joy', expected 'auto' or one of 'calm', 'fear', 'pain'"),
    ],
)
def test_what_whole_labels_do_not_go_together_with(tmp_path: Path, parameters: dict[str, Any], said: str) -> None:
    study = table()
    classes = dict(zip(sorted(study["subject"].unique()), ["calm", "fear", "pain"] * 4, strict=True))
    found = tried(tmp_path, study.assign(label=study["subject"].map(classes)), label_kind="classes", **parameters)
    assert found[FITS].status == FAILED
    assert said in found[FITS].finding


def misspelt(study: pd.DataFrame) -> pd.DataFrame:
    return study.rename(columns={"subject": "participant"})


def text_among_numbers(study: pd.DataFrame) -> pd.DataFrame:
    values = study.iloc[:, -1].astype(object)
    values.iloc[7] = "twelve"
    return study.assign(**{study.columns[-1]: values})


def one_subject_in_a_class(study: pd.DataFrame) -> pd.DataFrame:
    of_class = study.loc[study["label"] == "fear", "subject"].unique()
    return study.loc[~study["subject"].isin(of_class[1:])]


def recorded_twice(study: pd.DataFrame) -> pd.DataFrame:
    first = study.loc[study["subject"].eq("S01")]
    return pd.concat([study, first.assign(subject="S99")])


def backwards(study: pd.DataFrame) -> pd.DataFrame:
    return study.iloc[::-1]


def in_radians(study: pd.DataFrame) -> pd.DataFrame:
    other = study.copy()
    other.loc[other["subject"] == "S03", other.columns[4:]] *= np.pi / 180
    return other


def longer_with_fear(study: pd.DataFrame) -> pd.DataFrame:
    place = study.groupby(["subject", "trial"]).cumcount()
    cut = place >= 30 + study["subject"].str[1:].astype(int) % 3
    return study[~(cut & (study["label"] != "fear"))]


@pytest.mark.parametrize(
    ("mistake", "parameters", "where", "status", "says"),
    [
        (misspelt, {}, RECORDINGS, FAILED, "participant"),
        (text_among_numbers, {}, RECORDINGS, FAILED, "twelve"),
        (one_subject_in_a_class, {}, RECORDINGS, FAILED, "1"),
        (recorded_twice, {}, RECORDINGS, FAILED, "S99"),
        (backwards, {}, RECORDINGS, FAILED, "time goes back"),
        (None, {"positive_label": "fera"}, RECORDINGS, FAILED, "fera"),
        (None, {"exclude": "S01/t99"}, RECORDINGS, FAILED, "t99"),
        (None, {"thresholds": "0.5,1.5"}, PARAMETERS_OK, FAILED, "1.5"),
        (None, {"timesteps": 5}, FITS, FAILED, "5"),
        (None, {"normalise": "subject"}, FITS, FAILED, "normalise"),
        (None, {"attribution_baseline": "control"}, FITS, FAILED, "control"),
        (None, {"cv": "group-kfold:99"}, FOLDS, FAILED, "99"),
        (None, {"subjects": "S77"}, FOLDS, FAILED, "S77"),
        (in_radians, {}, QUALITY, WARNING, "S03"),
        (longer_with_fear, {}, AUDIT, WARNING, "length"),
    ],
)
def test_planted_mistakes_are_found(
    mistake: Mistake | None, parameters: dict[str, Any], where: str, status: str, says: str, tmp_path: Path
) -> None:
    study = mistake(table()) if mistake else table()
    found = tried(tmp_path, study, **parameters)
    assert found[where].status == status, found
    assert says in found[where].finding
    assert found[where].mend
    if status == FAILED:
        assert SKIPPED in {outcome.status for outcome in found.values()}
    else:
        assert found[TIME].status == OK, "a warning stops nothing"


def test_as_a_command(tmp_path: Path) -> None:
    table().to_csv(tmp_path / "study.csv", index=False)
    command = (sys.executable, "-m", "steps.check", "--source", "study.csv", "--cv", "group-kfold:99")
    done = run_command(*command, cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert done.returncode == 1
    assert "failed: folds: " in done.stdout
    assert not (tmp_path / "mlflow.db").exists()
