"""What a good source becomes: labels, names, time axes, notes; the same study gives the same digest."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steps.core.data.dataset import Dataset
from steps.core.readers.load import load_source, source_fingerprint
from steps.errors import UserError
from tests.core.readers.helpers import FEATURES, long_frame, trial_file, write_folder, write_table

WITH_CONTROLS = {"S1": "fear", "S2": "fear", "S3": "calm", "S4": "calm", "K1": ""}
quick = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _load(frame: pd.DataFrame, path: Path, **options: object) -> Dataset:
    return load_source(write_table(frame, path / "study.csv"), **options)  # type: ignore[arg-type]


def test_values_arrive_unchanged(tmp_path: Path) -> None:
    frame = long_frame()
    dataset = _load(frame, tmp_path)
    assert dataset.values.dtype == np.float32
    assert dataset.features == tuple(FEATURES)
    assert dataset.time == (0.0, 0.5, 1.0, 1.5, 2.0)
    assert (dataset.time_unit, dataset.notes) == ("recorded", ())
    assert dataset.subjects.tolist() == ["S1", "S1", "S2", "S2", "S3", "S3", "S4", "S4"]
    assert dataset.trials.tolist() == ["t0", "t1"] * 4
    np.testing.assert_array_equal(dataset.values.reshape(-1, 2), frame[FEATURES].to_numpy(np.float32))


def test_folder_and_tables_of_one_study_have_one_digest(tmp_path: Path) -> None:
    frame = long_frame(WITH_CONTROLS)
    sources = [
        write_folder(frame, tmp_path / "study"),
        write_table(frame, tmp_path / "study.csv"),
        write_table(frame, tmp_path / "study.parquet"),
        write_table(frame.astype({"subject": "category", "trial": "category"}), tmp_path / "other.parquet"),
    ]
    datasets = [load_source(source) for source in sources]
    assert len({dataset.digest() for dataset in datasets}) == 1
    assert [dataset.source for dataset in datasets] == sources


@quick
@given(order=st.permutations(range(40)), columns=st.permutations(["subject", "label", "trial", "group", "time"]))
def test_row_order_and_place_of_the_key_columns_do_not_matter(
    tmp_path: Path, order: list[int], columns: list[str]
) -> None:
    frame = long_frame()
    trial = np.array(order) // 5  # rows of all trials mixed, each trial's in order of time
    mixed = np.argsort(np.argsort(trial, kind="stable"))
    shuffled = frame.iloc[mixed][[columns[0], "knee", *columns[1:], "hip"]]
    assert _load(shuffled, tmp_path).digest() == _load(frame, tmp_path).digest()


@quick
@given(columns=st.permutations(["time", *FEATURES]))
def test_feature_order_of_a_later_file_does_not_matter(tmp_path: Path, columns: list[str]) -> None:
    source = write_folder(long_frame(), tmp_path)
    expected = load_source(source).digest()
    path = trial_file(source, "S4", "calm", "t1")
    pd.read_csv(path)[columns].to_csv(path, index=False)
    assert load_source(source).digest() == expected


def test_control_group_is_marked_and_negative(tmp_path: Path) -> None:
    frame = long_frame(WITH_CONTROLS)
    frame.loc[frame["subject"] == "K1", "label"] = "fear"
    dataset = _load(frame, tmp_path)
    assert dataset.is_control.tolist() == [True, True] + [False] * 8
    assert dataset.labels[dataset.is_control].tolist() == [0, 0]
    assert dataset.label_names == ("calm", "fear")


def test_control_folders_are_joined_into_a_subject(tmp_path: Path) -> None:
    source = write_folder(long_frame(), tmp_path)
    for i, name in enumerate(("club/K 1/a.csv", "club/K 1/b.CSV", "b.csv", "club/._c.csv")):
        path = tmp_path / "control_data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(trial_file(source).read_text() + f"2.5,{i},0\n")
    dataset = load_source(source)
    control = dataset.is_control
    assert list(zip(dataset.subjects[control].tolist(), dataset.trials[control].tolist(), strict=True)) == [
        ("club_K 1", "a"),
        ("club_K 1", "b"),
        ("control", "b"),
    ]


@pytest.mark.parametrize(
    ("labels", "positive_label", "expected"),
    [
        (("calm", "fear"), "auto", ("calm", "fear")),
        (("Fear", "worry"), "auto", ("worry", "Fear")),
        (("a", "b"), "auto", ("a", "b")),
        (("a", "b"), "a", ("b", "a")),
        ((0, 1), "auto", ("0", "1")),
    ],
)
def test_positive_class(
    labels: tuple[object, object], positive_label: str, expected: tuple[str, str], tmp_path: Path
) -> None:
    frame = long_frame()
    frame["label"] = frame["label"].map({"calm": labels[0], "fear": labels[1]})
    dataset = _load(frame, tmp_path, positive_label=positive_label)
    assert dataset.label_names == expected
    positive = {str(labels[0]): ["S3", "S4"], str(labels[1]): ["S1", "S2"]}[expected[1]]
    assert sorted(set(dataset.subjects[dataset.labels == 1].tolist())) == positive


def test_three_classes_with_a_positive_label(tmp_path: Path) -> None:
    frame = long_frame({"S1": "fear", "S2": "fear", "S3": "calm", "S4": "bored"})
    extra = frame[frame["subject"] == "S3"].assign(label="bored")
    extra[FEATURES] += 1
    dataset = _load(pd.concat([frame, extra]), tmp_path, positive_label="fear")
    assert dataset.label_names == ("rest", "fear")
    # The trials of two labels that became one class keep different names.
    assert dataset.trials[dataset.subjects == "S3"].tolist() == ["t0_bored", "t0_calm", "t1_bored", "t1_calm"]
    assert dataset.trials[dataset.subjects == "S4"].tolist() == ["t0", "t1"]


def test_a_subject_may_have_trials_of_both_classes(tmp_path: Path) -> None:
    frame = long_frame({"S1": "fear", "S2": "fear"})
    dataset = _load(pd.concat([frame, frame.assign(label="calm", hip=frame["knee"])]), tmp_path)
    assert dataset.label_counts == {"0": 4, "1": 4}


def test_numbers_as_names_and_test_numbers(tmp_path: Path) -> None:
    frame = long_frame({"7": "fear", "8": "fear", "9": "calm", "10": "calm"}, trials=1)
    repeated = frame[frame["subject"] == "7"].assign(hip=1.0)
    frame = pd.concat([frame.assign(test_number=1), repeated.assign(test_number=2)])
    frame = frame.assign(subject=frame["subject"].astype(float), trial=3)
    from_csv = _load(frame, tmp_path)
    assert from_csv.subjects.tolist() == ["10", "7", "7", "8", "9"]
    assert from_csv.trials.tolist() == ["3", "3_t1", "3_t2", "3", "3"]
    assert load_source(write_table(frame, tmp_path / "study.parquet")).digest() == from_csv.digest()


def test_names_of_many_alphabets_and_one_spelling_of_accents(tmp_path: Path) -> None:
    composed = long_frame({"Jürgen": "fear", "小明": "fear", "Анна 2": "calm", "x_1-b.c": "calm"})
    decomposed = composed.assign(subject=composed["subject"].replace("Jürgen", "Ju\u0308rgen"))
    assert _load(decomposed, tmp_path).digest() == _load(composed, tmp_path).digest()


def test_header_with_spaces_byte_order_mark_and_windows_lines(tmp_path: Path) -> None:
    frame = long_frame()
    expected = _load(frame, tmp_path).digest()
    text = frame.to_csv(index=False, lineterminator="\r\n").replace("knee,hip", " knee , hip")
    (tmp_path / "windows.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert load_source(str(tmp_path / "windows.csv")).digest() == expected


def test_time_axes(tmp_path: Path) -> None:
    frame = long_frame()
    assert _load(frame.assign(time=frame["time"] * 50), tmp_path).time_unit == "%"
    shifted = _load(frame.assign(time=frame["time"] + 7 * (frame["trial"] == "t1")), tmp_path)
    assert (shifted.time, shifted.time_unit) == ((0.0, 0.5, 1.0, 1.5, 2.0), "recorded")
    untimed = load_source(write_folder(frame, tmp_path / "study", with_time=False))
    assert (untimed.time, untimed.time_unit) == ((0.0, 1.0, 2.0, 3.0, 4.0), "sample")


def test_unequal_lengths_are_normalised_to_101_points(tmp_path: Path) -> None:
    frame = long_frame(timesteps=7).drop(index=[5, 6])
    dataset = _load(frame, tmp_path)
    assert (dataset.timesteps, dataset.time[0], dataset.time[-1], dataset.time_unit) == (101, 0.0, 100.0, "%")
    assert dataset.notes == ("Time-normalised 8 trials of 5 to 7 time points to 101 points by linear interpolation.",)
    assert dataset.time_normalised
    np.testing.assert_array_equal(dataset.values[0, [0, -1]], frame[FEATURES].to_numpy(np.float32)[[0, 4]])


def test_timesteps_resamples_unless_it_is_the_length(tmp_path: Path) -> None:
    frame = long_frame()
    dataset = _load(frame, tmp_path, timesteps=9)
    assert (dataset.timesteps, dataset.time_unit) == (9, "%")
    assert dataset.notes == ("Time-normalised 8 trials of 5 time points to 9 points by linear interpolation.",)
    np.testing.assert_array_equal(dataset.values[:, ::2], _load(frame, tmp_path).values)
    assert _load(frame, tmp_path, timesteps=5).digest() == _load(frame, tmp_path).digest()


def test_short_gaps_are_interpolated_and_noted(tmp_path: Path) -> None:
    frame = long_frame(timesteps=7)
    frame["knee"] = (3 + frame.index // 7) * frame["time"]  # in every trial at another speed: no clock
    expected = _load(frame, tmp_path)
    holed = frame.copy()
    holed.loc[[2, 3], "knee"] = [np.nan, np.inf]  # two samples of the first trial
    holed.loc[9, "knee"] = -np.inf
    dataset = _load(holed.drop(index=[10]), tmp_path, max_gap=2)  # row 10 follows row 9: one gap of two samples
    assert dataset.notes == (
        "Interpolated 1 missing time points and 3 missing values in 2 trials (gaps of up to 2 samples).",
    )
    np.testing.assert_allclose(dataset.values[..., 0], expected.values[..., 0], rtol=1e-6)
    with pytest.raises(UserError, match="gap of 2 samples"):
        _load(holed.drop(index=[10]), tmp_path, max_gap=1)


def test_fingerprint_follows_bytes_and_names(tmp_path: Path) -> None:
    source = write_folder(long_frame(WITH_CONTROLS), tmp_path / "study")
    first = source_fingerprint(source)
    assert source_fingerprint(write_folder(long_frame(WITH_CONTROLS), tmp_path / "copy")) == first
    path = trial_file(source)
    content = path.read_bytes()
    path.write_bytes(content + b"9,9,9\n")
    assert source_fingerprint(source) != first
    path.write_bytes(content)
    assert source_fingerprint(source) == first
    path.rename(path.parent / "other.csv")
    assert source_fingerprint(source) != first
    table = write_table(long_frame(), tmp_path / "study.csv")
    assert len(source_fingerprint(table)) == 64
    assert source_fingerprint("simulated") == source_fingerprint("simulated") == "simulated"


@pytest.mark.slow
def test_a_million_rows_are_read_in_seconds(tmp_path: Path) -> None:
    subjects, trials, timesteps = 100, 100, 100
    rows = subjects * trials * timesteps
    rng = np.random.default_rng(0)
    index = np.arange(rows)
    subject = index // (trials * timesteps)
    columns: dict[str, object] = {
        "subject": subject,
        "label": np.where(subject % 2, "fear", "calm"),
        "trial": index // timesteps % trials,
        "time": index % timesteps,
    }
    columns |= {f"f{i}": np.round(rng.normal(size=rows), 4) for i in range(10)}
    pa.csv.write_csv(pa.table(columns), tmp_path / "large.csv")
    start = time.perf_counter()
    dataset = load_source(str(tmp_path / "large.csv"))
    seconds = time.perf_counter() - start
    assert dataset.values.shape == (10_000, 100, 10)
    assert seconds < 20, f"{seconds:.1f} s"  # measured: about 3 s
