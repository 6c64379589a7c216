from __future__ import annotations

import json
import re
import time

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, matthews_corrcoef, roc_auc_score

from steps.core.metrics.decisions import with_votes
from steps.core.metrics.flat_metrics import flat_metrics
from steps.core.metrics.in_fold_threshold import FoldThreshold, in_fold_table
from steps.core.metrics.predictions import FoldPrediction, results_table, subjects_table
from steps.core.metrics.summary import summary
from tests.core.metrics.conftest import THRESHOLDS, StudyMaker, make_dataset


def test_levels_are_trials_and_subjects(study: StudyMaker) -> None:
    results = study()
    document = summary(results, THRESHOLDS)
    subjects = subjects_table(results, THRESHOLDS)
    assert document["pooled"]["auc"]["value"] == pytest.approx(roc_auc_score(results["label"], results["probability"]))
    assert document["subject"]["auc"]["value"] == pytest.approx(
        roc_auc_score(subjects["label"], subjects["probability"])
    )
    assert document["counts"] == {
        "subjects": 12,
        "positive_subjects": 6,
        "negative_subjects": 6,
        "trials": len(results),
        "positive_trials": int(results["label"].sum()),
        "negative_trials": int((1 - results["label"]).sum()),
        "test_numbers": 1,
    }
    confusion = [document["subject"][f"threshold_0.5/{name}"]["value"] for name in ("tn", "fp", "fn", "tp")]
    assert sum(confusion) == 12
    assert confusion[3] == int((subjects["prediction_0.5"] * subjects["label"]).sum())
    assert document["thresholds"] == [0.5, 0.35]
    assert "per_test_number" not in document


def test_a_vote_is_a_level_of_its_own(study: StudyMaker) -> None:
    results = study(mixed=3)
    document = summary(results, THRESHOLDS, permutations=50)
    table = with_votes(subjects_table(results, THRESHOLDS), results, THRESHOLDS)
    level = document["subject_vote"]
    assert level["threshold_0.35/mcc"]["value"] == pytest.approx(matthews_corrcoef(table["label"], table["vote_0.35"]))
    expected = confusion_matrix(table["label"], table["vote_0.35"]).ravel().tolist()
    assert [level[f"threshold_0.35/{cell}"]["value"] for cell in ("tn", "fp", "fn", "tp")] == expected
    assert level["threshold_0.35/mcc"]["low"] <= level["threshold_0.35/mcc"]["value"]
    assert "auc" not in level


def test_thresholds_of_the_folds_are_in_every_level(study: StudyMaker) -> None:
    results = study(test_numbers=2)
    names = results[["subject", "test_number"]].drop_duplicates().itertuples(index=False)
    in_fold = in_fold_table(
        [(str(n), int(k), [str(n)], FoldThreshold(0.3 + 0.1 * int(k), 0.5, "validation", 4, 9)) for n, k in names]
    )
    document = summary(results, THRESHOLDS, permutations=50, in_fold=in_fold)
    by_trial = results.groupby(["subject", "label", "trial"], as_index=False)["probability"].mean()
    expected = balanced_accuracy_score(by_trial["label"], by_trial["probability"] >= 0.45)
    assert document["pooled"]["threshold_in_fold/balanced_accuracy"]["value"] == pytest.approx(expected)
    assert document["in_fold"]["mean"] == pytest.approx(0.45)
    for level in ("pooled", "subject", "subject_vote"):
        assert 0 < document[level]["threshold_in_fold/balanced_accuracy"]["p_value"] <= 1
    flat = flat_metrics(document)
    assert flat["in_fold/folds"] == 24
    assert flat["subject/threshold_in_fold/balanced_accuracy_p_value"] <= 1
    nobody = in_fold.assign(source="one_class", youden_j=np.nan)
    without = summary(results, THRESHOLDS, permutations=10, in_fold=nobody)
    assert "in_fold" not in without
    assert not [name for name in flat_metrics(without) if "in_fold" in name]


