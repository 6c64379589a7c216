"""What is said about a comparison."""

from __future__ import annotations

from dataclasses import replace

import pytest

from steps.core.metrics.comparison import comparison
from steps.report.comparison import answer, description, sentences_of_tests, warnings
from tests.core.metrics.conftest import MethodMaker


def test_a_clear_difference_is_seen_from_both_sides(make_method: MethodMaker) -> None:
    good, bad = make_method(3.0, title="good"), make_method(0.0, noise=1, title="bad")
    forth, back = (comparison(one, other, (0.5, 0.35)) for one, other in ((good, bad), (bad, good)))
    assert forth["primary"]["seen"]
    assert back["primary"]["seen"]
    assert forth["primary"]["difference"]["value"] == pytest.approx(-back["primary"]["difference"]["value"])
    assert "good is better than bad" in answer(forth)
    assert "bad is worse than good" in answer(back)
    assert forth["tests"]["wilcoxon"]["p_value"] < 0.01
    assert forth["parameters"] == {"model": ["good", "bad"]}


def test_no_difference_is_said_plainly_with_what_else_would_fit(make_method: MethodMaker) -> None:
    document = comparison(make_method(), make_method(noise=1, title="other"), (0.5,))
    said = answer(document)
    assert said.startswith("No difference in AUC to be seen between cnn and other.")
    assert "does not make them equal" in said
    assert f"{document['primary']['difference']['low']:+.3f}" in said


def test_the_same_ranks_with_worse_probabilities_are_said_to_differ(make_method: MethodMaker) -> None:
    sharp = make_method(3.0, title="sharp")
    dull = replace(
        sharp, title="dull", results=sharp.results.assign(probability=0.4 + sharp.results["probability"] / 5)
    )
    document = comparison(sharp, dull, (0.5,))
    assert document["primary"]["difference"]["value"] == 0
    assert "No difference in AUC" in answer(document)
    assert "those of sharp are closer to the truth" in answer(document)


def test_the_same_predictions_are_no_difference(make_method: MethodMaker) -> None:
    document = comparison(make_method(), make_method(), (0.5,))
    assert document["identical"]
    assert "nothing to tell apart" in answer(document)
    assert all(outcome["p_value"] == 1.0 for outcome in document["tests"].values())


def test_one_class_compares_brier_scores(make_method: MethodMaker) -> None:
    good, bad = (
        replace(one, results=one.results[one.results["label"] == 1])
        for one in (make_method(3.0), make_method(0.0, noise=1, title="bad"))
    )
    document = comparison(good, bad, (0.5,))
    assert document["primary"]["metric"] == "brier"
    assert "cnn is better than bad" in answer(document)


def test_warnings_fit_the_study(make_method: MethodMaker) -> None:
    plain = " ".join(warnings(comparison(make_method(), make_method(noise=1), (0.5,))))
    assert "Trials of one subject are alike" in plain
    assert "One seed each" in plain
    assert "both classes" not in plain
    first, second = (make_method(noise=noise, test_numbers=2, mixed=True, subjects=6) for noise in (0, 1))
    other = " ".join(warnings(comparison(first, second, (0.5,))))
    assert "6 subjects have trials of both classes" in other
    assert "ensembles" in other


def test_names_are_not_markdown_and_not_html(make_method: MethodMaker) -> None:
    nasty = "<b>a*b|c</b>"
    document = comparison(make_method(title=nasty), make_method(noise=1), (0.5,))
    text = description(document)
    assert nasty not in text
    assert "<b>" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace(r"\|", "").count("|") for line in rows} == {6}
    for sentence in sentences_of_tests(document):
        assert sentence.split(":")[0] in text
