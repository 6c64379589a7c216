"""From recordings to trials: an Empatica folder for each person, events, windows, stretches of one label."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from steps.core.formats.file_table import Event
from steps.core.readers.choice import Choice
from steps.core.readers.described.event_files import own_stretches
from steps.core.readers.described.schema import Events
from steps.core.readers.files import Fingerprint
from steps.core.readers.load import load_source, source_fingerprint
from steps.core.readers.new_recordings import read_source
from steps.errors import UserError
from tests.core.formats.c3d_writer import c3d_bytes
from tests.core.readers.described.studies import E4, described, write_e4

EVENTS = "trials:\n  events:\n    files: '{subject}/tags.csv'\n    between: [calm, fear]\n"
WINDOWS = f"{E4}{EVENTS}  windows: {{length: 10}}\n"


@pytest.fixture
def e4(tmp_path: Path) -> Path:
    """Folders of four people."""
    for number in range(4):
        write_e4(tmp_path / "e4" / f"S{number}", seed=number)
    return tmp_path / "e4"


def test_an_empatica_folder_becomes_windows_of_two_labels(e4: Path) -> None:
    fingerprint = Fingerprint()
    dataset = load_source(described(e4, WINDOWS), fingerprint=fingerprint)
    assert dataset.values.shape == (32, 40, 7)
    assert dataset.features == ("EDA", "BVP", "TEMP", "HR", "ACC_x", "ACC_y", "ACC_z")
    assert dataset.label_counts == {"0": 16, "1": 16}
    assert set(dataset.trials) == {f"e{event:02d}_w{window:03d}" for event in (1, 2) for window in range(1, 5)}
    assert any(
        note.startswith("Joined and resampled EDA at 4, BVP at 64, TEMP at 4, HR at 1, ACC at 32")
        for note in dataset.notes
    )
    assert dataset.notes[1] == (
        "Read EDA as Empatica E4, EDA at 4 Hz; BVP as Empatica E4, BVP at 64 Hz; TEMP as Empatica E4, TEMP at 4 Hz; "
        "HR as "
        "Empatica E4, HR at 1 Hz; ACC as Empatica E4, ACC_x, ACC_y, ACC_z at 32 Hz."
    )
    assert len(dataset.notes) == 5
    assert "Cut 4 recordings into 32 trials; 36 of 356 seconds are in none." in dataset.notes
    assert fingerprint.hexdigest() == source_fingerprint(str(e4))
    raw = pd.read_csv(e4 / "S2" / "EDA.csv", header=None)[0].to_numpy()[2:]  # at the rate already: as recorded
    third = dataset.values[(dataset.subjects == "S2") & (dataset.trials == "e01_w003"), :, 0]
    np.testing.assert_array_equal(third[0], raw[120:160].astype(np.float32))


def test_a_changed_tag_is_noticed(e4: Path) -> None:
    before = source_fingerprint(described(e4, WINDOWS))
    (e4 / "S1" / "tags.csv").write_text("1600000010\n1600000051\n1600000090\n")
    assert source_fingerprint(str(e4)) != before


def test_features_are_chosen_among_all_sources(e4: Path) -> None:
    dataset = load_source(described(e4, f"{WINDOWS}features: [EDA, ACC*]\nignore: ACC_y\nunits: {{EDA: µS}}\n"))
    assert dataset.features == ("EDA", "ACC_x", "ACC_z")
    assert dataset.left_out == ("ACC_y", "BVP", "TEMP", "HR")
    assert dataset.units["EDA"] == "µS"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{E4}{EVENTS.replace('[calm, fear]', '[calm, fear, calm]')}",
         r"S0/tags\.csv holds 3 marks, but between names 3 stretches, which lie between 4"),
        (f"{E4}{EVENTS}  windows: {{length: 41}}\n",
         "S0 has 2 stretches, the longest of 40 seconds, windows are 41 seconds long; expected shorter windows"),
        (WINDOWS.replace("tags.csv", "marks.csv"), r"there are no events for S0 \(subject 'S0'\), expected some"),
        (WINDOWS.replace("{subject}/BVP.csv", "{subject}/BVPs.csv"), r"line 3: sources\.BVP: there is no 'BVP' beside"),
        (f"{WINDOWS}features: GSR\n", "features names 'GSR', which is no column of S0; it has 'EDA', 'BVP'"),
        (f"{E4}trials: {{windows: {{length: 10}}}}\n", "does not say where labels are"),
    ],
)  # fmt: skip
def test_what_cannot_be_cut(e4: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_source(described(e4, text))


def test_events_without_a_recording(e4: Path) -> None:
    (e4 / "S9").mkdir()
    (e4 / "S9" / "tags.csv").write_text("1600000010\n1600000050\n1600000090\n")
    with pytest.raises(UserError, match=r"S9/tags\.csv holds events, but no recording fits them; .* subject is 'S9'"):
        load_source(described(e4, WINDOWS))


@pytest.fixture
def continuous(tmp_path: Path) -> Path:
    """One recording of 60 seconds each, and one table of everybody's events, in seconds from the start."""
    rng = np.random.default_rng(0)
    rows = []
    for subject in ("S1", "S2", "S3", "S4"):
        time = 5 + np.arange(600) / 10
        task = np.select([time < 20, time < 40], ["calm", "fear"], "calm")
        table = pd.DataFrame({"Time [ms]": time * 1000, "eda": rng.normal(size=600).round(4), "task": task})
        (tmp_path / "rec").mkdir(exist_ok=True)
        table.to_csv(tmp_path / "rec" / f"{subject}.csv", index=False)
        rows += [(subject, 0, 20, "fear"), (subject, 20, 15, "n/a"), (subject, 35, 20, "calm")]
    pd.DataFrame(rows, columns=["who", "onset", "duration", "trial_type"]).to_csv(
        tmp_path / "rec" / "events.csv", index=False
    )
    return tmp_path / "rec"