def test_p_values_and_chance_levels_are_metrics(study: StudyMaker) -> None:
    document = summary(study(subjects=20), THRESHOLDS, permutations=200)
    flat = flat_metrics(document)
    tested = document["permutation"]["subject"]["auc"]
    assert flat["subject/auc_p_value"] == document["subject"]["auc"]["p_value"] == tested["p_value"]
    assert flat["subject/auc_null_quantile"] == tested["null_quantile"]
    assert flat["chance/subject/accuracy"] == 14 / 20
    assert document["permutation"]["smallest_p_value"] == 1 / 201
    # A subject has many trials, so luck reaches further than coins would.
    name = "threshold_0.5/balanced_accuracy"
    assert flat[f"pooled/{name}_null_quantile"] > flat["chance/pooled/balanced_accuracy"]


def test_intervals_hold_their_values(study: StudyMaker) -> None:
    document = summary(study(subjects=30), THRESHOLDS)
    for level in ("pooled", "subject"):
        for name, estimate in document[level].items():
            if "low" in estimate:
                assert estimate["low"] <= estimate["value"] <= estimate["high"], (level, name)


def test_same_seed_same_summary_whatever_the_order_of_rows(study: StudyMaker) -> None:
    results = study()
    document = summary(results, THRESHOLDS, seed=5)
    assert summary(results.sample(frac=1, random_state=1), THRESHOLDS, seed=5) == document
    assert summary(results, THRESHOLDS, seed=6)["pooled"]["auc"] != document["pooled"]["auc"]


def test_test_numbers_are_averaged_and_their_spread_shown(study: StudyMaker) -> None:
    results = study(test_numbers=3)
    document = summary(results, THRESHOLDS)
    mean = results.groupby(["subject", "trial", "label"], as_index=False)["probability"].mean()
    assert document["pooled"]["auc"]["value"] == pytest.approx(roc_auc_score(mean["label"], mean["probability"]))
    each = [roc_auc_score(rows["label"], rows["probability"]) for _, rows in results.groupby("test_number", sort=True)]
    spread = document["per_test_number"]
    assert [spread["values"][number]["pooled/auc"] for number in "123"] == pytest.approx(each)
    assert spread["mean"]["pooled/auc"] == pytest.approx(np.mean(each))
    assert spread["sd"]["pooled/auc"] == pytest.approx(np.std(each, ddof=1))
    assert flat_metrics(document)["per_test_number/pooled/auc_sd"] == spread["sd"]["pooled/auc"]


def test_one_class_is_strict_json_without_auc() -> None:
    folds = [
        FoldPrediction(make_dataset([name] * 2, ["1", "2"], [1, 1]), number, np.array([0.4, 0.8]))
        for name in ("a", "b")
        for number in (1, 2)
    ]
    document = summary(results_table(folds, (0.5,)), (0.5,))
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert not [name for name in flat_metrics(document) if "auc" in name or "average_precision" in name]
    assert not [name for name in flat_metrics(document) if "mcc" in name or "p_value" in name or "chance" in name]
    assert document["primary"] == {"level": "subject", "metric": "auc"}


def test_flat_metrics_have_names_that_mlflow_takes(study: StudyMaker) -> None:
    document = summary(study(test_numbers=2), THRESHOLDS)
    flat = flat_metrics(document)
    assert flat["pooled/auc"] == document["pooled"]["auc"]["value"]
    assert flat["pooled/auc_low"] == document["pooled"]["auc"]["low"]
    assert flat["subject/threshold_0.35/f1_high"] == document["subject"]["threshold_0.35/f1"]["high"]
    assert flat["pooled/threshold_0.5/tp"] == document["pooled"]["threshold_0.5/tp"]["value"]
    assert all(re.fullmatch(r"[\w\-./ ]+", name) for name in flat)
    assert all(type(value) is float and np.isfinite(value) for value in flat.values())


def test_a_real_study_takes_seconds(study: StudyMaker) -> None:
    """About 1,600 trials, 2,000 permutations; takes 0.4 s on a core of 2024, so 15 s is a different algorithm."""
    results = study(subjects=290)
    start = time.process_time()
    summary(results, THRESHOLDS)
    assert len(results) > 1500
    assert time.process_time() - start < 15
