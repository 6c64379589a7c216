from __future__ import annotations

from steps.core.attribution.checks import check_metrics

GOOD = {
    "trials_above_tolerance": 0,
    "deletion_area_cells": 0.3,
    "deletion_area_cells_low": 0.1,
    "insertion_area_cells": 0.2,
    "insertion_area_cells_low": 0.05,
    "randomised_correlation": -0.1,
}


def test_all_passed() -> None:
    assert check_metrics(GOOD) == {
        "check_completeness": 1, "check_deletion": 1, "check_insertion": 1, "check_randomisation": 1,
    }  # fmt: skip


def test_each_can_fail() -> None:
    for name, bad in (
        ("completeness", {"trials_above_tolerance": 1}),
        ("deletion", {"deletion_area_cells_low": -0.01}),
        ("insertion", {"insertion_area_cells_low": 0.0}),
        ("randomisation", {"randomised_correlation": 0.5}),
    ):
        checked = check_metrics(GOOD | bad)
        assert [check for check, passed in checked.items() if not passed] == [f"check_{name}"]


def test_what_cannot_be_checked_is_absent() -> None:
    assert set(check_metrics({"trials_above_tolerance": 0, "deletion_area_cells": 0.3})) == {"check_completeness"}
