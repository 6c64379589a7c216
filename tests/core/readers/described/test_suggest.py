"""A first description: it reads the study it was made from, and says what it is unsure of."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from steps.core.readers.described.description import parse_description
from steps.core.readers.described.layout import guess
from steps.core.readers.described.suggest import suggestion
from steps.core.readers.load import load_source
from steps.errors import UserError
from tests.core.readers.described.studies import described, frame, write_e4, write_trials
from tests.core.readers.helpers import write_folder

SUBJECTS, LABELS, TRIALS = [f"S{i:02d}" for i in range(1, 6)], ("fear", "no_fear"), ("1", "2", "3")


@pytest.mark.parametrize(
    ("made", "pattern"),
    [
        ("{s}/{l}/{t}.csv", "{subject}/{label}/{trial}.csv"),
        ("{l}/{s}/trial{t}.csv", "{label}/{subject}/{trial}.csv"),
        ("{s}_{l}_{t}.csv", "{subject}_{label:fear|no_fear}_{trial}.csv"),
        ("{s}-{l}-{t}.csv", "{subject}-{label}-{trial}.csv"),
        ("data/{s}/run-{t}_{l}.csv", "data/{subject}/run-{trial}_{label:fear|no_fear}.csv"),
        ("sub-{s}/ses-1/beh/sub-{s}_ses-1_task-{l}_run-{t}_physio.csv",
         "sub-{subject}/ses-1/beh/sub-{subject}_ses-1_task-{label}_run-{trial}_physio.csv"),
    ],
)  # fmt: skip
def test_the_pattern_that_names_were_made_of(made: str, pattern: str) -> None:
    paths = [made.format(s=s, l=label, t=t) for s in SUBJECTS for label in LABELS for t in TRIALS]
    layout = guess(paths, ".csv")
    assert layout.pattern == pattern
    assert layout.unsure == []
    assert layout.values["subject"] == SUBJECTS


def test_initials_are_people_and_numbers_may_be_classes() -> None:
    people = ("AB", "CD", "EF", "GH", "KL")
    layout = guess([f"{one}_{label}_{t}.csv" for one in people for label in LABELS for t in TRIALS], ".csv")
    assert layout.pattern == "{subject}_{label:fear|no_fear}_{trial}.csv"
    assert len(layout.unsure) == 1
    layout = guess([f"{one}_{condition}_{t}.csv" for one in SUBJECTS for condition in "12" for t in TRIALS], ".csv")
    assert layout.pattern == "{subject}_{label}_{trial}.csv"
    assert layout.unsure == ["{label} stands where it is 1, 2: are those the classes?"]


def test_what_tells_nothing_is_a_star_and_said() -> None:
    paths = [f"S{i}/{letter}{i}/{t}.csv" for i in range(9) for letter in "xyzuvwabc" for t in TRIALS]
    layout = guess(paths, ".csv")
    assert layout.pattern == "{subject}/*/{trial}.csv"
    (unsure,) = layout.unsure
    assert unsure.startswith("* stands where it is a0, a1, a2 … (81): if it matters, it may be {session}")


@pytest.mark.parametrize("path", ["{subject}/{label}/{trial}.csv", "{subject}_{label}_{trial}.csv"])
def test_trials_in_files(path: str, tmp_path: Path) -> None:
    study = frame().query("label != ''").replace({"label": {"calm": "no_fear"}})
    write_trials(study, tmp_path / "study", path, {"time": "Time (s)"})
    text = suggestion(tmp_path / "study")
    assert "# 12 recordings of 4 subjects." in text
    dataset = load_source(described(tmp_path / "study", text))
    assert dataset.digest() == load_source(write_folder(study, tmp_path / "plain")).digest()


@pytest.mark.parametrize(
    ("scale", "score", "why"),
    [("TSK", "TSK >= 37", "is that of Vlaeyen et al. 1995"), ("worry", "worry >= 11", "is")],
)
def test_bids_with_a_table_of_participants(scale: str, score: str, why: str, tmp_path: Path) -> None:
    write_trials(frame(), tmp_path, "sub-{subject}/ses-1/sub-{subject}_ses-1_run-{trial}.csv")
    scores = {"S1": 40, "S2": 38, "S3": 30, "S4": 22, "C1": 31}
    if scale == "worry":
        scores = {name: score - 20 for name, score in scores.items()}
    rows = [f"sub-{one}\t30\t{score}\t{'HC' if one == 'C1' else 'patient'}\n" for one, score in scores.items()]
    (tmp_path / "participants.tsv").write_text(f"participant_id\tage\t{scale}\tgroup\n" + "".join(rows))
    (tmp_path / "dataset_description.json").write_text("{}")
    text = suggestion(tmp_path)
    assert f'  score: "{score}"' in text
    assert f"# - The cut-off of {scale} {why}" in text
    dataset = load_source(described(tmp_path, text))
    assert dataset.label_counts == {"0": 9, "1": 6}
    assert int(dataset.is_control.sum()) == 3


def test_a_table_for_each_subject(tmp_path: Path) -> None:
    for subject, rows in frame().query("label != ''").groupby("subject"):
        names = {"label": "condition", "trial": "recording", "time": "Time [ms]"}
        table = rows.drop(columns=["subject", "group"]).rename(columns=names).assign(device="a")
        table.to_csv(tmp_path / f"{subject}.csv", index=False)
    text = suggestion(tmp_path)
    assert 'columns:\n  label: condition\n  trial: recording\n  time: "Time [ms]"\nignore: [device]' in text
    assert load_source(described(tmp_path, text)).label_counts == {"0": 6, "1": 6}


def test_wristbands(tmp_path: Path) -> None:
    for number in range(4):
        write_e4(tmp_path / f"S{number}", seed=number)
    rows = "".join(f"S{i},{20 + i},{'fear' if i < 2 else 'calm'}\n" for i in range(4))
    (tmp_path / "participants.csv").write_text(f"id,age,diagnosis\n{rows}")
    text = suggestion(tmp_path)
    assert '  EDA: "{subject}/EDA.csv"\n' in text
    assert "# - There are 4 files of events, as S0/tags.csv" in text
    dataset = load_source(described(tmp_path, text))
    assert dataset.values.shape == (4, 240, 7)


def test_strange_names_are_text_in_yaml(tmp_path: Path) -> None:
    strange = ['a: "b" #c', "\\d", "no", "- x", "{y}", "é", "*", "007"]
    for subject, rows in frame().groupby("subject"):
        rows.drop(columns=["subject", "group"]).assign(**dict.fromkeys(strange, "text")).to_csv(
            tmp_path / f"{subject}.csv", index=False
        )
    assert parse_description(suggestion(tmp_path).encode(), "study.yaml").study.ignore == strange


def test_what_needs_none_and_what_holds_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="which is read without a description"):
        suggestion(Path(write_folder(frame(), tmp_path / "plain")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no file that could be a recording, only nothing"):
        suggestion(tmp_path / "empty")
    with pytest.raises(UserError, match="is no folder"):
        suggestion(tmp_path / "none")


def test_a_clock_of_any_name_is_found_by_what_it_does(tmp_path: Path) -> None:
    for name in ("P1_fear_1", "P1_fear_2", "P2_calm_1", "P2_calm_2", "P3_fear_1", "P4_calm_1"):
        rows = [f"{step / 50:.2f};{step};{math.sin(step * len(name) / 7):.4f}" for step in range(20)]
        (tmp_path / f"{name}.txt").write_text("\n".join(["Zeit (s);Bild;Kraft", *rows]), encoding="utf-8")
    text = suggestion(tmp_path)
    assert '  time: "Zeit (s)"' in text
    assert "# - Zeit (s) rises evenly by fractions, so it was taken for the time." in text
    assert "  time: Bild" not in text, "whole numbers count samples"


def test_a_score_beside_labels_in_paths_is_mentioned(tmp_path: Path) -> None:
    write_trials(frame(), tmp_path, "{subject}_{label}_{trial}.csv")
    (tmp_path / "participants.csv").write_text("Proband;TSK\nS1;40\nS2;41\nS3;20\nS4;22\nC1;19\n")
    text = suggestion(tmp_path)
    assert "If they are to come from TSK of participants.csv, write * in place of {label} and labels:" in text
    rewritten = 'files: "{subject}_*_{trial}.csv"\nlabels: {table: participants.csv, score: "TSK >= 37"}\n'
    dataset = load_source(described(tmp_path, rewritten))
    assert dataset.label_counts == {"0": 9, "1": 6}


def test_usual_short_names_of_conditions_and_repetitions(tmp_path: Path) -> None:
    frame().rename(columns={"label": "cond", "trial": "rep"}).to_csv(tmp_path / "all.csv", index=False)
    text = suggestion(tmp_path)
    assert "  label: cond\n" in text
    assert "  trial: rep\n" in text