TABLE = (
    "files: 'S*.csv'\nignore: task\ntrials:\n  events:\n    files: events.csv\n    subject: who\n    duration: "
    "duration\n    label: trial_type\n"
).replace("'S*.csv'", "'{subject:S*}.csv'")


def test_events_of_everybody_in_one_table(continuous: Path) -> None:
    dataset = load_source(described(continuous, TABLE))
    assert dataset.values.shape == (8, 200, 1)
    assert dataset.label_counts == {"0": 4, "1": 4}
    raw = pd.read_csv(continuous / "S1.csv")["eda"].to_numpy(np.float32)
    np.testing.assert_array_equal(dataset.values[0, :, 0], raw[:200])
    np.testing.assert_array_equal(dataset.values[1, :, 0], raw[350:550])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("S4,35,20,calm", "S4,35,,calm", r"events\.csv, row 13: the event at 35 has no duration"),
        (
            "S4,35,20,calm",
            "S4,15,20,calm",
            r"events\.csv, rows 11 and 13: 'fear' from 0 to 20 and 'calm' from 15 to 35",
        ),
        (
            "S4,35,20,calm",
            "S4,35,80,calm",
            r"events\.csv, row 13: from 35 to 115, but S4\.csv was recorded from 5 to 65",
        ),
        (
            "S4,35,20,calm",
            "S4,35,-2,calm",
            r"row 13: the event goes from 35 to 33, expected an end after its beginning",
        ),
        ("S4,35,20,calm", "S4,x,20,calm", r"row 13: column 'onset' holds 'x', expected a time in seconds"),
        ("S4,35,20,calm", "S5,35,20,calm", r"row 13: events of subject 'S5', who has no recording"),
    ],
)
def test_events_that_cannot_be(continuous: Path, old: str, new: str, message: str) -> None:
    table = (continuous / "events.csv").read_text()
    (continuous / "events.csv").write_text(table.replace(old, new))
    with pytest.raises(UserError, match=message):
        load_source(described(continuous, TABLE))


def test_stretches_of_one_label_and_windows_within(continuous: Path) -> None:
    files = "files: '{subject:S*}.csv'\ncolumns: {label: task}\n"
    dataset = load_source(described(continuous, f"{files}trials: {{stretches: true}}\n"))
    assert sorted(set(dataset.trials)) == ["s01", "s02", "s03"]
    assert dataset.label_counts == {"0": 8, "1": 4}
    dataset = load_source(described(continuous, f"{files}trials: {{windows: {{length: 4, step: 2}}}}\n"))
    assert dataset.values.shape == (4 * (6 + 9 + 11), 40, 1)
    assert dataset.label_counts == {"0": 4 * 17, "1": 4 * 9}
    resampled = load_source(described(continuous, f"{files}rate: 5\ntrials: {{windows: {{length: 4, step: 2}}}}\n"))
    assert resampled.values.shape == (4 * (6 + 9 + 11), 20, 1)
    assert (resampled.labels == dataset.labels).all()


def test_new_recordings_are_read_as_the_models_study_was(e4: Path) -> None:
    known = WINDOWS
    (e4 / "S0" / "tags.csv").rename(e4 / "S0" / "gone.csv")
    one = read_source(str(e4), known=known, choice=Choice(known=("EDA",)))
    assert one.notes[0] == "Read as the description of the model's study says."
    assert "1 recordings have no events, all of each was taken." in one.notes
    assert {len(trial.time) for trial in one.recordings} == {40}
    assert {trial.label for trial in one.recordings} == {""}


