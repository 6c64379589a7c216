"""Labels that say more than yes or no, as a dataset keeps them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from steps.core.data.artifact import read_artifact, write_artifact
from steps.core.data.cross_validation import CrossValidation
from steps.core.data.dataset import Dataset
from steps.core.data.folds import plan_folds
from steps.core.data.labelling import LabelKind, Labelling, as_written
from steps.core.data.shared_memory import open_shared, share
from steps.core.readers.simulate import SimulationSize, simulate

SIZE = SimulationSize(subjects=12, controls=2, trials_min=2, trials_max=3, features=4)
KINDS: tuple[LabelKind, ...] = ("classes", "ordered", "score")


@pytest.fixture(params=KINDS)
def study(request: pytest.FixtureRequest) -> Dataset:
    return simulate(SIZE, timesteps=11, seed=2, label_kind=request.param)


def test_the_question_follows_from_the_label() -> None:
    values = np.array([0.0, 1.0, 2.0])
    names = ("calm", "pain", "fear")
    classes = Labelling(kind="classes", names=names, cut_off=1)
    assert classes.question == ("rest", "pain")
    assert classes.answers(values).tolist() == [0, 1, 0]
    assert classes.asking("fear").answers(values).tolist() == [0, 0, 1]
    ordered = Labelling(kind="ordered", names=names, cut_off=1)
    assert ordered.question == ("below pain", "pain or more")
    assert ordered.answers(values).tolist() == [0, 1, 1]
    score = Labelling(kind="score", names=(), cut_off=37)
    assert score.question == ("below 37", "37 or more")
    assert score.answers(np.array([36.5, 37.0])).tolist() == [0, 1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "classes", "names": ("a", "b"), "cut_off": 0},
        {"kind": "ordered", "names": ("a", "b", "b"), "cut_off": 0},
        {"kind": "ordered", "names": ("a", "b", "c"), "cut_off": 3},
        {"kind": "score", "names": ("a", "b", "c"), "cut_off": 1},
        {"kind": "score", "names": (), "cut_off": float("nan")},
        {"kind": "binary", "names": (), "cut_off": 0},
    ],
)
def test_what_is_no_labelling_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Labelling.model_validate(wrong)


def test_a_dataset_keeps_its_labels_wherever_it_is_written(study: Dataset, tmp_path: Path) -> None:
    write_artifact(study, tmp_path / "dataset")
    share(study, tmp_path / "shared")
    for again in (read_artifact(tmp_path / "dataset"), open_shared(tmp_path / "shared")):
        assert again.labelling == study.labelling
        np.testing.assert_array_equal(again.label_values, study.label_values)
        assert again.digest() == study.digest()
        assert again.label_names == study.label_names


def test_the_label_is_part_of_the_digest(study: Dataset) -> None:
    assert study.label_values is not None
    assert study.labelling is not None
    others = study.label_values.copy()
    row = int(np.flatnonzero(~study.is_control)[0])
    others[row] = others[row] + 1 if study.labelling.kind == "score" else (others[row] + 1) % 3
    assert replace(study, label_values=others).digest() != study.digest()


def test_labels_go_with_their_trials(study: Dataset) -> None:
    assert study.label_values is not None
    order = np.random.default_rng(0).permutation(len(study.labels))
    arrays = ("values", "labels", "subjects", "trials", "is_control", "label_values")
    shuffled = replace(study, **{name: getattr(study, name)[order] for name in arrays})
    np.testing.assert_array_equal(shuffled.label_values, study.label_values)
    someone = study.of_subjects(["S03"])
    np.testing.assert_array_equal(someone.label_values, study.label_values[study.subjects == "S03"])


def test_every_fold_trains_on_all_classes_and_on_as_many_of_each(study: Dataset) -> None:
    folds = plan_folds(study, cv=CrossValidation.of("loso"), seed=1)
    assert [fold.test_subjects for fold in folds] == [(f"S{number:02d}",) for number in range(1, 13)]
    sizes = set()
    for fold in folds:
        parts = [fold.test_subjects, fold.validation_subjects, fold.training_subjects, fold.set_aside_subjects]
        everybody = [name for part in parts for name in part]
        assert len(everybody) == len(set(everybody))
        learns = study.of_subjects([*fold.training_subjects, *fold.validation_subjects])
        first = np.unique(learns.subjects, return_index=True)[1]
        sizes.add(tuple(np.bincount(learns.strata[first])))
        assert set(study.of_subjects(fold.training_subjects).strata.tolist()) == set(
            study.select(~study.is_control).strata.tolist()
        )
    assert len(sizes) == 1


def test_a_score_as_text_is_the_same_score() -> None:
    labelling = Labelling(kind="score", names=(), cut_off=36.7)
    assert [labelling.name(value) for value in (36.7, 37.0, -1.5, 0.1)] == ["36.7", "37", "-1.5", "0.1"]
    for value in np.random.default_rng(0).normal(0, 1e6, 100).astype(np.float32):
        assert np.float32(labelling.name(float(value))) == value


def test_a_label_value_reads_as_it_was_written() -> None:
    written = np.array([0.7, 36.7, -0.1, 1234567.5, 17.0, np.nan])
    np.testing.assert_array_equal(as_written(written.astype(np.float32)), written)
