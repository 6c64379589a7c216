"""The attribution section: the verdict in words, and what is said when something is missing."""

from __future__ import annotations

import pytest

from steps.core.attribution.checks import check_metrics
from steps.report.attribution import sentences, verdict
from steps.report.render import report_html, report_markdown
from tests.report.conftest import MakeReport

GOOD = {
    "trials_above_tolerance": 0,
    "deletion_area_cells": 0.3,
    "deletion_area_cells_low": 0.1,
    "deletion_area_cells_high": 0.5,
    "insertion_area_cells": 0.2,
    "insertion_area_cells_low": 0.05,
    "insertion_area_cells_high": 0.35,
    "randomised_correlation": 0.07,
}


def verdict_of(**changed: float) -> str:
    metrics = {**GOOD, **changed}
    return verdict({**metrics, **check_metrics(metrics)})


def test_all_checks_passed_is_one_sentence() -> None:
    assert verdict_of() == (
        "As a description of the models, be they good or bad, the attribution passed its 4 checks: it adds up for "
        "every trial, removing what it calls important moves the probability more than removing anything else, so "
        "does putting it back, and models with random weights give a different one."
    )


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"trials_above_tolerance": 3}, "does not add up"),
        ({"deletion_area_cells_low": -0.1}, "removing what it calls important moves the probability no more"),
        ({"insertion_area_cells_low": -0.1}, "putting back what it calls important moves the probability no more"),
        ({"randomised_correlation": 0.8}, "models with random weights, which know nothing, give much the same one"),
    ],
)
def test_a_failed_check_is_named(changed: dict[str, float], reason: str) -> None:
    text = verdict_of(**changed)
    assert text.startswith(
        "As a description of the models the attribution did not pass 1 of 4 checks, so do not rely on it: "
    )
    assert reason in text


def test_what_was_not_checked_is_admitted() -> None:
    metrics = {"trials_above_tolerance": 0}
    text = verdict(check_metrics(metrics))
    assert text == (
        "As a description of the models, be they good or bad, the attribution passed its one check: it adds up for "
        "every trial. Not checked, because it needs more subjects "
        "or is undefined: deletion, insertion, random weights."
    )
    assert verdict({}) == ""


@pytest.mark.usefixtures("words_only")
def test_the_section_is_in_both_reports(make_report: MakeReport) -> None:
    metrics = {**GOOD, **check_metrics(GOOD), "trials_hit": 20, "trials_error": 0}
    data = make_report(attribution_metrics=metrics)
    for text in (report_html(data), report_markdown(data)):
        assert "the attribution passed its 4 checks" in text
        assert "All 20 trials were decided rightly at 0.5, so there is nothing to say about errors." in text
        assert "0.30 [0.10, 0.50]" in text


def test_the_method_is_named(make_report: MakeReport) -> None:
    data = make_report()
    assert sentences(data)[0].startswith("Integrated Gradients split the probability of fear")
    expected = {
        **data.parameters,
        "method": "expected_gradients",
        "attribution_baseline": "control",
        "attribution_baseline_trials": 7,
    }
    metrics = {**data.attribution_metrics, "sampling_error_median": 0.21, "source_error_max": 0.034}
    paragraphs = sentences(make_report(parameters=expected, attribution_metrics=metrics))
    assert paragraphs[0].startswith("Expected gradients")
    assert paragraphs[0].endswith("up to 7 control trials are the baselines.")
    assert any("by about 21% of its size" in sentence and "at most 0.034" in sentence for sentence in paragraphs)


def test_an_attribution_without_checks_has_no_verdict(make_report: MakeReport, default_page: str) -> None:
    data = make_report(attribution_metrics={}, attribution_tables={})
    assert not any("checks" in sentence for sentence in sentences(data))
    assert 0 < report_html(data).count("<figure") < default_page.count("<figure")
