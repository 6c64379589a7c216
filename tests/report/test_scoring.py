"""What is said about a scoring."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from steps.core.data.training_reference import TrainingReference
from steps.core.data.unseen import Unseen
from steps.core.metrics.scores import by_subject, performance, score
from steps.report import scoring


class _Half:
    def __call__(self, inputs: np.ndarray, *, training: bool) -> np.ndarray:
        return np.full((len(inputs), 1), 0.5)


def test_nothing_to_warn_of_is_no_warning(unseen: Unseen, trained: TrainingReference) -> None:
    values = np.broadcast_to(np.asarray(trained.mean, np.float32), unseen.values.shape)
    table = score(_Half(), replace(unseen, values=values), trained, 0.5)
    assert scoring.warnings(table, by_subject(table, 0.5), "study") == []


def test_trained_subjects_and_unusual_trials_are_warned_of(unseen: Unseen, trained: TrainingReference) -> None:
    values = np.broadcast_to(np.asarray(trained.mean, np.float32), unseen.values.shape).copy()
    values[-1] += 1000 * np.asarray(trained.sd, np.float32)
    known = replace(unseen, in_training=unseen.subjects == "N02", values=values)
    table = score(_Half(), known, trained, 0.5)
    first, second = scoring.warnings(table, by_subject(table, 0.5), "study")
    assert first.startswith("the model was FITTED ON 1 of these 5 subjects (N02)")
    assert second.startswith(f"1 of {len(values)} trials lie further from the training trials than 99%")
    lines = scoring.results(performance(table, 0.5, seed=0))
    assert [line.partition(",")[0] for line in lines] == [
        *["new subjects"] * 2,
        *["subjects the model was FITTED ON (no evidence)"] * 2,
    ]


def test_too_few_recordings_or_one_class_to_compare_with_each_other_are_warned_of(
    unseen: Unseen, trained: TrainingReference
) -> None:
    values = np.broadcast_to(np.asarray(trained.mean, np.float32), unseen.values.shape)
    table = score(_Half(), replace(unseen, values=values), trained, 0.5)
    assert scoring.warnings(table, by_subject(table, 0.5), "study") == []
    few, single = scoring.warnings(table, by_subject(table, 0.5), "subject")
    assert few.startswith("5 of 5 subjects have fewer than 6 recordings (C01, N01, N02, N03, N04)")
    assert single.startswith("all recordings of 4 of 4 subjects are of one class (N01, N02, N03, N04)")
    # The same recordings as if of two people, each with enough of both classes.
    patients = table[table["group"] == "patient"].sort_values(["label", "trial"], ignore_index=True)
    patients["subject"] = np.where(np.arange(len(patients)) % 2, "N01", "N02")
    assert set(patients.groupby("subject")["label"].nunique()) == {2}
    assert patients.groupby("subject").size().min() >= 6
    assert scoring.warnings(patients, by_subject(patients, 0.5), "subject") == []


def test_names_are_no_markdown() -> None:
    page = scoring.markdown(["knee_x of [N01](x)"], ["*1*"], [])
    assert page == "- **Warning:** \\*1\\*\n- knee_x of \\[N01\\](x)"
