"""Trials that the user leaves out: who is meant, what is said, and that nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from steps.core.readers.load import load_source
from steps.core.readers.simulate import SimulationSize
from steps.errors import UserError
from steps.parameter_values import parse_exclude
from tests.core.readers.helpers import long_frame, trial_file, write_folder, write_table

FOUR = {"S1": "fear", "S2": "fear", "S3": "fear", "S4": "calm", "S5": "calm", "S6": "calm"}


def test_excluding_is_the_same_as_not_having_recorded(tmp_path: Path) -> None:
    frame = long_frame(FOUR)
    kept = frame[~((frame["subject"] == "S1") & (frame["trial"] == "t1")) & (frame["subject"] != "S6")]
    whole, part = (write_table(one, tmp_path / name) for one, name in ((frame, "a.csv"), (kept, "b.csv")))
    left = load_source(whole, exclude=parse_exclude("S1/t1, S6"))
    assert left.digest() == load_source(part).digest()
    assert left.excluded == ("S1/t1", "S6/t0", "S6/t1")
    assert "Left out 3 trials of 2 subjects as asked (exclude): S1/t1, S6/t0, S6/t1." in left.notes
    assert left.manifest().excluded == ["S1/t1", "S6/t0", "S6/t1"]


def test_of_a_folder_a_trial_that_could_not_be_used_is_left_out(tmp_path: Path) -> None:
    folder = write_folder(long_frame(FOUR), tmp_path / "study")
    trial_file(folder).write_text("time,knee,hip\n0,1,2\n5,,2\n0.5,1,3\n")
    with pytest.raises(UserError, match="goes back"):
        load_source(folder)
    assert load_source(folder, exclude=parse_exclude("S1/fear/t0")).excluded == ("S1/t0",)


def test_repeats_are_named_as_in_the_dataset(tmp_path: Path) -> None:
    frame = pd.concat([long_frame(FOUR).assign(test_number=1), long_frame(FOUR, seed=1).assign(test_number=2)])
    table = write_table(frame, tmp_path / "study.csv")
    named = load_source(table)
    assert "t0_t2" in named.trials
    assert load_source(table, exclude=parse_exclude("S1/t0_t2")).excluded == ("S1/t0_t2",)
    assert load_source(table, exclude=parse_exclude("S1/t0")).excluded == ("S1/t0_t1", "S1/t0_t2")


def test_of_one_name_under_two_labels_one_can_be_meant(tmp_path: Path) -> None:
    frame = pd.concat(
        [long_frame(dict.fromkeys(FOUR, label), seed=seed) for seed, label in enumerate(["calm", "fear"])]
    )
    left = load_source(write_table(frame, tmp_path / "study.csv"), exclude=parse_exclude("S1/calm/t0"))
    assert left.excluded == ("S1/calm/t0",)
    of_one = (left.subjects == "S1") & (left.trials == "t0")
    assert left.labels[of_one].tolist() == [1]


def test_of_the_simulated_study() -> None:
    size = SimulationSize(subjects=6, controls=1, trials_min=2, trials_max=2, features=2)
    whole = load_source("simulated", simulation=size)
    left = load_source("simulated", simulation=size, exclude=parse_exclude("S01/02,C01"))
    kept = ~((whole.subjects == "C01") | ((whole.subjects == "S01") & (whole.trials == "02")))
    np.testing.assert_array_equal(left.values, whole.values[kept])
    assert left.digest() != whole.digest()


@pytest.mark.parametrize(
    ("exclude", "said"),
    [
        ("S7", "exclude names 'S7', but there is no such subject; there are 'S1', 'S2', 'S3', 'S4', 'S5', 'S6'$"),
        ("S01/t0", "exclude names 'S01/t0', but there is no such subject; there are .*; did you mean 'S1'"),
        ("S1/T1", "exclude names 'S1/T1', but the subject has no such trial; there are 't0', 't1'; did you mean 't1'"),
        ("S1/clam/t0", "exclude names 'S1/clam/t0', but the subject has no such label; there are 'fear'"),
        ("S1/t0,S1/t1,S2,S3,S4,S5,S6", "exclude leaves out all 12 trials, expected some to be left"),
        ("S1,S2", "class 'fear' has one subject only, 'S3'"),
        ("S1,S2,S3", "the data hold one class only"),
    ],
)
def test_what_cannot_be_left_out_is_said(exclude: str, said: str, tmp_path: Path) -> None:
    table = write_table(long_frame(FOUR), tmp_path / "study.csv")
    with pytest.raises(UserError, match=said):
        load_source(table, exclude=parse_exclude(exclude))


def test_too_few_are_left_of_a_simulated_class() -> None:
    size = SimulationSize(subjects=4, controls=0, features=2)
    labels = load_source("simulated", simulation=size)
    positive = np.unique(labels.subjects[labels.labels == 1]).tolist()
    with pytest.raises(UserError, match="class 'fear' has no subject"):
        load_source("simulated", simulation=size, exclude=parse_exclude(",".join(positive)))


@pytest.mark.parametrize("text", ["", " ", "S1,,S2", "S1/", "/t0", "S1/a/b/c"])
def test_a_list_that_names_nothing(text: str) -> None:
    with pytest.raises(UserError, match="exclude="):
        parse_exclude(text)


def test_lists_are_read_once_and_in_order() -> None:
    assert parse_exclude("none") == ()
    assert parse_exclude(" S1 / t0 ,S2,S1/t0") == (("S1", "t0"), ("S2",))
