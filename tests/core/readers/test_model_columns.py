"""Columns of recordings to score: the model's features, what training left out, and nothing else unless it is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from steps.core.data.artifact import read_artifact, write_artifact
from steps.core.data.dataset import Dataset
from steps.core.data.training_reference import TrainingReference
from steps.core.data.unseen import Unseen
from steps.core.models.refit import refit_fold, training_summary
from steps.core.readers.choice import Choice
from steps.core.readers.fit_to_model import fit_to_model
from steps.core.readers.new_recordings import choice_for, read_source
from steps.errors import UserError
from tests.new_people import long_table, write_folder


def _fit(source: str, trained: TrainingReference, features: str = "all", ignore: str = "none") -> Unseen:
    """As the step reads recordings for a model."""
    return fit_to_model(read_source(source, choice=choice_for(Choice.of(features, ignore), trained)), trained)


def _with_columns(people: Dataset, path: Path) -> str:
    table = long_table(people, labels=False).assign(Frame=np.arange(people.values.shape[1] * len(people.labels)))
    table.insert(2, "comment", "ok")
    table.to_csv(path, index=False)
    return str(path)


def test_additional_columns_are_refused_unless_left_out(
    new_people: Dataset, trained: TrainingReference, tmp_path: Path
) -> None:
    source = _with_columns(new_people, tmp_path / "new.csv")
    with pytest.raises(
        UserError, match=r"not the model's: additional 'Frame'; .*; leave out what is additional: ignore=comment,Fr"
    ):
        _fit(source, trained, ignore="comment")
    fitted = _fit(source, trained, ignore="comment,Frame")
    np.testing.assert_array_equal(fitted.values, new_people.values)
    assert fitted.notes[0] == "Left out 'comment', 'Frame'."
    chosen = _fit(source, trained, features=",".join(trained.features))
    assert chosen.digest == fitted.digest


def test_what_training_left_out_is_left_out_and_said(
    new_people: Dataset, trained: TrainingReference, tmp_path: Path
) -> None:
    source = _with_columns(new_people, tmp_path / "new.csv")
    model = trained.model_copy(update={"left_out": ["Frame", "comment", "EMG"]})
    fitted = _fit(source, model)
    np.testing.assert_array_equal(fitted.values, new_people.values)
    assert fitted.notes[0] == "Left out 'comment', 'Frame'."
    folder = tmp_path / "study"
    write_folder(new_people, folder, labels=False)
    assert _fit(str(folder), model).digest == fitted.digest, "they need not be there"


def test_a_models_feature_may_be_called_like_time_or_a_counter(
    new_people: Dataset, trained: TrainingReference, tmp_path: Path
) -> None:
    first, *others = trained.features
    model = trained.model_copy(update={"features": ["t", *others], "units": {}})
    table = long_table(new_people, labels=False).rename(columns={first: "t"})
    table.to_csv(tmp_path / "new.csv", index=False)
    np.testing.assert_array_equal(_fit(str(tmp_path / "new.csv"), model).values, new_people.values)


def test_few_recordings_are_not_suspected(new_people: Dataset, trained: TrainingReference, tmp_path: Path) -> None:
    table = long_table(new_people.select(np.arange(len(new_people.labels)) == 0), labels=False)
    table[trained.features[0]] = np.arange(len(table), dtype=float)
    table[trained.features[1]] = 0.0
    table.to_csv(tmp_path / "new.csv", index=False)
    assert _fit(str(tmp_path / "new.csv"), trained).values.shape == (1, *trained.shape)


def test_time_in_capitals_and_a_comma_at_the_end(
    new_people: Dataset, trained: TrainingReference, tmp_path: Path
) -> None:
    table = long_table(new_people).rename(columns={"time": "Time [%]", "subject": "Subject"})
    text = table.to_csv(index=False)
    (tmp_path / "new.csv").write_text("".join(f"{line},\n" for line in text.splitlines()))
    fitted = _fit(str(tmp_path / "new.csv"), trained)
    np.testing.assert_array_equal(fitted.values, new_people.values)
    assert fitted.notes[0] == "Took the column 'Subject' as subject, the column 'Time [%]' as time."
    assert fitted.notes[1] == "Dropped an empty column without a name."


def test_what_float32_cannot_hold_is_refused(new_people: Dataset, trained: TrainingReference, tmp_path: Path) -> None:
    table = long_table(new_people)
    table[trained.features[0]] = 1e12 + table[trained.features[0]].astype(float)
    table.to_parquet(tmp_path / "new.parquet", index=False)
    with pytest.raises(UserError, match="does not fit into float32"):
        _fit(str(tmp_path / "new.parquet"), trained)


def test_an_artifact_has_its_features(new_people: Dataset, trained: TrainingReference, tmp_path: Path) -> None:
    write_artifact(new_people, tmp_path / "dataset")
    assert _fit(str(tmp_path / "dataset"), trained).digest
    with pytest.raises(
        UserError, match=r"features, ignore and columns choose and name columns of files, but .* is a dataset"
    ):
        _fit(str(tmp_path / "dataset"), trained, ignore="Frame")


def test_a_subject_of_the_training_is_known_however_written(
    new_people: Dataset, trained: TrainingReference, tmp_path: Path
) -> None:
    table = long_table(new_people.select(new_people.subjects == new_people.subjects[0]), labels=False)
    name = trained.subjects[-1]
    for spelling in (name.lower(), name.replace("0", "00", 1), name.replace("S", "S ")):
        table.assign(subject=spelling).to_csv(tmp_path / "new.csv", index=False)
        assert _fit(str(tmp_path / "new.csv"), trained).in_training.all()


def test_left_out_columns_go_from_files_to_the_model(small_study: Dataset, tmp_path: Path) -> None:
    from steps.core.readers.load import load_source

    table = long_table(small_study).assign(Frame=1.0)
    table.to_parquet(tmp_path / "study.parquet", index=False)
    dataset = load_source(str(tmp_path / "study.parquet"), choice=Choice.of(ignore="Fr*"))
    write_artifact(dataset, tmp_path / "dataset")
    stored = read_artifact(tmp_path / "dataset")
    assert stored.left_out == ("Frame",)
    assert stored.digest() == load_source(str(tmp_path / "study.parquet"), choice=Choice.of(features="*_*")).digest()
    summary = training_summary(stored, refit_fold(stored, "exclude", seed=0))
    assert TrainingReference.model_validate(summary).left_out == ["Frame"]
    assert TrainingReference.model_validate({k: v for k, v in summary.items() if k != "left_out"}).left_out == []
    assert pd.read_parquet(tmp_path / "dataset" / "trials.parquet").columns.tolist()[5:] == list(small_study.features)
