"""The simulated study is what it declares to be, on every machine."""

from __future__ import annotations

import numpy as np
import pytest

from steps.core.data.dataset import Dataset
from steps.core.readers.load import load_source
from steps.core.readers.simulate import SimulationSize, feature_names, simulate
from steps.errors import UserError

SMALL = SimulationSize(subjects=4, controls=1, trials_min=1, trials_max=3, features=6)
DIGEST = "0a405b2d523e0c35f314dbe540bb89e2e66076d65fe1947592e9b33033e9d16f"


@pytest.fixture(scope="module")
def study() -> Dataset:
    return simulate(SimulationSize())


def test_default_study(study: Dataset) -> None:
    assert study.values.shape[1:] == (101, 24)
    assert study.time[0] == 0.0
    assert study.time[-1] == 100.0
    assert (study.time_unit, study.label_names) == ("%", ("no_fear", "fear"))
    subjects, counts = np.unique(study.subjects, return_counts=True)
    assert subjects.tolist() == [f"C{i:02d}" for i in range(1, 7)] + [f"S{i:02d}" for i in range(1, 25)]
    assert counts.min() >= 5
    assert counts.max() <= 10
    fear = {name for name in subjects if study.labels[study.subjects == name].any()}
    assert len(fear) == 12
    assert all(study.labels[study.subjects == name].all() for name in fear)
    assert set(study.subjects[study.is_control]) == {f"C{i:02d}" for i in range(1, 7)}
    assert not study.labels[study.is_control].any()
    assert study.units["knee_moment_x"] == "Nm/kg"
    assert study.units["thorax_angle_z"] == "deg"


def test_other_people_of_the_same_population() -> None:
    study, others, again = (simulate(SMALL, seed=3, people=people) for people in (None, 1, 1))
    assert others.planted_truth == study.planted_truth
    assert others.digest() == again.digest()
    assert not any((trial == study.values).all(axis=(1, 2)).any() for trial in others.values)
    assert simulate(SMALL, seed=4).planted_truth != study.planted_truth


def test_pinned_digest() -> None:
    assert simulate(SMALL, timesteps=11, seed=7).digest() == DIGEST


def test_same_arguments_same_digest_other_seed_other_digest() -> None:
    assert simulate(SMALL, seed=1).digest() == simulate(SMALL, seed=1).digest() == simulate(SMALL, 101, 1).digest()
    assert simulate(SMALL, seed=1).digest() != simulate(SMALL, seed=2).digest()


@pytest.mark.parametrize("seed", range(5))
def test_fear_is_confined_to_the_planted_truth(seed: int) -> None:
    study, without = simulate(SimulationSize(), seed=seed), simulate(SimulationSize(effect=0.0), seed=seed)
    assert study.planted_truth is not None
    assert without.planted_truth is not None
    assert without.planted_truth.windows == {}
    windows = study.planted_truth.windows
    assert len(windows) == 5
    changed = (study.values != without.values).any(axis=0)  # (timesteps, features)
    for index, feature in enumerate(study.features):
        points = np.flatnonzero(changed[:, index])
        if feature in windows:
            first, last = windows[feature]
            assert 20 <= last - first + 1 <= 30
            assert len(points) >= 18
            assert first <= points[0] <= points[-1] <= last
        else:
            assert not len(points)


@pytest.mark.parametrize("seed", range(3))
def test_subjects_differ_more_than_fear_does(seed: int) -> None:
    study, without = simulate(SimulationSize(), seed=seed), simulate(SimulationSize(effect=0.0), seed=seed)
    scale = np.where(np.char.find(np.array(study.features), "moment") >= 0, 0.5, 8.0)
    names = np.unique(study.subjects[~study.is_control])
    means = np.stack([without.values[without.subjects == name].mean(axis=0) for name in names]) / scale
    between = means.var(axis=0, ddof=1).mean(axis=0)  # of each feature, over the landing
    effect = (study.values - without.values) / scale
    patients, fear = ~study.is_control, study.labels == 1
    difference = (effect[fear].mean(axis=0) - effect[patients & ~fear].mean(axis=0)) ** 2
    planted = difference.mean(axis=0) > 0
    assert planted.sum() == 5
    assert between[planted].mean() > difference.mean(axis=0)[planted].mean()


def test_sizes_and_names() -> None:
    study = simulate(SimulationSize(subjects=5, controls=0, trials_min=2, trials_max=2, features=26), timesteps=2)
    assert study.values.shape == (10, 2, 26)
    assert study.features[:2] == ("ankle_moment_x", "ankle_moment_y")
    assert study.features[24:] == ("extra_25", "extra_26")
    assert "extra_25" not in study.units
    assert feature_names(1) == ("ankle_moment_x",)


def test_the_fewest_trials_are_not_more_than_the_most() -> None:
    with pytest.raises(UserError, match="trials_max is 4"):
        SimulationSize(trials_min=5, trials_max=4)


def test_through_the_loader() -> None:
    assert load_source("simulated", seed=3, simulation=SMALL).digest() == simulate(SMALL, seed=3).digest()
    assert load_source("simulated", timesteps=50, simulation=SMALL, positive_label="fear").timesteps == 50
    with pytest.raises(UserError, match="timesteps is 1"):
        simulate(SMALL, timesteps=1)
