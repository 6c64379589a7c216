"""Whether people and classes are told apart by single trials."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from steps.core.audit.identity import identity
from steps.core.data.dataset import Dataset
from steps.core.readers.load import load_source
from tests.conftest import ROOT

RUNNING = ROOT.parent / "shared" / "data" / "running" / "running_angles.parquet"


def made(
    seed: int,
    of_people: float,
    of_classes: float,
    *,
    within: bool = False,
    people: int = 12,
    features: int = 5,
    trials: int = 6,
) -> Dataset:
    """Trials of noise, with a constant of each person and of each class."""
    rng = np.random.default_rng(seed)
    subjects = np.repeat(np.arange(people), trials)
    labels = np.tile([0, 1], len(subjects) // 2) if within else subjects % 2
    values = rng.normal(size=(len(subjects), 16, features))
    values += of_people * rng.normal(size=(people, 1, features))[subjects]
    values += of_classes * rng.normal(size=(2, 1, features))[labels]
    return Dataset(
        values=values.astype(np.float32),
        labels=labels.astype(np.int8),
        subjects=np.array([f"S{i:02d}" for i in subjects]),
        trials=np.array([str(i) for i in range(len(subjects))]),
        is_control=np.zeros(len(subjects), dtype=np.bool_),
        features=tuple(f"f{i}" for i in range(features)),
        time=tuple(float(i) for i in range(16)),
    )


def test_people_who_differ_are_told_apart() -> None:
    told = identity(made(0, of_people=3.0, of_classes=0.0))
    assert told
    assert (told.people, told.named) == (12, 1.0)
    assert told.of_two_people == 1.0
    assert told.of_two_classes < 0.8


def test_classes_that_differ_are_told_apart_and_people_are_not() -> None:
    told = identity(made(0, of_people=0.0, of_classes=3.0))
    assert told
    assert told.of_two_classes == 1.0
    assert told.named < 0.4


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("of_people", [0.0, 1.0])
def test_without_a_difference_it_is_guessing(within: bool, of_people: float) -> None:
    told = [identity(made(seed, of_people, of_classes=0.0, within=within)) for seed in range(60)]
    assert np.mean([one.of_two_classes for one in told if one]) == pytest.approx(0.5, abs=0.03)
    if not of_people:
        assert np.mean([one.of_two_people for one in told if one]) == pytest.approx(0.5, abs=0.02)
        assert np.mean([one.named for one in told if one]) == pytest.approx(1 / 12, abs=0.02)


def split(study: Dataset, name: str) -> Dataset:
    """A study in which every other trial of one person has another name."""
    names = study.subjects.copy()
    names[np.flatnonzero(study.subjects == name)[::2]] = "S99"
    return replace(study, subjects=names)


def alike(study: Dataset) -> tuple[tuple[str, str], ...]:
    told = identity(study)
    assert told
    return told.alike


def test_one_person_under_two_names_is_found() -> None:
    found = []
    for seed in range(20):
        study = made(seed, of_people=1.5, of_classes=0.0, people=20, features=20, trials=12)
        assert alike(study) == ()
        found.append(alike(split(study, "S07")))
        assert found[-1] in ((), (("S07", "S99"),))
    # Either name's six trials go to the other one by a coin; two of six are asked for, both ways: 0.79.
    assert np.mean([bool(pair) for pair in found]) >= 0.6


def test_where_people_are_not_told_apart_nobody_is_called_alike() -> None:
    for seed in range(10):
        told = identity(made(seed, of_people=0.5, of_classes=0.0))
        assert told
        assert told.named < 0.9
        assert told.alike == ()


def test_a_tiny_study_says_nothing() -> None:
    assert identity(made(0, 1.0, 1.0, people=3)) is None
    single = made(0, 1.0, 1.0)
    first = np.unique(single.subjects, return_index=True)[1]
    assert identity(single.select(np.isin(np.arange(len(single.labels)), first))) is None


@pytest.mark.slow
def test_how_often_two_names_are_called_one_person(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/evaluation-checks.md has the table."""
    wrong, studies = 0, 0
    with capsys.disabled():
        for trials in (6, 12):
            for of_people in (0.5, 1.0, 1.5):
                for features in (3, 8, 20):
                    found = []
                    for seed in range(100):
                        study = made(seed, of_people, of_classes=0.0, people=24, features=features, trials=trials)
                        wrong, studies = wrong + bool(alike(study)), studies + 1
                        found.append(("S07", "S99") in alike(split(study, "S07")))
                    print(f"\n{trials} trials, {features} features, people differ by {of_people}: {np.mean(found):.0%}")
        print(f"called one person without being one: in {wrong} of {studies} studies")
    assert wrong <= 0.01 * studies


@pytest.mark.slow
@pytest.mark.skipif(not RUNNING.is_file(), reason="the running recordings are not beside this checkout")
def test_real_runners_under_two_names_are_found() -> None:
    study = load_source(str(RUNNING))
    assert alike(study) == ()
    found = {name: alike(split(study, name)) for name in np.unique(study.subjects).tolist()}
    assert all(pairs in ((), ((name, "S99"),)) for name, pairs in found.items())
    assert sum(map(bool, found.values())) >= 40
