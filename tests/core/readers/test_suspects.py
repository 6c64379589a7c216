"""Columns that are no signal are refused together, and no signal is ever taken for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from steps.core.readers.choice import Choice
from steps.core.readers.load import load_source
from steps.errors import UserError
from tests.core.readers.helpers import long_frame, write_folder, write_table

Doubles = npt.NDArray[np.float64]
Add = Callable[[pd.DataFrame], pd.DataFrame]
PERSON = {"S1": 31, "S2": 47, "S3": 28, "S4": 31}


def _within(frame: pd.DataFrame) -> pd.Series:
    return frame.groupby(["subject", "trial"], sort=False).cumcount()


def _refused(frame: pd.DataFrame, path: Path, *expected: str, **options: str) -> None:
    with pytest.raises(UserError) as caught:
        load_source(write_table(frame, path / "study.csv"), choice=Choice.of(**options))
    message = str(caught.value)
    assert message.startswith("study.csv: ")
    assert "\n" not in message
    for part in expected:
        assert part in message, message


COUNTER, CONSTANT = "(counts samples, or is a clock)", "(the same value within every trial)"
SUSPECTS: dict[str, tuple[Add, str]] = {
    "Frame": (lambda f: f.assign(Frame=_within(f) + 1), COUNTER),
    "seq": (lambda f: f.assign(seq=np.arange(len(f))), COUNTER),
    "down": (lambda f: f.assign(down=-2 * _within(f)), COUNTER),
    "dropped": (lambda f: f.assign(dropped=np.array([1, 2, 3, 7, 8])[_within(f)] + f.index), COUNTER),
    "wraps": (lambda f: f.assign(wraps=np.arange(len(f)) % 16), COUNTER),
    "ms": (lambda f: f.assign(ms=1e5 + 500 * np.arange(len(f)) + 3 * (np.arange(len(f)) % 2)), COUNTER),
    "share": (lambda f: f.assign(share=25.0 * _within(f)), COUNTER),
    "clock": (lambda f: f.assign(clock=7 + 3 * f["time"]), COUNTER),
    "age": (lambda f: f.assign(age=f["subject"].map(PERSON)), CONSTANT),
    "subject_id": (lambda f: f.assign(subject_id=f["subject"].str[1:].astype(int)), CONSTANT),
    "number": (lambda f: f.assign(number=f["trial"].str[1:].astype(int)), CONSTANT),
    "target": (lambda f: f.assign(target=(f["label"] == "fear").astype(int)), "(the label again)"),
    "relabelled": (lambda f: f.assign(relabelled=f["label"].map({"fear": 7.5, "calm": -1})), "(the label again)"),
    "dead": (lambda f: f.assign(dead=0), "(the same value throughout)"),
    "dust": (lambda f: f.assign(dust=0.1 + np.where(f.index % 2, 1.4e-17, 0)), "(the same value through"),
    "rises": (lambda f: f.assign(rises=np.sqrt(np.arange(len(f)))), "(only rises, or only falls, over all rows"),
    "falls": (lambda f: f.assign(falls=-np.sqrt(np.arange(len(f)))), "(only rises, or only falls, over all rows"),
    "void": (lambda f: f.assign(void=np.nan), "(empty)"),
    "Unnamed: 0": (lambda f: f.assign(**{"Unnamed: 0": f["knee"]}), "(has no name; row numbers?)"),
}  # fmt: skip


@pytest.mark.parametrize("name", SUSPECTS)
def test_a_column_that_is_no_signal_is_refused_unless_named(name: str, tmp_path: Path) -> None:
    add, why = SUSPECTS[name]
    frame = add(long_frame())
    quoted = f"'{name}'" if " " in name else name
    way_out = "features='*'" if name == "void" else f"features='*,{name}'"
    _refused(frame, tmp_path, f"'{name}' {why}", f"ignore={quoted}", way_out)
    source = write_table(frame, tmp_path / "study.csv")
    assert load_source(source, choice=Choice.of(ignore=name)).features == ("knee", "hip")
    _refused(frame, tmp_path, f"'{name}'", features="*")
    if name == "void":
        with pytest.raises(UserError, match="column 'void' holds no number"):
            load_source(source, choice=Choice.of(features="*,void"))
    else:
        kept = load_source(source, choice=Choice.of(features=f"*,{name}"))
        assert kept.features == ("knee", "hip", name)
        assert any(note.startswith(f"Kept as asked: '{name}' {why}") for note in kept.notes)


def test_all_of_them_are_named_in_one_line(tmp_path: Path) -> None:
    frame = long_frame()
    for name in ("Frame", "age", "target", "dead", "void"):
        frame = SUSPECTS[name][0](frame)
    _refused(
        frame, tmp_path, "'void' (empty), 'Frame' (", "'age' (", "'target' (", "ignore=void,Frame,age,target,dead, or"
    )
    _refused(frame.drop(columns=["knee", "hip"]), tmp_path, "no column seems to be a signal")


def test_the_way_out_keeps_what_was_chosen_before(tmp_path: Path) -> None:
    frame = long_frame()
    for name in ("Frame", "age", "dead"):
        frame = SUSPECTS[name][0](frame)
    _refused(
        frame, tmp_path, "ignore='Fr*,age,dead', or", "features='k*,a*,d*,age,dead'", ignore="Fr*", features="k*,a*,d*"
    )
    _refused(frame, tmp_path, "ignore=Frame,age, or", "features='*,dead,age'", ignore="Frame", features="*,dead")


def test_the_same_in_trial_files(tmp_path: Path) -> None:
    source = write_folder(long_frame(), tmp_path)
    for number, path in enumerate(sorted(tmp_path.rglob("*.csv"))):
        trial = pd.read_csv(path)
        trial.assign(seq=np.arange(5) + 100 * number, knee=np.cumsum(trial["knee"].abs())).to_csv(path, index=False)
    with pytest.raises(UserError, match=r"S1/fear/t0\.csv and the other 7 trial files: .* 'seq' \(counts samples"):
        load_source(source)
    assert load_source(source, choice=Choice.of(ignore="seq")).features == ("knee", "hip")


def test_rows_in_another_order_hide_no_counter(tmp_path: Path) -> None:
    frame = SUSPECTS["seq"][0](long_frame())
    frame = frame.iloc[np.concatenate([np.arange(40)[start::5] for start in range(5)])]  # by time
    _refused(frame, tmp_path, f"'seq' {COUNTER}")


def test_a_few_rows_prove_nothing(tmp_path: Path) -> None:
    frame = SUSPECTS["Frame"][0](long_frame(trials=1, timesteps=3))  # eight steps in all
    assert load_source(write_table(frame, tmp_path / "study.csv")).features == ("knee", "hip", "Frame")


# What laboratories record. Each takes the time of a trial, a generator and what the trial has of its own.
SIGNALS: dict[str, Callable[[Doubles, np.random.Generator, float], Doubles]] = {
    "joint angle": lambda t, r, own: 40 * np.sin(2 * np.pi * (t + 0.1 * own)) + 10 * own,
    "short stretch of an angle": lambda t, r, own: np.round(60 * np.sin(0.2 * t * (1 + own / 4)) + own, 2),
    "ECG": lambda t, r, own: np.exp(-(((t * (3 + own)) % 1 - 0.5) ** 2) / 0.002) + 0.01 * r.normal(size=len(t)),
    "EDA": lambda t, r, own: np.round(5 + own + np.cumsum(np.abs(r.normal(size=len(t)))) * 0.01, 3),
    "skin temperature": lambda t, r, own: np.round(33 + own + 0.3 * own * t + 0.01 * r.normal(size=len(t)), 2),
    "way walked": lambda t, r, own: (1.2 + 0.2 * own) * t + 0.02 * np.sin(9 * t),
    "steps of a converter": lambda t, r, own: np.round(2048 + 300 * np.sin(5 * t + own) + 5 * r.normal(size=len(t))),
    "foot switch": lambda t, r, own: (np.sin(6 * t + own) > 0).astype(float),
    "saturated": lambda t, r, own: np.clip(3 * np.sin(5 * t + own), -1, 1),
    "noise on an offset": lambda t, r, own: 101_325 + 0.5 * r.normal(size=len(t)),
    "microvolt": lambda t, r, own: 2e-5 * r.normal(size=len(t)),
    "toggled": lambda t, r, own: (np.arange(len(t)) // 2 % 2).astype(float),
    "digits": lambda t, r, own: np.round(2 * np.sin(3 * t + own) + 0.6 * r.normal(size=len(t))),
    "siemens": lambda t, r, own: 5e-6 + 2e-8 * r.normal(size=len(t)),
    "large numbers": lambda t, r, own: np.round(16_000_000 + 1000 * np.sin(7 * t + own)),
}


@pytest.mark.parametrize("seed", range(40))
def test_no_signal_is_ever_suspected(seed: int, tmp_path: Path) -> None:
    random = np.random.default_rng(seed)
    people = {f"P{i}": ("fear", "calm")[i % 2] for i in range(int(random.integers(4, 9)))}
    frame = long_frame(people, trials=int(random.integers(2, 5)), timesteps=int(random.choice([5, 8, 30, 101])))
    trials = frame.groupby(["subject", "trial"], sort=False)["time"]
    duration = random.choice([0.5, 1.0, 10.0])
    for name, signal in SIGNALS.items():
        own = {key: float(random.normal()) for key in trials.groups}
        parts = [signal(np.linspace(0, duration, len(time)), random, own[key]) for key, time in trials]
        frame[name] = np.concatenate(parts)
    dataset = load_source(write_table(frame, tmp_path / "study.parquet"))
    assert set(dataset.features) == {"knee", "hip", *SIGNALS}
    assert dataset.notes == ()
