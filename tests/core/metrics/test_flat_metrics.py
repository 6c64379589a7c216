from __future__ import annotations

import numpy as np

from steps.core.metrics.flat_metrics import flat_metrics, headline_metrics, primary_metrics
from steps.core.metrics.predictions import FoldPrediction, results_table
from steps.core.metrics.summary import summary
from tests.core.metrics.conftest import THRESHOLDS, StudyMaker, make_dataset

BALANCED = "threshold_0.5/balanced_accuracy"


def test_a_study_gets_the_headlines_of_its_evaluation(study: StudyMaker) -> None:
    document = summary(study(), THRESHOLDS, permutations=50)
    shown, every = headline_metrics(document), flat_metrics(document)
    assert shown.items() <= every.items()
    names = {"auc", BALANCED, "threshold_0.5/recall", "threshold_0.5/specificity", "brier"}
    of_subjects = {f"subject/{name}{part}" for name in names for part in ("", "_low", "_high")}
    tested = {"subject/auc_p_value", f"subject/{BALANCED}_p_value"}
    of_trials = {f"pooled/{name}" for name in names} | {"pooled/auc_low", "pooled/auc_high"}
    assert set(shown) == of_subjects | tested | of_trials


def test_the_evidence_for_a_model_is_its_auc(study: StudyMaker) -> None:
    document = summary(study(), THRESHOLDS, permutations=50)
    evidence = primary_metrics(document)
    assert evidence.items() <= flat_metrics(document).items()
    assert set(evidence) == {f"{level}/auc{part}" for level in ("pooled", "subject") for part in ("", "_low", "_high")}


def test_one_class_has_no_evidence() -> None:
    folds = [FoldPrediction(make_dataset([name], ["1"], [1]), 1, np.array([0.8])) for name in ("a", "b")]
    document = summary(results_table(folds, (0.5,)), (0.5,))
    assert primary_metrics(document) == {}
    assert "subject/threshold_0.5/recall" in headline_metrics(document)
