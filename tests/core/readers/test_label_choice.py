"""What users say about labels, and what is found in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from steps.core.readers.choice import Choice
from steps.core.readers.described.description import parse_description
from steps.core.readers.label_choice import LabelChoice, read_labels
from steps.core.readers.load import load_source
from steps.core.readers.simulate import SimulationSize
from steps.errors import UserError

SUBJECTS = ("A", "A", "B", "C", "D", "E", "F")


def table(folder: Path, labels: dict[str, str]) -> Path:
    """A study of two trials of each subject."""
    generator = np.random.default_rng(0)
    rows = [
        {"subject": subject, "trial": trial, "label": label, "time": time, "x": generator.normal()}
        for subject, label in labels.items()
        for trial in (1, 2)
        for time in range(12)
    ]
    path = folder / "study.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_classes_are_named_in_order_and_one_is_asked_for() -> None:
    labels = ("calm", "fear", "fear", "pain", "pain", "calm", "calm")
    read = read_labels(LabelChoice("classes"), "auto", labels, SUBJECTS)
    assert read.labelling.names == ("calm", "fear", "pain")
    assert read.labelling.question == ("rest", "fear")
    assert read.values.tolist() == [0, 1, 1, 2, 2, 0, 0]
    assert "3 trials 'calm', 2 trials 'fear', 2 trials 'pain'" in read.notes[0]
    assert read_labels(LabelChoice("classes"), "pain", labels, SUBJECTS).labelling.question == ("rest", "pain")
    with pytest.raises(UserError, match="positive_label is 'joy', which is no label of the data; expected one of 'ca"):
        read_labels(LabelChoice("classes"), "joy", labels, SUBJECTS)


def test_levels_that_are_numbers_need_no_order_and_names_do() -> None:
    numbers = ("10", "2", "2", "1", "10", "1", "2")
    read = read_labels(LabelChoice("ordered"), "auto", numbers, SUBJECTS)
    assert read.labelling.names == ("1", "2", "10")
    names = tuple({"1": "none", "2": "some", "10": "much"}[one] for one in numbers)
    with pytest.raises(UserError, match="whose order is not known; expected label_order"):
        read_labels(LabelChoice("ordered"), "auto", names, SUBJECTS)
    choice = LabelChoice.of("ordered", "none, some, much", "much")
    read = read_labels(choice, "auto", names, SUBJECTS)
    assert read.values.tolist() == [2, 1, 1, 0, 2, 0, 1]
    assert read.labelling.question == ("below much", "much or more")
    with pytest.raises(UserError, match="label 'much' is not in label_order"):
        read_labels(LabelChoice.of("ordered", "none,some,lots"), "auto", names, SUBJECTS)
    with pytest.raises(UserError, match="label_order names 'lots', which no trial has"):
        read_labels(LabelChoice.of("ordered", "none,some,much,lots"), "auto", names, SUBJECTS)


def test_a_cut_off_parts_subjects_most_evenly_unless_it_is_said() -> None:
    scores = ("20", "20", "30", "40", "50", "60", "61.5")
    read = read_labels(LabelChoice("score"), "auto", scores, SUBJECTS)
    assert read.labelling.cut_off == 50  # A, B, C below, D, E, F not
    assert "which parts subjects most evenly" in read.notes[0]
    said = read_labels(LabelChoice.of("score", cut_off="37"), "auto", scores, SUBJECTS)
    assert said.labelling.cut_off == 37
    assert said.labelling.answers(said.values).tolist() == [0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("choice", "labels", "message"),
    [
        (LabelChoice("score"), ("20", "x", "3"), "a trial of 'A' has the label 'x'; expected a number"),
        (LabelChoice("score"), ("nan", "1", "3"), "has the label 'nan'; expected a number"),
        (LabelChoice("score"), ("20", "20", "20"), "all trials have the score 20"),
        (LabelChoice.of("score", cut_off="61"), ("20", "30", "60"), "cut_off is '61', expected 'auto' or a number ab"),
        (LabelChoice.of("score", cut_off="x"), ("20", "30", "60"), "cut_off is 'x', expected 'auto' or a number ab"),
        (LabelChoice("classes"), ("a", "b", "a"), "there are 2 labels, 'a', 'b'; expected three or more, or label_ki"),
        (LabelChoice.of("ordered", cut_off="1"), ("1", "2", "3"), "cut_off is '1', expected 'auto' or one of '2', '3'"),
    ],
)
def test_what_does_not_fit_is_one_line(choice: LabelChoice, labels: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_labels(choice, "auto", labels, SUBJECTS[: len(labels)])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("binary", "a,b,c"), "label_order is for label_kind=ordered, found label_kind=binary"),
        (("classes", "none", "a"), "cut_off is for label_kind=ordered or score, found label_kind=classes"),
        (("ordered", "a,b,a"), "expected 3 or more different names"),
    ],
)
def test_parameters_that_do_not_go_together_are_refused(given: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        LabelChoice.of(*given)


def test_a_table_of_three_classes_is_read_and_without_the_parameter_refused(tmp_path: Path) -> None:
    labels = dict(zip("ABCDEF", ("fear", "calm", "pain", "fear", "calm", "pain"), strict=True))
    source = str(table(tmp_path, labels))
    with pytest.raises(UserError, match="expected two, or positive_label set to one, or label_kind=classes"):
        load_source(source)
    dataset = load_source(source, label_choice=LabelChoice("classes"))
    assert dataset.label_names == ("rest", "fear")
    assert dataset.label_values is not None
    of = dict(zip(dataset.subjects.tolist(), dataset.label_values.tolist(), strict=True))
    assert of == {"A": 1, "B": 0, "C": 2, "D": 1, "E": 0, "F": 2}
    lonely = str(table(tmp_path, {**labels, "F": "calm"}))
    with pytest.raises(UserError, match="class 'pain' has one subject only, 'C'"):
        load_source(lonely, label_choice=LabelChoice("classes"))


def test_a_described_score_is_learnt_as_it_is_and_its_cut_off_asked(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for subject in "ABCDEF":
        path = tmp_path / "data" / f"{subject}_1.csv"
        path.parent.mkdir(exist_ok=True)
        pd.DataFrame({"time": range(12), "x": generator.normal(size=12)}).to_csv(path, index=False)
    (tmp_path / "participants.tsv").write_text("participant_id\tTSK\nA\t20\nB\t30\nC\t36\nD\t37\nE\t50\nF\t61\n")
    text = "files: data/{subject}_{trial}.csv\nlabels: {table: participants.tsv, score: TSK >= 37}\n"
    (tmp_path / "study.yaml").write_text(text)
    assert load_source(str(tmp_path)).label_names == ("no_fear", "fear")
    (tmp_path / "study.yaml").write_text(text + "label_kind: score\n")
    dataset = load_source(str(tmp_path))
    assert dataset.labelling is not None
    assert (dataset.labelling.kind, dataset.labelling.cut_off) == ("score", 37)
    np.testing.assert_array_equal(dataset.label_values, [20, 30, 36, 37, 50, 61])
    assert dataset.labels.tolist() == [0, 0, 0, 1, 1, 1]
    (tmp_path / "study.yaml").write_text(text)
    by_parameter = load_source(str(tmp_path), label_choice=LabelChoice("score"))
    assert by_parameter.labelling == dataset.labelling, "the described cut-off counts there, too"
    long = "1234567.5"  # more digits than a number has by default
    (tmp_path / "participants.tsv").write_text(
        f"participant_id\tTSK\nA\t1234567\nB\t30\nC\t36\nD\t{long}\nE\t1234568\nF\t1234569\n"
    )
    (tmp_path / "study.yaml").write_text(text.replace("37", long) + "label_kind: score\n")
    assert load_source(str(tmp_path)).labels.tolist() == [0, 0, 0, 1, 1, 1]
    (tmp_path / "study.yaml").write_text(text.replace(">=", "<") + "label_kind: score\n")
    with pytest.raises(UserError, match=r"line 2: labels.score is TSK < 37, expected TSK >= a number"):
        load_source(str(tmp_path))


def test_described_levels_may_hold_commas() -> None:
    order = b"label_order: ['no, none', 'so \"so\"', yes]"
    text = b"files: '{label}/{subject}.csv'\nlabel_kind: ordered\n" + order + b"\ncut_off: yes\n"
    choice = parse_description(text, "study.yaml").labels
    assert (choice.order, choice.cut_off) == (("no, none", 'so "so"', "yes"), "yes")


def test_a_cut_off_that_float32_does_not_hold_is_the_score_that_is_written_so() -> None:
    scores = ("0.1", "0.1", "0.3", "0.7", "0.7", "0.7", "0.7")
    for cut_off, yes in (("0.3", 5), ("0.7", 4), ("auto", 4)):
        read = read_labels(LabelChoice.of("score", cut_off=cut_off), "auto", scores, SUBJECTS)
        assert read.labelling.answers(read.values).sum() == yes
    assert read.labelling.question == ("below 0.7", "0.7 or more")
    with pytest.raises(UserError, match=r"a number above 0\.1, up to 0\.7"):
        read_labels(LabelChoice.of("score", cut_off="0.1"), "auto", scores, SUBJECTS)


def test_levels_whose_numbers_are_no_order_are_refused() -> None:
    with pytest.raises(UserError, match="labels '01' and '1' are the same number"):
        read_labels(LabelChoice("ordered"), "auto", ("01", "1", "2", "3", "2", "1", "2"), SUBJECTS)
    with pytest.raises(UserError, match="'1_0', '1_1', '2', whose order is not known"):
        read_labels(LabelChoice("ordered"), "auto", ("1_0", "1_1", "2", "2", "2", "1_0", "2"), SUBJECTS)


def test_the_others_are_not_called_like_a_class() -> None:
    labels = ("rest", "stress", "joy", "rest", "stress", "joy", "joy")
    for asked in ("rest", "stress"):
        read = read_labels(LabelChoice("classes"), asked, labels, SUBJECTS)
        assert read.labelling.question == (f"not {asked}", asked)


def test_of_two_classes_the_others_are_not_called_like_the_one_that_is_asked_for(tmp_path: Path) -> None:
    source = str(table(tmp_path, dict(zip("ABCDEF", ("rest", "joy", "pain", "rest", "joy", "pain"), strict=True))))
    assert load_source(source, positive_label="rest").label_names == ("not rest", "rest")
    assert load_source(source, positive_label="joy").label_names == ("rest", "joy")


def test_trials_have_names_of_their_own_whatever_is_asked(tmp_path: Path) -> None:
    labels = dict(zip("ABCDEF", ("fear", "calm", "pain", "fear", "calm", "pain"), strict=True))
    path = table(tmp_path, labels)
    recorded = pd.read_csv(path)
    both = pd.concat([recorded, recorded.assign(label="calm", x=recorded["x"] + 1)[recorded["label"] == "fear"]])
    both.to_csv(path, index=False)
    dataset = load_source(str(path), label_choice=LabelChoice("classes"))
    for asked in ("fear", "calm", "pain"):
        keys = list(zip(dataset.subjects.tolist(), dataset.asking(asked).trials.tolist(), strict=True))
        assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("kind", ["binary", "classes"])
def test_the_labels_of_a_dataset_are_no_feature(tmp_path: Path, kind: Any) -> None:
    labels = dict(zip("ABCDEF", ("fear", "calm", "pain", "fear", "calm", "pain"), strict=True))
    path = table(tmp_path, labels)
    recorded = pd.read_csv(path)
    recorded.assign(label_value=recorded["label"].map({"fear": 1, "calm": 0, "pain": 2})).to_csv(path, index=False)
    with pytest.raises(UserError, match="a feature is called 'label_value', as a dataset calls its labels"):
        load_source(
            str(path),
            positive_label="fear",
            label_choice=LabelChoice(kind),
            choice=Choice(features=("x", "label_value")),  # named, so they are taken for signals
        )


def test_a_study_that_is_made_up_is_asked_what_the_user_wants() -> None:
    size = SimulationSize(subjects=9, controls=2, trials_min=1, trials_max=1, features=2)
    for choice, question in (
        (LabelChoice.of("score", cut_off="45"), ("below 45", "45 or more")),
        (LabelChoice.of("ordered", "none,some,strong", "strong"), ("below strong", "strong or more")),
    ):
        dataset = load_source("simulated", timesteps=9, simulation=size, label_choice=choice)
        assert dataset.label_names == question
        assert dataset.labelling is not None
        assert dataset.label_values is not None
        np.testing.assert_array_equal(dataset.labels, dataset.label_values >= dataset.labelling.cut_off)
    with pytest.raises(UserError, match="label_order is strong,some,none, expected none,some,strong for the simulated"):
        load_source("simulated", simulation=size, label_choice=LabelChoice.of("ordered", "strong,some,none"))
    with pytest.raises(UserError, match="cut_off is '99', expected 'auto' or a number above"):
        load_source("simulated", simulation=size, label_choice=LabelChoice.of("score", cut_off="99"))
