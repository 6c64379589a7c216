"""The curve of recordings at hand: how trials are put into groups, and the studies it is drawn for."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.recordings import (
    Grouping,
    at_random,
    of_each_class,
    of_one_class,
    with_own_sensors,
    within_person_study,
)
from steps.core.data.normalise import check_both_classes, normalised

ROWS = np.arange(10, 21)  # seven negatives, four positives
LABELS = np.array([0, 1, 0, 0, 1, 0, 0, 1, 0, 1, 0], dtype=np.int8)


@pytest.mark.parametrize(
    ("grouping", "sizes"), [(at_random, (2, 3, 10, 11)), (of_each_class, (2, 4, 6)), (of_one_class, (2, 3, 4))]
)
def test_every_trial_counts_once_in_groups_of_the_wanted_number(grouping: Grouping, sizes: tuple[int, ...]) -> None:
    for size in sizes:
        groups = list(grouping(ROWS, LABELS, size, np.random.default_rng(size)))
        assert {len(group.rows) for group in groups} == {size}
        assert all(len(set(group.rows.tolist())) == size for group in groups)
        counted = np.concatenate([group.rows[group.counts] for group in groups])
        assert sorted(counted.tolist()) == ROWS.tolist()
        shares = {float(LABELS[group.rows - 10].mean()) for group in groups}
        if grouping is of_each_class:
            assert shares == {0.5}
        elif grouping is of_one_class:
            assert shares == {0.0, 1.0}


def test_what_cannot_be_grouped_gives_no_groups() -> None:
    rng = np.random.default_rng(0)
    assert list(of_each_class(ROWS, LABELS, 3, rng)) == []
    assert list(of_each_class(ROWS, LABELS, 10, rng)) == []
    assert list(of_one_class(ROWS, LABELS, 5, rng)) == []


def test_the_simulated_people_have_both_classes_and_their_sensors_are_what_normalising_takes_away() -> None:
    study = within_person_study(subjects=4, seed=0)
    check_both_classes(study, "subject")
    assert study.values.shape[0] == 4 * 16
    assert study.labels.mean() == 0.5
    measured = with_own_sensors(study, seed=0)
    assert np.abs(measured.values - study.values).max() > 1
    given, expected = (normalised(one, "subject").values for one in (measured, study))
    np.testing.assert_allclose(given, expected, atol=1e-3)
