"""What recordings tell about how they were made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from steps.core.readers.load import load_source
from steps.core.readers.quantisation import quantisation_steps

Doubles = npt.NDArray[np.float64]


def walk(seed: int, samples: int = 100, features: int = 4) -> Doubles:
    return np.random.default_rng(seed).normal(size=(samples, features)).cumsum(axis=0)


def test_values_that_are_multiples_have_their_step() -> None:
    for step in (0.5, 0.1, 0.037, 0.25):
        trials = [np.round(walk(seed) / step) * step for seed in range(5)]
        np.testing.assert_allclose(quantisation_steps(trials), step, rtol=0.02)
        single = [trial.astype(np.float32).astype(np.float64) for trial in trials]
        np.testing.assert_allclose(quantisation_steps(single), step, rtol=0.02)


def test_continuous_values_have_none() -> None:
    assert (quantisation_steps([walk(seed) for seed in range(50)]) == 0).all()
    single = [walk(seed).astype(np.float32).astype(np.float64) for seed in range(50)]
    assert (quantisation_steps(single) == 0).all()


def test_a_large_and_a_small_trial_are_judged_alike() -> None:
    """Or an amplitude that goes with the class would look like a step that does."""
    trials = [np.round(walk(seed) * (1 if seed % 2 else 0.05), 2) for seed in range(6)]
    np.testing.assert_allclose(quantisation_steps(trials), 0.01)
    finer = [np.round(walk(seed) * (1000 if seed % 2 else 50), 2) for seed in range(6)]
    assert (quantisation_steps(finer) == 0).all()


def test_too_few_different_values_say_nothing() -> None:
    trial = np.tile([[0.0], [1.0]], (20, 1))
    assert np.isnan(quantisation_steps([trial])).all()


def table(folder: Path, frame: pd.DataFrame) -> str:
    path = folder / "study.csv"
    frame.to_csv(path, index=False)
    return str(path)


def frame() -> pd.DataFrame:
    """Four people, two trials each, recorded in the order of their number from the last to the first."""
    rows = []
    for person in (4, 3, 2, 1):
        for trial in (1, 2):
            values = np.round(walk(10 * person + trial, samples=20 + person, features=2), 1)
            time = 100 * person + np.arange(len(values)) / (10 * person)
            one = pd.DataFrame({"subject": f"S{person}", "label": "calm" if person % 2 else "fear",
                                "trial": f"t{trial}", "time": time})  # fmt: skip
            rows.append(one.assign(x=values[:, 0], y=values[:, 1]))
    return pd.concat(rows, ignore_index=True)


def test_facts_of_a_table_are_of_the_recordings_before_anything_was_done(tmp_path: Path) -> None:
    study = frame()
    study.loc[(study["subject"] == "S2") & (study["trial"] == "t1") & (study["time"] == 201.0), "x"] = np.nan
    facts = load_source(table(tmp_path, study), max_gap=3).facts
    assert facts
    people = np.repeat([1, 2, 3, 4], 2)  # in the order of the dataset
    np.testing.assert_array_equal(facts.order, [6, 7, 4, 5, 2, 3, 0, 1])
    np.testing.assert_array_equal(facts.samples, 20 + people)
    np.testing.assert_allclose(facts.start, 100 * people)
    np.testing.assert_allclose(facts.duration, (19 + people) / (10 * people))
    np.testing.assert_allclose(facts.missing, np.where(np.arange(8) == 2, 1 / 44, 0))
    np.testing.assert_allclose(facts.quantisation, 0.1)


def test_a_time_point_that_is_missing_counts_with_all_its_values(tmp_path: Path) -> None:
    study = frame()
    gone = (study["subject"] == "S1") & (study["trial"] == "t2") & (study["time"].round(6) == 100.5)
    facts = load_source(table(tmp_path, study[~gone]), max_gap=3).facts
    assert facts
    np.testing.assert_allclose(facts.missing[1], 1 / 21)
    assert facts.samples[1] == 21, "as long as it would have been"


@pytest.mark.parametrize("has_time", [True, False])
def test_a_folder_has_no_order_but_that_of_names(has_time: bool, tmp_path: Path) -> None:
    for (subject, label, trial), rows in frame().groupby(["subject", "label", "trial"]):
        path = tmp_path / "study" / "participants" / str(subject) / str(label) / f"{trial}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows[["time", "x", "y"] if has_time else ["x", "y"]].to_csv(path, index=False)
    facts = load_source(str(tmp_path / "study")).facts
    assert facts
    assert np.isnan(facts.order).all()
    assert np.isnan(facts.start).all() == (not has_time)
    assert np.isnan(facts.duration).all() == (not has_time)
    np.testing.assert_array_equal(facts.samples, 20 + np.repeat([1, 2, 3, 4], 2))
