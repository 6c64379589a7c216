"""Recordings and people that are there twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from steps.core.audit import twice
from steps.core.audit.twice import in_both_groups, one_person_by_name, same_recordings
from steps.core.data.dataset import Dataset
from steps.core.readers.simulate import SimulationSize, simulate

Values = npt.NDArray[np.float32]
_ONE, _OTHER = 3, 20


def with_copy(study: Dataset, change: Callable[[Values], npt.NDArray[np.floating]]) -> Dataset:
    """A study in which one trial is another one's, changed; the two are of different people."""
    assert study.subjects[_ONE] != study.subjects[_OTHER]
    values = study.values.copy()
    values[_OTHER] = change(values[_ONE])
    return replace(study, values=values)


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values,
        lambda values: np.round(values, 2),
        lambda values: values * np.pi / 180 + 3,
        lambda values: values + 0.02 * values.std(axis=0) * np.random.default_rng(0).normal(size=values.shape),
    ],
    ids=["the same", "rounded", "another unit and offset", "a little noise"],
)
def test_one_recording_of_two_people_is_found(change: Callable[[Values], Values], small_study: Dataset) -> None:
    study = with_copy(small_study, change)
    (pair,) = same_recordings(study) or []
    assert pair.subjects == tuple(sorted([str(study.subjects[_ONE]), str(study.subjects[_OTHER])]))
    assert set(pair.trials) == {str(study.trials[_ONE]), str(study.trials[_OTHER])}
    assert pair.pairs == 1
    assert pair.distance < twice.CLOSE


def test_a_person_under_another_name_is_one_finding(small_study: Dataset) -> None:
    own, other = small_study.subjects == "S01", small_study.subjects == "S02"
    count = min(own.sum(), other.sum())
    values = small_study.values.copy()
    values[np.flatnonzero(other)[:count]] = values[np.flatnonzero(own)[:count]]
    (pair,) = same_recordings(replace(small_study, values=values)) or []
    assert (pair.subjects, pair.pairs) == (("S01", "S02"), count)


def test_a_recording_in_both_classes_of_a_person_is_found(within_study: Dataset) -> None:
    values = within_study.values.copy()
    one, other = (np.flatnonzero((within_study.subjects == "S01") & (within_study.labels == c))[0] for c in (0, 1))
    values[one] = values[other]
    (pair,) = same_recordings(replace(within_study, values=values)) or []
    assert pair.subjects == ("S01", "S01")


@pytest.mark.parametrize(("timesteps", "features"), [(3, 1), (5, 1), (9, 2), (101, 6)])
def test_no_two_different_recordings_are_called_the_same(timesteps: int, features: int) -> None:
    for seed in range(5):
        study = simulate(SimulationSize(features=features), timesteps=timesteps, seed=seed)
        assert same_recordings(study) == []


def test_trials_of_a_sensor_that_was_off_are_nobodys(small_study: Dataset) -> None:
    values = small_study.values.copy()
    values[[_ONE, _OTHER]] = 0.0
    assert same_recordings(replace(small_study, values=values)) == []
    assert same_recordings(replace(small_study, values=np.ones_like(values))) == []


def test_it_is_the_same_in_pieces(small_study: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    study = with_copy(small_study, lambda values: values)
    whole = same_recordings(study)
    monkeypatch.setattr(twice, "_BLOCK", 7)
    pieces = same_recordings(study)
    assert whole
    assert pieces
    assert [pair.subjects for pair in pieces] == [pair.subjects for pair in whole]
    monkeypatch.setattr(twice, "MOST_TRIALS", 7)
    assert same_recordings(study) is None


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["P01_pre", "P01_post", "P02_pre", "P02_post"], [("P01_post", "P01_pre"), ("P02_post", "P02_pre")]),
        (["S07", "S07b", "S08"], [("S07", "S07b")]),
        (["S07", "S07_2", "S08", "S09"], [("S07", "S07_2")]),
        (["12 left", "12 right", "13 left"], [("12 left", "12 right")]),
        (["S01", "S02", "S10", "S11", "S12"], []),
        (["S01_a", "S02_a", "S03_a"], []),
        ([f"G{group}_{person:02d}" for group in (1, 2) for person in range(12)], []),
        (["fear_1", "fear_2", "calm_1", "calm_2"], []),
        (["Anna", "Annabel", "Ben"], []),
        (["2021-03-01", "2021-03-02", "2021-03-03", "2021-03-04"], []),
    ],
)
def test_names_that_look_like_parts_of_one_person(names: list[str], found: list[tuple[str, ...]]) -> None:
    assert one_person_by_name([*names, *names]) == found


def test_one_person_in_both_groups(small_study: Dataset, within_study: Dataset) -> None:
    study = small_study.select(~small_study.is_control)
    assert in_both_groups(study) == []
    labels = study.labels.copy()
    labels[0] = 1 - labels[0]
    assert in_both_groups(replace(study, labels=labels)) == [study.subjects[0]]
    assert in_both_groups(within_study.select(~within_study.is_control)) == [], "there everybody is in both"
