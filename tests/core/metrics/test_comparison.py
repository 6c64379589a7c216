"""Everything that two methods' predictions say about their difference."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from steps.core.metrics.comparison import comparison, comparison_metrics, comparison_table
from tests.core.metrics.conftest import MethodMaker


def test_the_document_is_strict_json_and_its_forms_agree(make_method: MethodMaker) -> None:
    document = comparison(make_method(), make_method(noise=1), (0.5, 0.35))
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    rows = {(row["level"], row["metric"]): row for row in comparison_table(document).to_dict("records")}
    metrics = comparison_metrics(document)
    for level, unit in (("pooled", "trials"), ("subject", "subjects")):
        row = rows[unit, "auc"]
        assert row["difference"] == pytest.approx(row["first"] - row["second"])
        assert metrics[f"difference/{level}/auc"] == row["difference"]
        assert metrics[f"difference/{level}/auc_low"] == row["difference_low"]
    assert 0 <= metrics["test/mcnemar_subject/p_value"] <= 1


def test_the_same_seed_gives_the_same_and_rows_in_any_order(make_method: MethodMaker) -> None:
    first, second = make_method(), make_method(noise=1)
    shuffled = replace(second, results=second.results.sample(frac=1, random_state=3))
    assert comparison(first, second, (0.5,)) == comparison(first, shuffled, (0.5,))
