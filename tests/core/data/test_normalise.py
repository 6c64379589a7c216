"""Recordings of one person against each other: what is standardised, by what, and who is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from steps.core.data.artifact import write_artifact
from steps.core.data.dataset import Dataset
from steps.core.data.normalise import check_both_classes, normalised, normalised_unseen, within_subjects
from steps.core.data.unseen import Unseen
from steps.errors import UserError
from steps.tracking.addresses import dataset_place


def test_each_subject_is_standardised_as_scikit_learn_does_it(within_study: Dataset) -> None:
    values = within_subjects(within_study.values, within_study.subjects)
    assert (values.dtype, values.shape) == (np.dtype(np.float32), within_study.values.shape)
    for name in np.unique(within_study.subjects):
        rows = within_study.subjects == name
        own = within_study.values[rows].reshape(-1, len(within_study.features)).astype(np.float64)
        expected = StandardScaler().fit_transform(own)
        np.testing.assert_allclose(values[rows].reshape(own.shape), expected, rtol=1e-5, atol=1e-6)


def test_nothing_of_others_and_no_label_changes_a_subjects_values(within_study: Dataset) -> None:
    own = within_study.subjects == "S02"
    assert own.any()
    expected = normalised(within_study, "subject").values[own]
    nonsense = np.where(own[:, None, None], within_study.values, np.float32(-1e6)).astype(np.float32)
    relabelled = replace(within_study, values=nonsense, labels=1 - within_study.labels)
    np.testing.assert_array_equal(normalised(relabelled, "subject").of_subjects(["S02"]).values, expected)
    np.testing.assert_array_equal(normalised(within_study.of_subjects(["S02"]), "subject").values, expected)


@pytest.mark.parametrize("change", [lambda v: v * 1000 + 7, lambda v: v * np.float32(1e-30), lambda v: -v])
def test_a_subjects_own_unit_and_offset_make_no_difference(
    within_study: Dataset, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    own = within_study.subjects == "S02"
    values = within_study.values.copy()
    values[own] = change(values[own])
    before, after = (within_subjects(v, within_study.subjects) for v in (within_study.values, values))
    sign = np.sign(np.diff(change(np.array([0.0, 1.0]))))
    np.testing.assert_allclose(after, np.where(own[:, None, None], sign, 1) * before, atol=2e-3)


@pytest.mark.parametrize("constant", [0.0, 0.1, -3e30, 1e-38])
def test_a_constant_feature_of_a_subject_is_zero(within_study: Dataset, constant: float) -> None:
    own = within_study.subjects == "S02"
    values = within_study.values.copy()
    values[own, :, 3] = constant
    standardised = within_subjects(values, within_study.subjects)
    assert not standardised[own, :, 3].any()
    assert np.isfinite(standardised).all()
    others = within_subjects(within_study.values, within_study.subjects)
    np.testing.assert_array_equal(standardised[~own], others[~own])
    np.testing.assert_array_equal(np.delete(standardised, 3, axis=2), np.delete(others, 3, axis=2))


def test_standardising_twice_is_standardising_once(within_study: Dataset) -> None:
    once = normalised(within_study, "subject")
    np.testing.assert_allclose(normalised(once, "subject").values, once.values, atol=1e-6)


def test_a_study_as_it_is_stays_the_very_same(within_study: Dataset, unseen: Unseen) -> None:
    assert normalised(within_study, "study") is within_study
    assert normalised_unseen(unseen, "study") is unseen


def test_values_have_a_unit_of_their_own_and_the_prepared_dataset_keeps_its_own(within_study: Dataset) -> None:
    before = within_study.digest()
    given = normalised(within_study, "subject")
    assert set(given.units.values()) == {"subject SD"}
    assert set(given.units) == set(within_study.features)
    assert (within_study.digest(), within_study.units) == (before, within_study.units)
    assert given.digest() != before


@pytest.mark.parametrize("shared", [True, False])
def test_processes_of_a_pool_find_it_normalised(within_study: Dataset, tmp_path: Path, shared: bool) -> None:
    write_artifact(within_study, tmp_path / "artifact")
    (tmp_path / "one").mkdir()
    for normalise in ("subject", "study", "subject"):
        place = dataset_place(within_study, str(tmp_path / "artifact"), tmp_path, shared=shared, normalise=normalise)
        expected = normalised(within_study, normalise)
        np.testing.assert_array_equal(place.load(tmp_path / "one").values, expected.values)
        assert place.load().units == expected.units


def test_a_place_tells_normalised_from_not(within_study: Dataset, tmp_path: Path) -> None:
    study = dataset_place(within_study, str(tmp_path), tmp_path, shared=False, normalise="study")
    subject = dataset_place(within_study, str(tmp_path), tmp_path, shared=False, normalise="subject")
    assert study != subject


def test_a_subject_of_one_class_is_refused_by_name(small_study: Dataset, within_study: Dataset) -> None:
    check_both_classes(small_study, "study")
    check_both_classes(within_study, "subject")  # its controls have one class, and do not count
    with pytest.raises(UserError, match=r"all \d trials of subject 'S01' are 'fear' \(8 of 8 subjects") as error:
        check_both_classes(replace(small_study, labels=np.ones_like(small_study.labels)), "subject")
    assert "\n" not in str(error.value)
    labels = np.where(within_study.subjects == "S12", 0, within_study.labels).astype(np.int8)
    assert "S12" in within_study.subjects
    with pytest.raises(UserError, match=r"all 4 trials of subject 'S12' are 'no_fear' \(1 of 6 subjects"):
        check_both_classes(replace(within_study, labels=labels), "subject")


def test_a_new_person_with_one_recording_is_refused_by_name(unseen: Unseen) -> None:
    scored = normalised_unseen(unseen, "subject")
    np.testing.assert_array_equal(scored.values, within_subjects(unseen.values, unseen.subjects))
    assert "normalise=subject" in scored.notes[-1]
    kept = np.flatnonzero((unseen.subjects != "N02") | (np.cumsum(unseen.subjects == "N02") == 1))
    one = replace(unseen, values=unseen.values[kept], subjects=unseen.subjects[kept])
    with pytest.raises(UserError, match="subject 'N02' has one recording, expected at least 2, better 6") as error:
        normalised_unseen(one, "subject")
    assert "\n" not in str(error.value)
