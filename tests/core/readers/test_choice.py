"""Which columns are what: time and identities under their usual names, features that are wanted or left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from steps.core.formats.time_column import is_time, unit_in_name
from steps.core.readers.choice import Choice
from steps.core.readers.load import load_source
from steps.errors import UserError
from tests.core.readers.helpers import long_frame, trial_file, write_folder, write_table

TIMES = ["time", "Time", "TIME", "t", "timestamp", "Timestamp", "time stamp", "Time_Stamp", "timestamps", "time_s",
         "Time [s]", "Time (ms)", "time_ms", "t (s)", "t_s", "time[ms]", "Time [%]", "timestamp_us"]  # fmt: skip
NO_TIMES = [
    "T",
    "temperature",
    "t_skin",
    "t [°C]",
    "tibia",
    "timer",
    "times",
    "time_to_peak",
    "T_s",
    "T1",
    "stance time",
]


@pytest.mark.parametrize("name", TIMES)
def test_time_under_its_usual_names_is_time(name: str, tmp_path: Path) -> None:
    assert is_time(name)
    frame = long_frame()
    expected = load_source(write_table(frame, tmp_path / "plain.csv"))
    source = write_table(frame.rename(columns={"time": f" {name} "}), tmp_path / "study.csv")
    folder = write_folder(frame, tmp_path / "study")
    for path in (tmp_path / "study").rglob("*.csv"):
        path.write_text(path.read_text().replace("time,", f"{name},", 1))
    for dataset in (load_source(source), load_source(folder)):
        assert dataset.digest() == expected.digest()
        assert dataset.notes == (() if name == "time" else (f"Took the column {name!r} as time.",))


def test_a_unit_may_follow_a_comma() -> None:  # as Noraxon writes it
    assert is_time("Time,s")
    assert unit_in_name("time, ms") == "ms"
    assert not is_time("time,knee")


@pytest.mark.parametrize("name", NO_TIMES)
def test_other_names_are_not_time(name: str, tmp_path: Path) -> None:
    assert not is_time(name)
    dataset = load_source(write_table(long_frame().rename(columns={"knee": name}), tmp_path / "study.csv"))
    assert (dataset.features, dataset.notes) == ((name, "hip"), ())


def test_two_columns_that_may_be_time_are_refused(tmp_path: Path) -> None:
    frame = long_frame().assign(Timestamp=np.sqrt(np.arange(40)))
    source = write_table(frame, tmp_path / "study.csv")
    with pytest.raises(
        UserError,
        match=r"study\.csv has the columns 'time', 'Timestamp', which could all be 'time'; .* ignore=Timestamp, .*"
        r"features='\*,Timestamp'",
    ):
        load_source(source)
    plain = load_source(write_table(long_frame(), tmp_path / "plain.csv"))
    assert load_source(source, choice=Choice.of(ignore="Timestamp")).digest() == plain.digest()
    assert load_source(source, choice=Choice.of(features="*,Timestamp")).features == ("knee", "hip", "Timestamp")


def test_identities_in_capitals_are_taken_and_said(tmp_path: Path) -> None:
    frame = long_frame().assign(test_number=1)
    capital = frame.rename(columns=lambda name: name.upper() if name not in ("knee", "hip") else name)
    dataset = load_source(write_table(capital, tmp_path / "capital.csv"))
    assert dataset.digest() == load_source(write_table(frame, tmp_path / "study.csv")).digest()
    assert dataset.notes[0].startswith("Took the column 'SUBJECT' as subject, the column 'LABEL' as label")
    both = write_table(frame.assign(Label=1.0), tmp_path / "both.csv")
    with pytest.raises(UserError, match=r"columns 'label', 'Label', which could all be 'label'; .* ignore=Label"):
        load_source(both)
    assert load_source(both, choice=Choice.of(ignore="Label")).features == ("knee", "hip")


@pytest.mark.parametrize(
    ("name", "other", "hint"),
    [
        ("subject", "participant_id", "did you mean 'participant_id'? call it 'subject'"),
        ("subject", "Participant", "did you mean 'Participant'?"),
        ("subject", "subjekt", "did you mean 'subjekt'?"),
        ("label", "Condition", "did you mean 'Condition'? call it 'label'"),
        ("trial", "TrialNumber", "did you mean 'TrialNumber'?"),
        ("time", "seconds", "did you mean 'seconds'?"),
    ],
)
def test_a_missing_column_may_be_there_under_another_name(name: str, other: str, hint: str, tmp_path: Path) -> None:
    source = write_table(long_frame().rename(columns={name: other}), tmp_path / "study.csv")
    with pytest.raises(UserError) as caught:
        load_source(source)
    assert f"study.csv has no column '{name}', expected subject, label, trial, time and features; {hint}" in str(
        caught.value
    )


WIDE = {"EMG1": 1.0, "EMG2": 2.0, "hip_y, left": 3.0, "EMG $RMS$ [%]": 4.0}
CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("all", "none"): ("knee", "hip", *WIDE),
    ("knee,hip", "none"): ("knee", "hip"),
    (" knee , EMG* ", "none"): ("knee", "EMG1", "EMG2", "EMG $RMS$ [%]"),
    ("all", "EMG?"): ("knee", "hip", "hip_y, left", "EMG $RMS$ [%]"),
    ("*", "EMG*"): ("knee", "hip", "hip_y, left"),
    ("*,EMG1", "EMG*"): ("knee", "hip", "EMG1", "hip_y, left"),
    ('knee,"hip_y, left"', "none"): ("knee", "hip_y, left"),
    ("all", 'EMG $RMS$ [%],"hip_y, left"'): ("knee", "hip", "EMG1", "EMG2"),
    ("EMG[1]", "none"): ("EMG1",),
}


@pytest.mark.parametrize("choice", CHOICES)
def test_features_are_chosen_by_name_or_glob(choice: tuple[str, str], tmp_path: Path) -> None:
    frame = long_frame()
    for name, factor in WIDE.items():
        frame[name] = factor * frame["knee"] + frame["hip"]
    folder = tmp_path / "study"
    for key, rows in frame.groupby(["subject", "label", "trial"]):
        path = folder / "participants" / str(key[0]) / str(key[1]) / f"{key[2]}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows.drop(columns=["subject", "label", "trial", "group"]).to_csv(path, index=False)
    sources = [write_table(frame, tmp_path / f"study.{suffix}") for suffix in ("csv", "parquet")]
    digests = set()
    for source in (*sources, str(folder)):
        dataset = load_source(source, choice=Choice.of(features=choice[0], ignore=choice[1]))
        assert dataset.features == CHOICES[choice]
        left = tuple(name for name in ("knee", "hip", *WIDE) if name not in dataset.features)
        assert dataset.left_out == left
        assert dataset.notes == ((f"Left out {', '.join(map(repr, left))}.",) if left else ())
        np.testing.assert_array_equal(
            dataset.values.reshape(-1, len(dataset.features)), frame[list(dataset.features)].to_numpy(np.float32)
        )
        digests.add(dataset.digest())
    assert len(digests) == 1


def test_columns_that_are_no_numbers_can_be_left_out(tmp_path: Path) -> None:
    frame = long_frame().assign(comment="ok; 1,5")
    frame["<b>"] = "x"
    frame["when"] = pd.Timestamp("2024-01-01")
    for suffix in ("csv", "parquet"):
        source = write_table(frame, tmp_path / f"study.{suffix}")
        with pytest.raises(
            UserError, match=r"holds 'ok; 1,5'.* expected a number; .* left out with ignore='when,<b>,comment'"
        ):
            load_source(source, choice=Choice.of(ignore="when,<b>"))
        dataset = load_source(source, choice=Choice.of(ignore="comment,when,<b>"))
        assert dataset.digest() == load_source(write_table(long_frame(), tmp_path / "plain.csv")).digest()
        assert dataset.left_out == ("comment", "<b>", "when")


def test_a_column_that_only_some_files_have_can_be_left_out(tmp_path: Path) -> None:
    source = write_folder(long_frame(), tmp_path)
    expected = load_source(source).digest()
    path = trial_file(source, "S2", "fear", "t1")
    pd.read_csv(path).assign(note="x", label=1).to_csv(path, index=False)
    with pytest.raises(UserError, match=r"has a column 'label', .* leave it out with ignore=note,label"):
        load_source(source, choice=Choice.of(ignore="note"))
    dataset = load_source(source, choice=Choice.of(ignore="note,label"))
    assert (dataset.digest(), dataset.left_out) == (expected, ("note", "label"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": "knee,hop"}, r"features names 'hop', which is no column of .*; did you mean 'hip'\?"),
        ({"features": "Knee"}, r"features names 'Knee', .*; it has .*'knee', 'hip'; did you mean 'knee'\?"),
        ({"features": "EMG*"}, r"features names 'EMG\*', which is no column of "),
        ({"ignore": "EMG*,hip"}, r"ignore names 'EMG\*', which is no column of "),
        ({"ignore": "ankle"}, r"ignore names 'ankle', which is no column of .*; it has .*'knee', 'hip'$"),
        ({"features": "knee", "ignore": "knee"}, "features and ignore both name 'knee'"),
        ({"features": "knee,subject"}, "features names 'subject', which is no feature"),
        ({"features": ""}, "features is ''"),
        ({"features": "knee,,hip"}, "features is 'knee,,hip', expected names of columns separated by commas"),
        ({"ignore": '"knee'}, "ignore is '\"knee', expected names separated by commas"),
        ({"ignore": "knee,hip"}, "has no numeric feature: its columns are "),
    ],
)
def test_a_choice_that_cannot_be_is_one_line(options: dict[str, str], message: str, tmp_path: Path) -> None:
    for source in (write_table(long_frame(), tmp_path / "study.csv"), write_folder(long_frame(), tmp_path / "study")):
        with pytest.raises(UserError, match=message) as caught:
            load_source(source, choice=Choice.of(**options))
        assert "\n" not in str(caught.value)


def test_the_simulated_study_has_no_columns_to_choose_from() -> None:
    with pytest.raises(UserError, match="features, ignore and columns choose and name columns of files"):
        load_source("simulated", choice=Choice.of(ignore="knee*"))


def test_a_models_features_are_features_whatever_they_are_called() -> None:
    choice = Choice(known=("t", "Frame"), left_out=("age", "Frame"))
    assert choice.names("t")
    assert choice.leaves_out("age")
    assert not choice.leaves_out("Frame")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(max_size=30) | st.text(alphabet='knehip*?[],"\n! _', max_size=12),
    wanted=st.booleans(),
)
@example(text="9" * 200_000, wanted=True)
@example(text="[" * 50 + "," + "*" * 5000, wanted=True)
def test_no_choice_is_more_than_one_line(text: str, wanted: bool, tmp_path: Path) -> None:
    source = tmp_path / "study.csv"
    if not source.exists():
        write_table(long_frame(), source)
    try:
        load_source(str(source), choice=Choice.of(features=text) if wanted else Choice.of(ignore=text))
    except UserError as error:
        message = str(error)
    else:
        return
    assert message.isprintable()
    assert len(message) < 500
