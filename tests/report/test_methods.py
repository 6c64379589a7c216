"""The network beside its baselines, in the report."""

from __future__ import annotations

from steps.evaluate.methods import baselines_summary
from steps.report.methods import method_rows, methods_table
from steps.report.render import report_html, report_markdown
from tests.report.conftest import MakeReport


def test_methods_are_in_the_page_and_in_its_text(make_report: MakeReport) -> None:
    data = make_report()
    found = baselines_summary(data.results, {"logistic": make_report(noise=0.5).results}, resamples=50)
    data = make_report(summary={**data.summary, "baselines": found})
    rows = method_rows(data.summary)
    assert [row[0] for row in rows] == ["network", "logistic regression, summary features"]
    assert rows[0][-1] == "–"
    assert rows[1][-1][0] in "+-"
    for text in (report_html(data), report_markdown(data)):
        for row in rows:
            assert row[0] in text
            assert row[1] in text


def test_without_baselines_there_is_no_table(make_report: MakeReport) -> None:
    data = make_report()
    assert methods_table(data.summary) is None
    assert "Beside simpler methods" not in report_html(data)
