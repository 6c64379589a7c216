"""The statistics beside the results."""

from __future__ import annotations

import html

import pytest

from steps.report.evaluation import chance_table, evaluation
from steps.report.render import report_html, report_markdown
from tests.report.conftest import MakeReport


def test_chance_is_told_for_every_level(make_report: MakeReport) -> None:
    data = make_report()
    table, others = chance_table(data.summary), chance_table(data.summary, first=False)
    assert table is not None
    assert others is not None
    assert {row[0].text for row in table.rows} == {"AUC", "balanced accuracy at 0.5"}
    rows = {(row[0].text, row[1].text): [cell.text for cell in row[2:]] for row in table.rows + others.rows}
    for level, unit in (("pooled", "trials"), ("subject", "subjects"), ("subject_vote", "subjects, majority vote")):
        name, title = "threshold_0.43/balanced_accuracy", "balanced accuracy at 0.43"
        tested = data.summary["permutation"][level][name]
        coins = data.summary["chance"]["pooled" if level == "pooled" else "subject"]["balanced_accuracy"]
        value, p_value, again, permuted, guessed = rows[title, unit]
        assert value.startswith(f"{data.summary[level][name]['value']:.3f}")
        assert float(p_value) == float(f"{tested['p_value']:.2g}")
        assert again == "no"
        assert (permuted, guessed) == (f"{tested['null_quantile']:.3f}", f"{coins:.3f}")
    assert rows["AUC", "subjects"][4] == "–"  # coins have no order
    assert ("balanced accuracy in-fold", "subjects") in rows


@pytest.mark.usefixtures("words_only")
def test_answers_with_a_dont_know_are_told_where_they_are_known(make_report: MakeReport) -> None:
    data = make_report()
    said = evaluation(data.summary).abstention
    assert said[0].startswith("At a declared error rate of 10% it answers for 8 of 8 people and is wrong for 0; of ")
    page, text = report_html(data), report_markdown(data)
    assert html.escape(said[0]) in page
    assert 'With a "don' in html.unescape(page)
    assert said[0] in text
    without = {name: value for name, value in data.summary.items() if name != "abstention"}
    assert evaluation(without).abstention == ()
    assert "declared error rate" not in report_markdown(make_report(summary=without))


def test_thresholds_of_the_folds_are_told_with_their_spread(make_report: MakeReport) -> None:
    data = make_report()
    own = data.summary["in_fold"]
    text = " ".join(evaluation(data.summary).in_fold)
    assert f"{own['mean']:.2f} on average (SD {own['sd']:.2f})" in text
    assert f"from {own['min']:.2f} to {own['max']:.2f} over 8 folds" in text
    assert "stopped the training" in text
    assert "could not choose" not in text
    fewer = {**data.summary, "in_fold": own | {"fallback_folds": 3, "fallback": 0.5}}
    text = " ".join(evaluation(fewer).in_fold)
    assert "over 5 folds" in text
    assert "In 3 of 8 folds" in text


def test_without_them_nothing_is_said(make_report: MakeReport) -> None:
    summary = {
        name: value for name, value in make_report().summary.items() if name not in {"in_fold", "permutation", "chance"}
    }
    statistics = evaluation(summary)
    assert (
        statistics.chance,
        statistics.chance_notes,
        statistics.in_fold,
        statistics.spread,
        statistics.spread_notes,
    ) == (
        None,
        (),
        (),
        None,
        (),
    )


def test_it_is_told_whether_models_were_trained_again_for_p(make_report: MakeReport) -> None:
    data = make_report()
    assert "not trained again" in " ".join(evaluation(data.summary).chance_notes)
    tested = data.summary["permutation"]["subject"] | {
        "auc": {"value": 0.912, "p_value": 0.0021, "null_quantile": 0.68, "retrained": True}
    }
    summary = {**data.summary, "permutation": {**data.summary["permutation"], "subject": tested}}
    table = chance_table(summary)
    assert table is not None
    rows = {(row[0].text, row[1].text): [cell.text for cell in row[2:]] for row in table.rows}
    assert rows["AUC", "subjects"][1:4] == ["0.0021", "yes: 0.912", "0.680"]
    assert "trained again, on features that no label has shaped" in " ".join(evaluation(summary).chance_notes)


@pytest.mark.usefixtures("words_only")
def test_leave_one_subject_out_without_balance_carries_a_warning(make_report: MakeReport) -> None:
    data = make_report()
    plain = make_report(parameters={**data.parameters, "cv": "loso-plain"})
    assert "Mind cv=loso-plain" in report_markdown(plain)
    assert "Mind cv=loso-plain" in html.unescape(report_html(plain))
    assert "Mind cv=" not in report_markdown(data)


@pytest.mark.usefixtures("words_only")
def test_what_more_people_would_give_is_told_where_it_was_asked_for(make_report: MakeReport) -> None:
    data = make_report()
    assert evaluation(data.summary).learning == ()
    point = {"auc": 0.8, "low": 0.7, "high": 0.9}
    curve = {
        "points": [{"training_subjects": size, **point} for size in (6, 12, 22)],
        "further": [{"training_subjects": size, **point} for size in (33, 44, 88)],
        "people": [{"width": 0.1, "subjects": 1234, "fewest": 700, "most": 1500}],
    }
    asked = make_report(summary={**data.summary, "learning_curve": curve})
    first, second = evaluation(asked.summary).learning
    assert "With 6 training subjects the AUC of subjects is 0.800 (0.700 to 0.900)" in first
    assert "with 44 it may be" in first
    assert "0.1 wide: 1,234 (700 to 1,500)" in second
    page, text = report_html(asked), report_markdown(asked)
    assert "How many people it would take" in page
    assert "How many people it would take" in text
    within = evaluation({**data.summary, "learning_curve": {**curve, "people": []}}).learning
    assert "subjects have trials of both classes" in within[1]
