"""Metrics of whole labels against scikit-learn, SciPy and counting by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import somersd, spearmanr
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss, mean_absolute_error, roc_auc_score

from steps.core.data.labelling import Labelling
from steps.core.metrics.labels import metrics
from steps.core.metrics.labels.predictions import LabelScores, label_levels
from steps.core.metrics.labels.summary import label_estimates, label_metrics, label_metrics_table, label_summary
from steps.core.metrics.labels.text import label_sentence, label_text

NAMES = ("low", "middle", "high")
CLASSES = Labelling(kind="classes", names=NAMES, cut_off=1)
ORDERED = Labelling(kind="ordered", names=NAMES, cut_off=1)
SCORE = Labelling(kind="score", names=(), cut_off=40)


def scores(labelling: Labelling, subjects: int = 15, trials: int = 4, signal: float = 1.5) -> LabelScores:
    generator = np.random.default_rng(0)
    who = np.repeat(np.arange(subjects), trials)
    if labelling.has_classes:
        values = (np.arange(subjects) % 3).astype(float)[who]
        logits = signal * np.eye(3)[values.astype(int)] + generator.normal(size=(len(who), 3))
        outputs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    else:
        values = generator.integers(17, 69, subjects).astype(float)[who]
        outputs = (20 + signal * (values - 40) / 3 + 5 * generator.normal(size=len(who))).round()[:, np.newaxis]
    return LabelScores(labelling, values, outputs, np.array([f"S{one:02d}" for one in who]))


def as_table(of: LabelScores) -> pd.DataFrame:
    columns = [f"probability_{name}" for name in of.labelling.names] or ["predicted_score"]
    table = pd.DataFrame(of.outputs, columns=columns)
    return table.assign(subject=of.subjects, label_value=of.values, test_number=1, trial=[str(i) for i in table.index])


def test_of_classes_they_are_scikit_learns() -> None:
    of = scores(CLASSES)
    assert metrics.macro_auc(of) == pytest.approx(roc_auc_score(of.values, of.outputs, multi_class="ovr"))
    assert metrics.macro_f1(of) == pytest.approx(f1_score(of.values, of.classes, average="macro"))
    assert metrics.balanced_accuracy(of) == pytest.approx(balanced_accuracy_score(of.values, of.classes))
    assert metrics.cross_entropy(of) == pytest.approx(log_loss(of.values, of.outputs))
    assert metrics.accuracy(of) == pytest.approx((of.values == of.outputs.argmax(axis=1)).mean())


def test_of_scores_they_are_those_of_scipy_and_of_counting_pairs() -> None:
    of = scores(SCORE, subjects=9, trials=2)
    said = of.outputs[:, 0]
    assert metrics.rank_correlation(of) == pytest.approx(spearmanr(of.values, said).statistic)
    assert metrics.absolute_error(of) == pytest.approx(mean_absolute_error(of.values, said))
    pairs = [(a, b) for a, b in itertools.combinations(range(len(said)), 2) if of.values[a] != of.values[b]]
    right = [
        0.5 if said[a] == said[b] else float((said[a] > said[b]) == (of.values[a] > of.values[b])) for a, b in pairs
    ]
    assert metrics.concordance(of) == pytest.approx(np.mean(right))
    assert metrics.concordance(of) == pytest.approx((somersd(of.values, said).statistic + 1) / 2)


def test_of_two_values_concordance_is_the_auc() -> None:
    of = scores(SCORE)
    of = LabelScores(SCORE, (of.values > 40).astype(float), of.outputs, of.subjects)
    assert metrics.concordance(of) == pytest.approx(roc_auc_score(of.values, of.outputs[:, 0]))


def test_where_nothing_differs_nothing_is_ranked() -> None:
    of = scores(SCORE)
    constant = LabelScores(SCORE, of.values, np.ones_like(of.outputs), of.subjects)
    assert metrics.concordance(constant) == 0.5
    assert metrics.rank_correlation(constant) == 0
    assert label_estimates(constant)["concordance"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    alike = LabelScores(SCORE, np.full_like(of.values, 30), of.outputs, of.subjects)
    assert np.isnan(metrics.concordance(alike))
    assert "concordance" not in label_estimates(alike)


@pytest.mark.parametrize("labelling", [CLASSES, ORDERED, SCORE], ids=lambda one: one.kind)
def test_intervals_lie_within_what_is_possible_and_get_narrow_with_people(labelling: Labelling) -> None:
    few, many = (label_estimates(scores(labelling, subjects)) for subjects in (9, 90))
    for name, one in many.items():
        if "low" not in one:
            assert name in ("mae_of_guessing", "cross_entropy")
            continue
        assert one["low"] <= one["value"] <= one["high"]
        assert one["high"] - one["low"] < few[name]["high"] - few[name]["low"]
        if name != "mae":
            assert one["low"] >= -1
            assert one["high"] <= 1
    perfect = scores(CLASSES, 30, signal=50.0)
    estimate = label_estimates(perfect)["macro_auc"]
    assert estimate["value"] == estimate["high"] == 1
    assert 0.5 < estimate["low"] < 1


def test_a_summary_has_classes_confusion_cut_offs_and_tells_them() -> None:
    of = scores(ORDERED)
    document = label_summary(as_table(of), ORDERED, seed=0)
    levels = label_levels(as_table(of), ORDERED)
    np.testing.assert_allclose(levels["subject"].outputs, of.outputs.reshape(15, 4, 3).mean(axis=1))
    confusion = np.array(document["pooled"]["confusion"])
    assert confusion.sum() == 60
    assert np.trace(confusion) / 60 == pytest.approx(metrics.accuracy(of))
    middle = document["pooled"]["classes"][1]
    assert middle["count"] == 20
    assert middle["auc"]["value"] == pytest.approx(roc_auc_score(of.values == 1, of.outputs[:, 1]))
    assert middle["f1"]["value"] == pytest.approx(f1_score(of.values == 1, of.classes == 1))
    high = document["pooled"]["cut_offs"][1]
    assert (high["cut_off"], high["positives"]) == ("high", 20)
    assert high["auc"]["value"] == pytest.approx(roc_auc_score(of.values == 2, of.rank))
    assert document["subject"]["metrics"]["concordance"]["p_value"] <= 0.05
    table = label_metrics_table(document)
    assert set(table["of"]) == {"", *NAMES, "middle or more", "high or more"}
    assert label_metrics(document)["labels/subject/mae_low"] == document["subject"]["metrics"]["mae"]["low"]
    assert label_text(document, "subject").startswith("subjects, 3 ordered classes: concordance ")
    assert "guessing has 0.333" in label_sentence(document)


def test_without_anything_to_find_p_values_are_uniform_and_it_is_said() -> None:
    p_values = []
    for seed in range(40):
        generator = np.random.default_rng(seed)
        values = generator.permutation(np.arange(15) % 3).astype(float)
        names = np.array([f"S{number:02d}" for number in range(15)])
        of = LabelScores(ORDERED, values, generator.dirichlet(np.ones(3), 15), names)
        document = label_summary(as_table(of), ORDERED, seed, permutations=59)
        p_values.append(document["subject"]["metrics"]["concordance"]["p_value"])
    assert 0.35 < np.mean(p_values) < 0.65
    assert np.mean(np.array(p_values) <= 0.05) <= 0.15
    assert "not shown to be told better than by guessing" in label_sentence(document)


@pytest.mark.parametrize(
    ("labelling", "why"), [(CLASSES, "not every class was tested"), (SCORE, "all tested subjects are alike")]
)
def test_where_too_little_was_tested_it_is_said_what(labelling: Labelling, why: str) -> None:
    table = as_table(scores(labelling))
    first = table["label_value"].iloc[0]
    kept = table[(table["label_value"] == first) | (labelling.has_classes & (table["label_value"] == (first + 1) % 3))]
    document = label_summary(kept, labelling, seed=0, permutations=20)
    assert label_sentence(document).endswith(f"nothing can be said, {why}.")
