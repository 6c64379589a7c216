"""Large studies are read in parts: the dataset, what is said of it and its fingerprint are those of reading at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from steps.core.data.dataset import Dataset
from steps.core.readers import folder, in_parts, parquet_parts
from steps.core.readers.choice import Choice
from steps.core.readers.files import Fingerprint
from steps.core.readers.in_parts import check_fits
from steps.core.readers.load import load_source, source_fingerprint
from steps.core.readers.stored import Store, StoredRecording, check_space
from steps.errors import UserError
from steps.system import untrusted_files

Read = Callable[..., tuple[Dataset, str]]


@pytest.fixture(params=[2_000])
def both(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Read, Read]:
    """Reads a source at once, and in parts of so many bytes."""

    def read(source: str, parts: bool, **given: Any) -> tuple[Dataset, str]:
        for module in (folder, parquet_parts):
            monkeypatch.setattr(module, "STREAMED_FROM", 0 if parts else 1 << 60)
            monkeypatch.setattr(module, "PART", request.param)
        monkeypatch.setattr(parquet_parts, "_SMALLEST_FILE", 0)
        fingerprint = Fingerprint()
        stored = _count(monkeypatch)
        dataset = load_source(source, fingerprint=fingerprint, **given)
        assert bool(stored) == parts
        return dataset, fingerprint.hexdigest()

    return (lambda source, **given: read(source, False, **given)), (lambda source, **given: read(source, True, **given))


def _count(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    stored: list[int] = []

    class Counted(StoredRecording):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            stored.append(1)

    monkeypatch.setattr(in_parts, "StoredRecording", Counted)
    return stored


def rows(seed: int = 0, **lengths: int) -> pd.DataFrame:
    """A study with trials of different length, gaps, missing values, a code for them, a control and test numbers."""
    random = np.random.default_rng(seed)
    parts = []
    for person in range(6):
        for trial in range(4):
            count = int(random.integers(20, 40)) if not lengths else lengths["every"]
            values = np.cumsum(random.normal(size=(count, 3)), axis=0)
            part = pd.DataFrame(values, columns=["knee", "hip", "foot"])
            part.insert(0, "time", np.arange(count) / 100)
            part.insert(0, "trial", f"t{trial}")
            part.insert(0, "label", "fear" if person % 2 else "calm")
            part.insert(0, "subject", f"S{person}")
            part["group"] = "control" if person == 5 else "patient"
            parts.append(part)
    parts[3].loc[[5, 6], "hip"] = np.nan
    parts[7].loc[:2, "knee"] = np.nan
    parts[9] = parts[9].drop(index=[11, 12])
    parts[11].loc[8, "foot"] = parts[13].loc[4, "foot"] = -9999.0
    return pd.concat(parts, ignore_index=True)


def as_parquet(frame: pd.DataFrame, path: Path, **given: Any) -> str:
    frame.to_parquet(path, index=False, **{"row_group_size": 70, **given})
    return str(path)


def as_folder(frame: pd.DataFrame, path: Path, described: bool = False) -> str:
    for (subject, label, trial), part in frame.groupby(["subject", "label", "trial"]):
        control = (part["group"] == "control").all()
        below = f"{subject}/{label}" if described else f"participants/{subject}/{label}"
        below = f"control_data/{subject}" if control and not described else below
        (path / below).mkdir(parents=True, exist_ok=True)
        part.drop(columns=["subject", "label", "trial", "group"]).to_csv(path / below / f"{trial}.csv", index=False)
    if described:
        (path / "study.yaml").write_text('files: "{subject}/{label}/{trial}.csv"\nunits: {knee: deg}\n')
    return str(path)


def same(one: tuple[Dataset, str], other: tuple[Dataset, str]) -> None:
    (at_once, first), (parts, second) = one, other
    assert at_once.manifest() == parts.manifest()
    np.testing.assert_array_equal(at_once.values, parts.values)
    assert at_once.facts is not None
    assert parts.facts is not None
    for name, values in vars(at_once.facts).items():
        np.testing.assert_array_equal(getattr(parts.facts, name), values, err_msg=name)
    assert first == second


@pytest.mark.parametrize(
    ("both", "kind", "given"),
    [
        (1, "table", {}),
        (1, "folder", {}),
        (2_000, "described", {}),
        (2_000, "table", {"timesteps": 15}),
        (2_000, "table", {"exclude": (("S0",), ("S1", "t2"), ("S4", "calm", "t0"))}),
        (2_000, "folder", {"exclude": (("S0",), ("S1", "t2"), ("S4", "calm", "t0"))}),
        (2_000, "described", {"choice": Choice.of("*,knee", "foot", "none"), "positive_label": "calm"}),
    ],
    indirect=["both"],
)
def test_a_study_in_parts_is_the_same_study(
    kind: str, given: dict[str, Any], both: tuple[Read, Read], tmp_path: Path
) -> None:
    frame = rows()
    source = as_parquet(frame, tmp_path / "s.parquet") if kind == "table" else ""
    source = source or as_folder(frame, tmp_path / "s", described=kind == "described")
    given = {"max_gap": 3, "trim": True, **given}
    at_once, parts = (read(source, **given) for read in both)
    same(at_once, parts)
    assert parts[1] == source_fingerprint(source)
    if not given.get("exclude") and "choice" not in given:
        assert any("-9999" in note for note in parts[0].notes)
    assert any("Interpolated" in note for note in parts[0].notes)


def test_trials_of_one_length_keep_their_own_time(both: tuple[Read, Read], tmp_path: Path) -> None:
    frame = rows(every=24)
    frame = frame[frame.groupby(["subject", "trial"])["knee"].transform("count") == 24]
    frame = frame[frame.groupby(["subject", "trial"])["hip"].transform("count") == 24]
    frame = frame[frame["foot"].gt(-9000).groupby([frame["subject"], frame["trial"]]).transform("all")]
    for source in (as_parquet(frame, tmp_path / "s.parquet"), as_folder(frame, tmp_path / "s")):
        at_once, parts = (read(source) for read in both)
        same(at_once, parts)
        assert parts[0].time_unit == "recorded"


def test_names_are_taken_as_when_all_are_seen_at_once(both: tuple[Read, Read], tmp_path: Path) -> None:
    frame = rows(every=24).dropna()
    frame["subject"] = frame["subject"].str[1:] + np.where(frame["trial"] == "t3", ".0", "")
    frame["label"] = frame["label"].where(frame["trial"] != "t2", frame["label"] + " ")
    frame["group"] = frame["group"].str.replace("control", "HC")
    frame["trial"] = pd.Categorical(frame["trial"])
    frame["number"] = np.arange(len(frame)) % 7
    source = as_parquet(frame, tmp_path / "s.parquet", row_group_size=1000)
    at_once, parts = (read(source, max_gap=3, trim=True) for read in both)
    same(at_once, parts)
    assert any("for one label" in note for note in parts[0].notes)
    assert any("Group 'HC' is the control group" in note for note in parts[0].notes)


@pytest.mark.parametrize(
    ("change", "given"),
    [
        (lambda frame: frame.assign(empty=np.nan), {"max_gap": 3, "trim": True}),
        (lambda frame: frame.assign(counter=np.arange(len(frame))), {"max_gap": 3, "trim": True}),
        (lambda frame: frame.assign(age=frame["subject"].str[1:].astype(float)), {"max_gap": 3, "trim": True}),
        (lambda frame: frame.assign(knee=1e9 + np.sin(frame["knee"])), {"max_gap": 3, "trim": True}),
        (lambda frame: frame.assign(knee="x"), {}),
        (lambda frame: frame, {}),
        (lambda frame: frame.assign(time=frame["time"].where(frame.index != 300, -1.0)), {"max_gap": 3, "trim": True}),
        (lambda frame: frame.assign(subject=frame["subject"].where(frame["trial"] != "t1", "s0")), {}),
        (lambda frame: frame.assign(group=frame["group"].where(frame.index < 600, "nobody")), {}),
        (lambda frame: frame, {"exclude": (("S9",),), "max_gap": 3}),
        (lambda frame: pd.concat([frame[:28], frame]), {"max_gap": 3}),
        (lambda frame: frame[:0], {}),
        (lambda frame: frame.drop(columns="trial"), {}),
    ],
)  # fmt: skip
def test_what_is_refused_is_refused_in_the_same_line(
    change: Callable[[pd.DataFrame], pd.DataFrame], given: dict[str, Any], both: tuple[Read, Read], tmp_path: Path
) -> None:
    source = as_parquet(change(rows()), tmp_path / "s.parquet")
    said = []
    for read in both:
        with pytest.raises(UserError) as raised:
            read(source, **given)
        said.append(str(raised.value))
    together = "expected the rows of each trial together"
    assert said[0] == said[1] or together in said[1]


def test_a_trial_in_two_places_and_two_files_of_one_trial(both: tuple[Read, Read], tmp_path: Path) -> None:
    _, parts = both
    frame = rows()
    mixed = pd.concat([frame[60:], frame[:60]])
    with pytest.raises(UserError, match=r"s\.parquet, row \d+: rows of subject 'S0', trial 't\d' stand from row 1 on"):
        parts(as_parquet(pd.concat([frame[:10], mixed]), tmp_path / "s.parquet"))
    source = as_folder(frame, tmp_path / "s", described=True)
    (tmp_path / "s" / "study.yaml").write_text('files: "{subject}/*/*.csv"\nlabels: {table: p.csv, column: label}\n')
    (tmp_path / "s" / "p.csv").write_text("subject,label\n" + "".join(f"S{i},{'ab'[i % 2]}\n" for i in range(6)))
    (tmp_path / "s" / "S0" / "other").mkdir()
    (tmp_path / "s" / "S0" / "other" / "t0.csv").write_bytes((tmp_path / "s" / "S1" / "fear" / "t1.csv").read_bytes())
    said = []
    for read in both:
        with pytest.raises(UserError, match="is a duplicate trial") as raised:
            read(source)
        said.append(str(raised.value))
    assert said[0] == said[1]


def test_a_column_that_begins_late_is_refused(both: tuple[Read, Read], tmp_path: Path) -> None:
    _, parts = both
    frame = rows().assign(late=np.nan)
    frame.loc[len(frame) - 30 :, "late"] = 1.0
    with pytest.raises(UserError, match="late"):
        parts(as_parquet(frame, tmp_path / "s.parquet"), max_gap=3, trim=True)


def test_a_dataset_that_does_not_fit_is_refused_before_it_is_read(
    both: tuple[Read, Read], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, parts = both
    source = as_parquet(rows(), tmp_path / "s.parquet")
    monkeypatch.setattr(parquet_parts._Reading, "parts", None)
    monkeypatch.setattr(untrusted_files, "available_mib", lambda: 0.5)
    with pytest.raises(
        UserError, match=r"s\.parquet: the dataset has 24 trials of 99,000 time points x 3 features .* free"
    ):
        parts(source, timesteps=99_000)
    check_fits([20, 30], 0, 3, "s.parquet")


def test_temporary_files_that_do_not_fit_are_not_begun() -> None:
    check_space(1.0, "s.parquet")
    with pytest.raises(UserError, match=r"s\.parquet is read by way of .*, where it takes 1e\+06 TB"):
        check_space(1e18, "s.parquet")


def test_a_store_gives_back_what_was_put_and_says_when_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    arrays = [np.arange(6.0).reshape(3, 2), np.zeros((0, 2)), np.array([np.nan, -0.0, np.inf]), np.ones((2, 3)).T]
    places = [store.put(array) for array in arrays]
    for place, array in zip(reversed(places), reversed(arrays), strict=True):
        found = store.get(place)
        np.testing.assert_array_equal(found, array)
        assert found.shape == array.shape

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    with pytest.raises(UserError, match=r"cannot hold the study, .*No space left on device; use a larger one \(TMPDIR"):
        store.put(arrays[0])


def test_damaged_parts_are_one_line(both: tuple[Read, Read], tmp_path: Path) -> None:
    _, parts = both
    random = np.random.default_rng(5)
    raw = Path(as_parquet(rows(), tmp_path / "s.parquet")).read_bytes()
    for number in range(30):
        damaged = bytearray(raw[: random.integers(len(raw))] if number % 3 == 0 else raw)
        low = len(damaged) - min(3000, len(damaged)) if number % 3 == 1 else 0
        for at in random.integers(low, max(len(damaged), 1), random.integers(1, 6)) if damaged else ():
            damaged[at] = random.integers(256)
        (tmp_path / "s.parquet").write_bytes(damaged)
        with contextlib.suppress(UserError, AssertionError):  # the latter: it could not be read in parts
            parts(str(tmp_path / "s.parquet"), max_gap=3, trim=True)
