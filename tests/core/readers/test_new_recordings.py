"""Reading recordings to score: the same trials from every form, labels or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from steps.core.data.artifact import write_artifact
from steps.core.data.dataset import Dataset
from steps.core.data.training_reference import TrainingReference
from steps.core.readers.fit_to_model import fit_to_model
from steps.core.readers.new_recordings import read_source
from steps.core.readers.recorded import Recorded
from steps.errors import UserError
from tests.new_people import long_table, write_folder


def write(form: str, people: Dataset, folder: Path) -> str:
    labels = not form.startswith("unlabelled")
    if form.endswith("folder"):
        write_folder(people, folder / "study", labels=labels)
        return str(folder / "study")
    if form == "artifact":
        write_artifact(people, folder / "dataset")
        return str(folder / "dataset")
    path = folder / f"recordings.{form.rpartition(' ')[2]}"
    table = long_table(people, labels=labels)
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path, index=False)
    return str(path)


FORMS = ("labelled csv", "unlabelled csv", "unlabelled parquet", "labelled folder", "unlabelled folder", "artifact")


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_trials(
    form: str, new_people: Dataset, trained: TrainingReference, tmp_path: Path
) -> None:
    fitted = fit_to_model(read_source(write(form, new_people, tmp_path)), trained)
    np.testing.assert_array_equal(fitted.values, new_people.values)
    assert fitted.subjects.tolist() == new_people.subjects.tolist()
    assert fitted.is_control.tolist() == new_people.is_control.tolist()
    if form.startswith("unlabelled"):
        assert fitted.labels is None
    else:
        assert fitted.labels is not None
        assert fitted.labels.tolist() == new_people.labels.tolist()


def test_one_trial_of_one_subject_is_enough(new_people: Dataset, trained: TrainingReference, tmp_path: Path) -> None:
    first = np.arange(len(new_people.labels)) == 0
    source = write("unlabelled csv", new_people.select(first), tmp_path)
    assert fit_to_model(read_source(source), trained).values.shape == (1, *trained.shape)


def test_labels_for_some_only_are_refused(new_people: Dataset, tmp_path: Path) -> None:
    table = long_table(new_people)
    table.loc[table["subject"] == "N02", "label"] = ""
    table.to_csv(tmp_path / "half.csv", index=False)
    with pytest.raises(
        UserError, match=r"half\.csv, row \d+ \(subject 'N02'.*label is '' \(missing: .*, expected a label"
    ):
        read_source(str(tmp_path / "half.csv"))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("simulated", "predict needs the recordings to score: -P source="),
        ("nowhere.csv", "source 'nowhere.csv' does not exist"),
        ("text.txt", r"text.txt has no column 'subject', expected subject, trial, time"),
        (".", r"has no folder participants/, expected .* or participants/<subject>/<trial>.csv"),
    ],
)
def test_what_cannot_be_read_is_said(
    source: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.txt").write_text("hello")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        read_source(source)


def test_the_home_folder_and_addresses_of_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new.csv"
    path.write_text("subject,trial,time,x\nA,1,0,1\nA,1,1,2\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for source in (path.as_uri(), "~/new.csv"):
        assert read_source(source).recordings[0].values.tolist() == [[1.0], [2.0]]


def test_a_misplaced_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "participants" / "a.csv"
    path.parent.mkdir()
    path.write_text("x\n1\n2\n")
    with pytest.raises(UserError, match=r"participants/a\.csv is out of place"):
        read_source(str(tmp_path))


def test_gaps_are_an_error_unless_allowed(new_people: Dataset, tmp_path: Path) -> None:
    table = long_table(new_people, labels=False)
    table.loc[5, table.columns[-1]] = None
    table.to_csv(tmp_path / "gap.csv", index=False)
    with pytest.raises(UserError, match="max_gap"):
        read_source(str(tmp_path / "gap.csv"))
    filled: Recorded = read_source(str(tmp_path / "gap.csv"), max_gap=1)
    assert filled.notes[0].startswith("Interpolated 0 missing time points and 1 missing values")