@pytest.fixture
def motion(tmp_path: Path) -> Path:
    """C3D files of four people, who strike the ground four times in two seconds."""
    rng = np.random.default_rng(0)
    strikes = np.array([[0, 0.2], [0, 0.7], [0, 1.2], [0, 1.7]])
    for number in range(4):
        folder = tmp_path / "motion" / f"S{number}"
        folder.mkdir(parents=True)
        parameters = {
            "POINT:LABELS": ["KNEE"],
            "POINT:UNITS": "mm",
            "EVENT:USED": 7,
            "EVENT:TIMES": np.concatenate([strikes, np.array([[0, 0.45], [0, 0.95], [0, 1.45]])]),
            "EVENT:LABELS": ["Strike"] * 4 + ["Off"] * 3,
        }
        points = rng.normal(size=(200, 1, 3))
        (folder / f"{'fear' if number < 2 else 'calm'}.c3d").write_bytes(
            c3d_bytes(points, np.zeros((200, 1)), parameters, rate=100.0)
        )
    return tmp_path / "motion"


OWN = "files: '{subject}/{label}.c3d'\ntrials:\n  events: {files: own, start: Strike, "


def test_cycles_between_events_that_recordings_hold(motion: Path) -> None:
    dataset = load_source(described(motion, f"{OWN}end: Strike}}\n"))
    assert dataset.values.shape == (12, 50, 3)
    assert dataset.trials[:3].tolist() == ["e01", "e02", "e03"]
    assert not any("not used" in note for note in dataset.notes)
    assert dataset.units == {"KNEE_x": "mm", "KNEE_y": "mm", "KNEE_z": "mm"}
    contact = load_source(described(motion, f"{OWN}duration: 0.1}}\n"))
    assert contact.values.shape == (16, 10, 3)
    np.testing.assert_array_equal(contact.values[:3], dataset.values[:3, :10])


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("end: Off", r"S0/fear\.c3d: the event 'Strike' at 1\.7\d* has no 'Off' after it, expected one for each"),
        ("start: Jump, end: Off", "key 'start' was already given"),
        ("offset: end", "expected one of duration, end and between"),
        (
            "duration: 0.5",
            r"S0/fear\.c3d: from 1\.7\d* to 2\.2\d*, but S0/fear\.c3d was recorded from 0 to 2 \(2 seconds\)",
        ),
    ],
)
def test_events_without_a_partner(motion: Path, end: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_source(described(motion, f"{OWN}{end}}}\n"))


def test_several_names_of_events_are_labels() -> None:
    found = [Event(0.0, "calm"), Event(5.0, "blink"), Event(10.0, "fear")]
    events = Events.model_validate({"files": "own", "start": ["calm", "fear"], "duration": "8"})
    stretches = own_stretches(found, events, "S1.edf", "study.yaml, line 3: trials.events")
    assert [(one.start, one.end, one.label) for one in stretches] == [(0, 8, "calm"), (10, 18, "fear")]
    longer = events.model_copy(update={"duration": "11"})
    with pytest.raises(UserError, match=r"S1\.edf: 'calm' from 0 to 11 and 'fear' from 10 to 21 overlap"):
        own_stretches(found, longer, "S1.edf", "study.yaml, line 3: trials.events")
    other = events.model_copy(update={"start": ["jump"]})
    with pytest.raises(UserError, match=r"S1\.edf has no event 'jump'; it has 'blink', 'calm', 'fear'"):
        own_stretches(found, other, "S1.edf", "study.yaml, line 3: trials.events")


def test_recordings_that_are_cut_otherwise_than_the_models_are_said(e4: Path) -> None:
    described(e4, WINDOWS.replace("length: 10", "length: 5"))
    one = read_source(str(e4), known=WINDOWS, choice=Choice(known=("EDA",)))
    assert one.notes[0].startswith("WARNING: study.yaml has other trials than the description of the model's study")
    assert {len(trial.time) for trial in one.recordings} == {20}
    ignored = read_source(str(e4), known=WINDOWS, study=WINDOWS, choice=Choice(known=("EDA",)))
    assert {len(trial.time) for trial in ignored.recordings} == {40}


@pytest.mark.parametrize("seed", range(3))
def test_damaged_studies_end_in_one_line_or_are_read(e4: Path, seed: int) -> None:
    """Flipped, cut and doubled bytes in any file of a study; what comes is a dataset or a `UserError`, nothing else."""
    draw = random.Random(seed)  # noqa: S311
    described(e4, f"{WINDOWS}labels: {{column: x}}\n" if seed == 1 else WINDOWS)
    names = ["study.yaml"] * 3 + ["S1/tags.csv", "S2/HR.csv"]
    whole = {name: (e4 / name).read_bytes() for name in names}
    outcomes = set()
    for _ in range(12):
        name = draw.choice(names)
        raw = bytearray(whole[name])
        for _ in range(draw.randint(1, 3)):
            at = draw.randrange(len(raw))
            raw[at : at + draw.randrange(9)] = draw.choice(
                [b"", b"\0", b"\xff", b": ", b"{", b"- ", b"&a ", b"9e99", b"\n", b"nan"]
            )
        (e4 / name).write_bytes(raw)
        try:
            load_source(str(e4))
            outcomes.add("read")
        except UserError:
            outcomes.add("refused")
        (e4 / name).write_bytes(whole[name])
    assert "refused" in outcomes


def _text(rate: float, name: str, seconds: float = 20, scale: float = 1.0, units: str = "") -> str:
    """A recording of a slow sine; its time in units of 1/scale seconds."""
    time = np.arange(int(rate * seconds)) / rate
    rows = [f"{scale * one:.6g},{np.sin(one):.8f}" for one in time]
    return "\n".join([f"time,{name}", *([units] if units else []), *rows, ""])


def test_the_unit_of_time_may_stand_in_a_row_of_units(tmp_path: Path) -> None:
    for subject in "ABCD":
        (tmp_path / subject).mkdir()
        (tmp_path / subject / "x.csv").write_text(_text(50, "x", units="s,V"))
        (tmp_path / subject / "y.csv").write_text(_text(200, "y", scale=1000, units="ms,V"))
        (tmp_path / subject / "events.csv").write_text("onset,duration,label\n2,6,calm\n10,6,fear\n")
    source = described(
        tmp_path,
        "sources: {X: '{subject}/x.csv', Y: '{subject}/y.csv'}\nrate: 20\n"
        "trials: {events: {files: '{subject}/events.csv', duration: duration, label: label}}\n",
    )
    dataset = load_source(source, duplicates="allow")
    assert dataset.values.shape == (8, 120, 2)
    np.testing.assert_allclose(dataset.values[0, :, 1], np.sin(2 + np.arange(120) / 20), atol=0.02)
    np.testing.assert_allclose(dataset.values[..., 0], dataset.values[..., 1], atol=0.02)


def test_sources_in_seconds_and_milliseconds_are_not_joined_as_they_are(tmp_path: Path) -> None:
    for subject in "ABCD":
        (tmp_path / subject).mkdir()
        (tmp_path / subject / "x.csv").write_text(_text(50, "x"))
        (tmp_path / subject / "y.csv").write_text(_text(200, "y", scale=1000))
    source = described(
        tmp_path,
        "sources: {X: '{subject}/x.csv', Y: '{subject}/y.csv'}\nrate: 20\ntrials: {windows: {length: 5}}\n"
        "labels: {table: people.csv, column: label}\n",
    )
    (tmp_path / "people.csv").write_text("subject,label\nA,calm\nB,calm\nC,fear\nD,fear\n")
    with pytest.raises(UserError, match=r"^A: Y lasts 19995 seconds, 1001 times as long as X; is its time in milli"):
        load_source(source)


def test_events_that_are_placed_in_two_ways_are_a_warning(tmp_path: Path) -> None:
    for subject, start in zip("ABCD", (1, 1, 100, 100), strict=True):
        time = start + np.arange(1000) / 50
        rows = [f"{one:.6g},{np.sin(one):.8f}" for one in time]
        (tmp_path / f"{subject}.csv").write_text("\n".join(["time,x", *rows, ""]))
        (tmp_path / f"{subject}_events.csv").write_text("onset,duration,label\n2,6,calm\n10,6,fear\n")
    source = described(
        tmp_path,
        "files: '{subject}.csv'\ntrials: {events: {files: '{subject}_events.csv', duration: duration, label: label}}\n",
    )
    told = "WARNING: events of 2 recordings were taken as times on the recording's clock, those of 2 as counted from"
    assert any(note.startswith(told) for note in load_source(source, duplicates="allow").notes)
    for subject in "AB":
        (tmp_path / f"{subject}_events.csv").write_text("onset,duration,label\n0,6,calm\n10,6,fear\n")
    assert not any(note.startswith("WARNING: events") for note in load_source(source, duplicates="allow").notes)
