"""The network and its baselines in one table."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from steps.core.metrics.method_comparison import baseline_metrics, baselines_summary, baselines_table, methods_table
from steps.core.metrics.summary import summary
from tests.core.metrics.conftest import THRESHOLDS, StudyMaker


def outcome_of(network: pd.DataFrame, baselines: dict[str, pd.DataFrame]) -> dict[str, Any]:
    outcome = summary(network, THRESHOLDS)
    outcome["baselines"] = baselines_summary(network, baselines, THRESHOLDS)
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
