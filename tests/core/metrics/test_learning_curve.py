"""The curve, its continuation, and people for a narrow interval."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, rankdata

from steps.core.metrics.estimates import estimates
from steps.core.metrics.learning_curve import (
    WIDTHS,
    _continued,
    curve_as_table,
    expected_width,
    learning_curve,
    people_needed,
)
from steps.core.metrics.predictions import Scores

COUNTS = {"subjects": 24, "positive_subjects": 12, "negative_subjects": 12}


def predictions(seed: int, sizes: tuple[int, ...] = (6, 10, 16, 22)) -> pd.DataFrame:
    """Scores that get better with the subjects that train."""
    random = np.random.default_rng(seed)
    rows = []
    labels = np.repeat([0, 1], 12)
    person = random.normal(size=24)
    for size in sizes:
        for repeat in (1, 2, 3):
            scores = person + random.normal(size=24) * 0.3 + labels * (2.0 - 4.0 / size**0.5)
            rows.append(
                pd.DataFrame(
                    {
                        "training_subjects": size,
                        "repeat": repeat,
                        "subject": [f"s{one:02d}" for one in range(24)],
                        "trial": "1",
                        "label": labels,
                        "probability": norm.cdf(scores),
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


def test_points_are_mean_aucs_with_intervals_and_go_on() -> None:
    table = predictions(0)
    reached = {"auc": {"value": 0.9, "low": 0.8, "high": 0.97}}
    document = learning_curve(table, {"counts": COUNTS, "subject": reached}, 0)
    for point in document["points"]:
        own = table[table["training_subjects"] == point["training_subjects"]]
        aucs = []
        for _, one in own.groupby("repeat"):
            ranks = rankdata(one["probability"])
            aucs.append((ranks[one["label"] == 1].sum() - 12 * 13 / 2) / 144)
        assert point["auc"] == pytest.approx(np.mean(aucs))
        assert point["low"] <= point["auc"] <= point["high"]
    assert [point["training_subjects"] for point in document["further"]] == [33, 44, 88]
    assert len(curve_as_table(document)) == 7
    assert [one["width"] for one in document["people"]] == list(WIDTHS)
    for one in document["people"]:
        assert one["fewest"] <= one["subjects"] <= one["most"]


def test_subjects_of_both_classes_are_no_independent_people() -> None:
    counts = {"subjects": 12, "positive_subjects": 12, "negative_subjects": 12}
    table = predictions(0)
    table["subject"] = "s" + (table["subject"].str[1:].astype(int) % 12).astype(str)
    document = learning_curve(table, {"counts": counts, "subject": {"auc": {"value": 0.9}}}, 0)
    assert document["people"] == []


def test_a_power_law_is_continued_as_it_is() -> None:
    sizes = np.array([6, 9, 13, 19, 28])
    curve = 0.95 - 0.2 * (sizes / 6) ** -0.8
    ahead = np.array([42, 112])
    np.testing.assert_allclose(_continued(sizes, curve, ahead), 0.95 - 0.2 * (ahead / 6) ** -0.8, atol=1e-3)
    flat = _continued(sizes, np.ones(5), ahead)
    np.testing.assert_allclose(flat, 1.0, atol=1e-2)


def test_people_needed_make_the_interval_just_narrow_enough() -> None:
    for auc in (0.6, 0.8, 0.95):
        for width in WIDTHS:
            people = people_needed(auc, width, 0.5)
            assert expected_width(auc, people, 0.5) <= width < expected_width(auc, people - 1, 0.5)
    assert people_needed(0.8, 0.1, 0.2) > people_needed(0.8, 0.1, 0.5)


@pytest.mark.parametrize(("auc", "people"), [(0.6, 24), (0.8, 46), (0.9, 100), (0.95, 46)])
def test_the_expected_width_is_that_of_simulated_studies(auc: float, people: int) -> None:
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], people // 2).astype(np.int8)
    names = np.array([f"s{one:03d}" for one in range(people)])
    widths = []
    for _ in range(60):
        scores = norm.cdf(random.normal(size=people) + labels * np.sqrt(2) * norm.ppf(auc))
        found = estimates(Scores(labels, scores, names), (0.5,))["auc"]
        widths.append(found["high"] - found["low"])
    assert expected_width(auc, people, 0.5) == pytest.approx(np.mean(widths), rel=0.15)
