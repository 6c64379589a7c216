"""What lies in a study's folder and is not read is said, or refused where it can only be a mistake."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from steps.core.readers import walk
from steps.core.readers.load import load_source, source_fingerprint
from steps.errors import UserError
from tests.core.readers.helpers import long_frame, trial_file, write_folder

OF_BOTH = {"S1": "fear", "S2": "fear", "S3": "calm", "S4": "calm"}


def _study(folder: Path) -> Path:
    return Path(write_folder(long_frame(OF_BOTH), folder))


def _notes(study: Path) -> list[str]:
    return list(load_source(str(study)).notes)


def _touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    return path


def _rename(study: Path, pattern: str, suffix: str) -> None:
    for path in sorted((study / "participants").glob(pattern)):
        path.rename(path.with_suffix(suffix))


def test_a_study_that_is_read_whole_has_nothing_to_say(tmp_path: Path) -> None:
    study = _study(tmp_path)
    junk = (
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
        "~$t0.xlsx",
        ".ipynb_checkpoints/t0-checkpoint.csv",
        "__MACOSX/a.csv",
    )
    for name in junk:
        for folder in (study, study / "participants", study / "participants" / "S1" / "fear"):
            _touch(folder / name)
    _touch(study / "participants" / "S1" / "fear" / "._t0.csv")
    assert _notes(study) == []


def test_files_with_other_suffixes_are_listed(tmp_path: Path) -> None:
    study = _study(tmp_path)
    plain = source_fingerprint(str(study))
    for name in ("S1/fear/t7.mot", "S1/fear/t8.mot", "S1/notes.txt", "S2/fear/README", "a.JSON", "S1/photos/me.jpg"):
        _touch(study / "participants" / name)
    assert _notes(study) == [
        "WARNING: Not read: 2 files .mot (participants/S1/fear/t7.mot, participants/S1/fear/t8.mot); "
        "1 file without suffix (participants/S2/fear/README); 1 file .jpg (participants/S1/photos/me.jpg); 2 others."
    ]
    assert source_fingerprint(str(study)) != plain  # a finished step that said nothing of them is not reused


def test_what_cannot_be_recordings_is_no_warning(tmp_path: Path) -> None:
    study = _study(tmp_path)
    _touch(study / "participants" / "participants.json")
    assert _notes(study) == ["Not read: 1 file .json (participants/participants.json)."]


def test_many_of_one_kind_are_counted(tmp_path: Path) -> None:
    study = _study(tmp_path)
    for i in range(20):
        _touch(study / "participants" / "S1" / "fear" / f"r{i:02}.trc")
    paths = ", ".join(f"participants/S1/fear/r0{i}.trc" for i in range(3))
    assert _notes(study) == [f"WARNING: Not read: 20 files .trc ({paths}, …)."]


def test_what_lies_beside_is_listed(tmp_path: Path) -> None:
    study = _study(tmp_path)
    _touch(study / "README.md")
    _touch(study / "derivatives" / "a.csv")
    assert _notes(study) == ["Not read, beside participants/: README.md, derivatives/."]


@pytest.mark.parametrize(
    "name", ["controls", "control", "Control_Data", "CONTROL-DATA", "HC", "healthy controls", "ctrl", "control group"]
)
def test_a_control_group_under_another_name_is_refused(name: str, tmp_path: Path) -> None:
    study = _study(tmp_path)
    _touch(study / name / "C1" / "t0.csv")
    for read in (load_source, source_fingerprint):
        with pytest.raises(UserError, match=rf"holds a folder {name}/, which is not read: .* to control_data/"):
            read(str(study))


def test_control_data_without_a_trial(tmp_path: Path) -> None:
    study = _study(tmp_path)
    (study / "control_data" / "C1").mkdir(parents=True)
    with pytest.raises(UserError, match=r"control_data/C1/ holds no file: put the subject's \.csv files there"):
        load_source(str(study))
    (study / "control_data" / "C1").rmdir()
    assert _notes(study) == ["There is no control group: control_data/ holds no file."]
    _touch(study / "control_data" / "t1.mot")
    with pytest.raises(UserError, match=r"control_data/ has no .csv file, only 1 file .mot \(control_data/t1.mot\)"):
        load_source(str(study))


Spoil = Callable[[Path], object]
LEFT_OUT: dict[str, tuple[Spoil, str]] = {
    "a subject in text files": (
        lambda study: _rename(study, "S3/*/*.csv", ".txt"),
        r"participants/S3/ holds no \.csv file, only 2 files \.txt \(participants/S3/calm/t0\.txt, .*\): write all "
        r"trials in one way .*, or move the folder out of participants/",
    ),
    "an empty subject": (
        lambda study: (study / "participants" / "S5").mkdir(),
        "participants/S5/ holds no file: put the subject's .csv files there, or remove the folder",
    ),
    "a label of a subject": (
        lambda study: _touch(study / "participants" / "S1" / "calm" / "t0.abc"),
        r"participants/S1/calm/ holds no \.csv file, only 1 file \.abc .*: save them as CSV, or move",
    ),
    "a label of everybody": (
        lambda study: [_touch(study / "participants" / f"S{i}" / "panic" / "t0.xlsx") for i in (1, 2, 3, 4)],
        r"participants/S1/panic/ holds no \.csv file, only 1 file \.xlsx .*: save them as CSV, or move",
    ),
    "a control": (
        lambda study: _touch(study / "control_data" / "C1" / "t0.csv") and _touch(study / "control_data/C2/t0.fif"),
        r"control_data/C2/ holds no \.csv file, only 1 file \.fif .*MNE",
    ),
    "everything": (
        lambda study: _rename(study, "*/*/*.csv", ".fif"),
        r"has no \.csv file, only 8 files \.fif \(participants/S1/fear/t0\.fif, .*, …\): export its .*; expected",
    ),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_nobody_is_left_out_silently(case: str, tmp_path: Path) -> None:
    spoil, message = LEFT_OUT[case]
    study = _study(tmp_path)
    spoil(study)
    with pytest.raises(UserError, match=message):
        load_source(str(study))


def test_an_empty_label_folder_leaves_nothing_out(tmp_path: Path) -> None:
    study = _study(tmp_path)
    (study / "participants" / "S1" / "calm").mkdir()
    assert _notes(study) == []


def test_a_folder_that_may_not_be_read_is_no_subject_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = _study(tmp_path)
    scandir = os.scandir

    def refuse(path: Path) -> Any:
        if Path(path).name == "S2":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match="folder participants/S2 cannot be read: Permission denied"):
        load_source(str(study))


@pytest.mark.parametrize("target", ["..", ".", "../..", "../../.."])
def test_a_link_back_is_not_followed(target: str, tmp_path: Path) -> None:
    study = _study(tmp_path)
    (study / "participants" / "S1" / "fear" / "loop").symlink_to(target)
    digest = load_source(str(study)).digest()
    assert _notes(study) == ["Not followed, a link back to a folder that it lies in: participants/S1/fear/loop."]
    (study / "participants" / "S1" / "fear" / "loop").unlink()
    assert load_source(str(study)).digest() == digest


def test_links_elsewhere_are_followed(tmp_path: Path) -> None:
    study = _study(tmp_path / "study")
    digest = load_source(str(study)).digest()
    shutil.move(study / "participants" / "S1", tmp_path / "S1")
    (study / "participants" / "S1").symlink_to(tmp_path / "S1")
    shutil.move(trial_file(str(study), "S2"), tmp_path / "t0.csv")
    trial_file(str(study), "S2").symlink_to(tmp_path / "t0.csv")
    assert load_source(str(study)).digest() == digest


def test_links_that_multiply_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = _study(tmp_path / "study")
    for i in range(10):  # 4 ** 10 ways through them
        (tmp_path / f"d{i}").mkdir()
        for j in range(4):
            (tmp_path / f"d{i}" / f"l{j}").symlink_to(tmp_path / f"d{i + 1}")
    (study / "participants" / "S1" / "fear" / "more").symlink_to(tmp_path / "d0")
    monkeypatch.setattr(walk, "_MOST", 10_000)
    with pytest.raises(UserError, match=r"participants holds more than 10,000 files .* is there a link"):
        load_source(str(study))


def test_folders_in_folders_end(tmp_path: Path) -> None:
    study = _study(tmp_path)
    (study / "control_data" / "/".join(["x"] * 20)).mkdir(parents=True)
    with pytest.raises(UserError, match="control_data holds more than 16 folders in each other"):
        load_source(str(study))


@pytest.mark.parametrize("link", ["t9.csv", "nowhere.csv", "/dev/zero", "/dev/stdin"])
def test_links_to_nothing_and_to_devices_are_no_trials(link: str, tmp_path: Path) -> None:
    study = _study(tmp_path)
    (study / "participants" / "S1" / "fear" / "t9.csv").symlink_to(link)
    with pytest.raises(UserError, match=r"participants/S1/fear/t9\.csv (cannot be read|is a)"):
        load_source(str(study))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    study = _study(tmp_path)
    os.mkfifo(study / "participants" / "S1" / "fear" / "t9.csv")
    for read in (load_source, source_fingerprint):
        with pytest.raises(UserError, match=r"participants/S1/fear/t9\.csv is a pipe \(FIFO\), expected a file"):
            read(str(study))
