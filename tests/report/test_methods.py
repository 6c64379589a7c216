"""The network beside its baselines, in the report."""

from __future__ import annotations

from typing import Any

import pytest

from steps.core.metrics.method_comparison import baselines_summary
from steps.report.content import content
from steps.report.data import ReportData
from steps.report.methods import methods_table, rival
from steps.report.render import description, report_html, report_markdown
from tests.report.conftest import MakeReport

SUMMARY: dict[str, Any] = {"thresholds": [0.5], "pooled": {}, "subject": {}}


@pytest.mark.usefixtures("words_only")
def test_methods_are_in_the_page_and_in_its_text(make_report: MakeReport) -> None:
    data = make_report()
    baselines, ranking = baselines_summary(data.results, {"logistic": make_report(noise=0.5).results}, (0.5, 0.43))
    data = make_report(summary={**data.summary, "baselines": baselines, "ranking": ranking})
    table = methods_table(data.summary)
    assert table is not None
    rows = [[cell.text for cell in row] for row in table.rows]
    assert [row[0] for row in rows] == ["network", "logistic regression on summary features"]
    assert [row[1] for row in rows] in (["a", "b"], ["a", "a"])
    assert rows[0][5] == "–"
    assert rows[1][5][0] in "+-"
    assert rows[1][6].endswith("not trained again")
    for text in (report_html(data), report_markdown(data)):
        for row in rows:
            assert row[0] in text
            assert row[2] in text


def test_without_baselines_there_is_no_table(make_report: MakeReport, default_page: str) -> None:
    assert methods_table(make_report().summary) is None
    assert "Beside simpler methods" not in default_page


def _with_logistic(make_report: MakeReport, network: float, logistic: float) -> ReportData:
    """A study whose network and logistic regression have this much noise in their probabilities."""
    data = make_report(noise=network)
    other = make_report(noise=logistic).results
    baselines, _ = baselines_summary(data.results, {"logistic": other}, (0.5, 0.43))
    return make_report(
        noise=network, summary={**data.summary, "baselines": {"majority": baselines["logistic"], **baselines}}
    )


@pytest.mark.usefixtures("words_only")
def test_an_answer_never_hides_a_simpler_method_that_did_as_well(make_report: MakeReport) -> None:
    data = _with_logistic(make_report, network=0.9, logistic=0.05)
    page_content = content(data)
    simpler = page_content.answer[2]
    assert simpler.startswith("A simpler method did ")
    assert "logistic regression on summary features, AUC 1.000" in simpler
    assert [interval.title for interval in page_content.intervals[:2]] == [
        "AUC",
        "AUC, logistic regression on summary features",
    ]
    page = report_html(data)
    lead = page[page.index('id="answer"') : page.index("</section>", page.index('id="answer"'))]
    for text in (lead, report_markdown(data).partition("## ")[0], description(data)[:2000]):
        assert "A simpler method did " in text


@pytest.mark.parametrize(
    ("difference", "beginning"),
    [
        ({"value": -0.1, "low": -0.2, "high": -0.01}, "A simpler method did better: "),
        ({"value": -0.1, "low": -0.2, "high": 0.0}, "A simpler method did at least as well: "),
        ({"value": 0.0}, "A simpler method did at least as well: "),
        ({"value": 0.1, "low": 0.0, "high": 0.2}, "A simpler method cannot be told apart from the network "),
        ({"value": 0.1, "low": 0.01, "high": 0.2}, "No simpler method that was tried did as well; the best of them: "),
    ],
)
def test_what_is_said_of_the_best_simpler_method(difference: dict[str, float], beginning: str) -> None:
    better, worse, guess = (
        {"pooled": {}, "subject": {"auc": {"value": auc}}, "network_minus": {"subject": {"auc": minus}}}
        for auc, minus in ((0.9, difference), (0.8, {"value": 0.5}), (0.99, {"value": -1.0}))
    )
    best = rival(SUMMARY | {"baselines": {"majority": guess, "logistic": worse, "minirocket": better}})
    assert best is not None
    assert best.sentence.startswith(beginning)
    assert "MiniRocket with a ridge classifier, AUC 0.900" in best.sentence


def test_one_class_or_no_method_has_no_rival() -> None:
    assert rival(SUMMARY) is None
    undefined: dict[str, Any] = {"pooled": {}, "subject": {}, "network_minus": {"subject": {}}}
    assert rival(SUMMARY | {"baselines": {"logistic": undefined}}) is None
