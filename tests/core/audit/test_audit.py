"""An audit of studies in which there is hardly anything to audit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from steps.core.audit.audit import audit, document, table
from steps.core.data.dataset import Dataset
from steps.report.audit import audit_text
from tests.core.audit.studies import read, study_table


def _constant(study: Dataset) -> Dataset:
    return replace(study, values=np.ones_like(study.values))


def _identical(study: Dataset) -> Dataset:
    return replace(study, values=np.broadcast_to(study.values[:1], study.values.shape).copy())


def _one_class(study: Dataset) -> Dataset:
    return replace(study, labels=np.ones_like(study.labels))


def _one_person_a_class(study: Dataset) -> Dataset:
    both = [study.subjects[(study.labels == label) & ~study.is_control][0] for label in (0, 1)]
    return study.of_subjects([str(name) for name in both])


def _one_trial_each(study: Dataset) -> Dataset:
    first = np.unique(study.subjects, return_index=True)[1]
    return study.select(np.isin(np.arange(len(study.labels)), first))


def _two_points(study: Dataset) -> Dataset:
    return replace(study, values=study.values[:, :2], time=study.time[:2])


@pytest.mark.parametrize(
    ("change", "findings"),
    [
        (_constant, 0),
        (_identical, None),
        (_one_class, 0),
        (_one_person_a_class, 0),
        (_one_trial_each, 0),
        (_two_points, 0),
    ],
)
def test_nothing_to_audit_is_no_error(
    change: Callable[[Dataset], Dataset], findings: int | None, small_study: Dataset
) -> None:
    made = audit(change(small_study), seed=0)
    text = audit_text(json.loads(json.dumps(document(made), allow_nan=False)), small_study.label_names)
    assert text.clear or text.cautions
    assert table(made).columns[0] == "family"
    if findings is None:
        assert made.findings > 0
        assert "are the same recording, or nearly so" in text.cautions[0]
    else:
        assert made.findings == findings


def test_controls_are_nobodys_class_but_their_recordings_count(small_study: Dataset) -> None:
    """A control's trials may train; that there are more of them says nothing of the classes."""
    control, patient = (np.flatnonzero(small_study.is_control == value)[0] for value in (True, False))
    values = small_study.values.copy()
    values[control] = values[patient]
    made = audit(replace(small_study, values=values), seed=0)
    assert made.same_recordings
    assert made.findings == 1
    without = audit(small_study.select(~small_study.is_control), seed=0)
    assert audit(small_study, seed=0).shortcuts == without.shortcuts


def test_the_same_study_gives_the_same_audit(tmp_path: Path) -> None:
    study = read(study_table(5, within=True), tmp_path)
    one, other = (document(audit(study, seed=3, with_leak_check=True)) for _ in range(2))
    assert one == other
    assert one["within_people"]
