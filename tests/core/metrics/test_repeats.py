from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef

from steps.core.metrics.flat_metrics import flat_metrics
from steps.core.metrics.predictions import FoldPrediction, results_table, subjects_table
from steps.core.metrics.repeats import level_values, per_test_number, repeats_table
from steps.core.metrics.summary import summary
from tests.core.metrics.conftest import THRESHOLDS, StudyMaker, make_dataset


def test_each_test_number_is_a_study_of_its_own(study: StudyMaker) -> None:
    results = study(test_numbers=3)
    spread = per_test_number(results, (0.5, 0.35))
    for number in (1, 2, 3):
        alone = results[results["test_number"] == number]
        assert spread["values"][str(number)] == level_values(alone, (0.5, 0.35))
        assert spread["values"][str(number)]["pooled/threshold_0.5/mcc"] == pytest.approx(
            matthews_corrcoef(alone["label"], alone["prediction_0.5"])
        )
        subjects = subjects_table(alone, THRESHOLDS)
        assert spread["values"][str(number)]["subject/threshold_0.35/mcc"] == pytest.approx(
            matthews_corrcoef(subjects["label"], subjects["prediction_0.35"])
        )
    assert {name.split("/")[0] for name in spread["mean"]} == {"pooled", "subject", "subject_vote"}
    for name in ("pooled/auc", "subject/ece", "subject_vote/threshold_0.5/balanced_accuracy"):
        values = [spread["values"][number][name] for number in "123"]
        assert spread["mean"][name] == pytest.approx(np.mean(values))
        assert spread["sd"][name] == pytest.approx(np.std(values, ddof=1))
        assert (spread["min"][name], spread["max"][name]) == (min(values), max(values))


def test_what_seeds_change_is_counted() -> None:
    folds = [
        FoldPrediction(make_dataset(["a", "a"], ["1", "2"], [1, 1]), number, np.array(probabilities))
        for number, probabilities in ((1, [0.6, 0.9]), (2, [0.4, 0.9]))
    ]
    spread = per_test_number(results_table(folds, (0.5,)), (0.5,))
    assert spread["changed_decisions"] == {"pooled/threshold_0.5": 0.5, "subject/threshold_0.5": 0.0}
    assert spread["probability_sd"]["pooled"] == pytest.approx((np.sqrt(0.02) + 0) / 2)
    assert spread["probability_sd"]["subject"] == pytest.approx(np.sqrt(0.005))


def test_table_and_metrics_say_the_same(study: StudyMaker) -> None:
    document = summary(study(test_numbers=2), THRESHOLDS, permutations=10)
    table = repeats_table(document)
    flat = flat_metrics(document)
    assert list(table.columns) == ["test_number", "level", "metric", "value"]
    aucs = table[(table["level"] == "subject") & (table["metric"] == "auc")]["value"]
    assert flat["per_test_number/subject/auc_mean"] == pytest.approx(aucs.mean())
    assert flat["per_test_number/subject/auc_min"] == aucs.min()
    assert 0 <= flat["per_test_number/pooled/threshold_0.5/changed_decisions"] <= 1
    assert flat["per_test_number/pooled/probability_sd"] > 0
