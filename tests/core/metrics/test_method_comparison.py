"""The network and its baselines in one table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from steps.core.metrics.method_comparison import baseline_metrics, baselines_summary, baselines_table, methods_table
from steps.core.metrics.permutation import permutation_test
from steps.core.metrics.predictions import trial_scores
from steps.core.metrics.summary import summary
from tests.core.metrics.conftest import THRESHOLDS, StudyMaker

if TYPE_CHECKING:
    from steps.core.metrics.permutation import Tested


def outcome_of(network: pd.DataFrame, baselines: dict[str, pd.DataFrame]) -> dict[str, Any]:
    outcome = summary(network, THRESHOLDS, permutations=99)
    outcome["baselines"], outcome["ranking"] = baselines_summary(network, baselines, THRESHOLDS, permutations=99)
    return outcome


def test_a_baseline_is_measured_as_the_network_is(study: StudyMaker) -> None:
    network = study(effect=1.5)
    outcome = outcome_of(network, {"itself": network})
    itself = outcome["baselines"]["itself"]
    for level in ("pooled", "subject"):
        for name, estimate in itself[level].items():
            network_has = outcome[level][name]
            assert estimate == {part: network_has[part] for part in estimate}, name
        assert all(set(one.values()) == {0.0} for one in itself["network_minus"][level].values())


def test_the_table_has_a_row_per_method_level_and_metric(study: StudyMaker) -> None:
    network, other = study(effect=1.5), study(effect=0.2, seed=0)
    outcome = outcome_of(network, {"logistic": other})
    table = methods_table(outcome)
    assert not table.duplicated(["method", "level", "metric"]).any()
    rows = {(row["method"], row["level"], row["metric"]): row for row in table.to_dict("records")}
    baseline, itself = rows["logistic", "trials", "auc"], rows["network", "trials", "auc"]
    assert baseline["value"] == pytest.approx(roc_auc_score(other["label"], other["probability"]))
    assert baseline["network_minus"] == pytest.approx(itself["value"] - baseline["value"])
    assert table[table["method"] == "network"]["network_minus"].isna().all()
    measured = {method: {key[1:] for key in rows if key[0] == method} for method in ("network", "logistic")}
    assert measured["network"] == measured["logistic"]
    assert len(rows) == 2 * len(measured["network"])
    assert json.loads(json.dumps(outcome, allow_nan=False)) == outcome


def test_metrics_are_the_headlines(study: StudyMaker) -> None:
    network, other = study(effect=1.5), study(effect=0.2)
    metrics = baseline_metrics(outcome_of(network, {"logistic": other}))
    assert {"baseline_logistic/subject/auc", "baseline_logistic/subject/auc_low"} <= set(metrics)
    assert "baseline_logistic/network_minus/subject/threshold_0.5/balanced_accuracy_high" in metrics
    assert not [name for name in metrics if "0.35" in name]
    assert baseline_metrics(outcome_of(network, {})) == {}


def test_predictions_name_their_method(study: StudyMaker) -> None:
    table = baselines_table({"majority": study(), "logistic": study(seed=1)})
    assert table.columns[0] == "method"
    assert table.groupby("method").size().tolist() == [len(study(seed=1)), len(study())]


def test_p_values_are_those_of_the_test_that_was_made(study: StudyMaker) -> None:
    """A baseline that was trained again has that p value, another that of its kept probabilities, a guess none."""
    network, other = study(effect=1.5), study(effect=0.2)
    again: dict[str, Tested] = {
        level: {"value": 0.7, "p_value": 0.03, "null_quantile": 0.6, "retrained": True}
        for level in ("pooled", "subject")
    }
    methods = {"minirocket": other, "logistic": other, "majority": other}
    document, _ = baselines_summary(network, methods, THRESHOLDS, retrained={"minirocket": again}, permutations=99)
    assert document["minirocket"]["subject"]["auc"]["p_value"] == 0.03
    kept = document["logistic"]["permutation"]["subject"]["auc"]
    expected = permutation_test(trial_scores(other), THRESHOLDS, permutations=99, seed=0)["subject"]["auc"]
    assert kept == expected
    assert not kept["retrained"]
    assert "permutation" not in document["majority"]
    assert "p_value" not in document["majority"]["subject"]["auc"]


def test_the_table_is_in_order_and_says_how_p_was_made(study: StudyMaker) -> None:
    network, better = study(effect=0.3, subjects=40), study(effect=4.0, subjects=40)
    table = methods_table(outcome_of(network, {"logistic": better}))
    assert table["method"].unique().tolist() == ["logistic", "network"]
    tested = table[(table["metric"] == "auc") & (table["level"] == "subjects")].set_index("method")
    assert tested["retrained"].tolist() == [False, False]
    assert tested.loc["logistic", "p_value"] == 0.01
    assert tested["letters"].tolist() == ["a", "b"]


def test_a_study_of_one_class_has_methods_without_order(study: StudyMaker) -> None:
    results = study()
    one_class = results.loc[results["label"] == 1]
    table = methods_table(outcome_of(one_class, {"logistic": one_class}))
    assert set(table["method"]) == {"network", "logistic"}
    assert table["p_value"].isna().all()
