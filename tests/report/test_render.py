"""What the page and its Markdown say, and that nothing in them is alive that should not be."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from steps.core.data.dataset import Dataset
from steps.core.metrics.statistic import statistics_of
from steps.report.content import content
from steps.report.data import ReportData
from steps.report.figures import ATTRIBUTION, pictures
from steps.report.render import DESCRIPTION_LENGTH, description, report_html, report_markdown
from steps.report.results import result_rows
from tests.report.conftest import NASTY, MakeReport

VOID = {"meta", "link", "img", "rect", "line", "br"}


class Page(HTMLParser):
    """The tags, attributes and cells of a page; fails on tags that are not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"td", "th"}:
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self._open:
            return
        self.texts.setdefault(self._open[-1], []).append(data)
        if self._open[-1] in {"td", "th"}:
            self.tables[-1][-1][-1] += data.strip()

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def table(self, first_column: str) -> list[list[str]]:
        return next(table for table in self.tables if table[0][0] == first_column)


def test_the_numbers_are_those_of_the_summary(make_report: MakeReport, default_page: str) -> None:
    data, page = make_report(), Page(default_page)
    body, appendix = [table for table in page.tables if table[0][0] == "metric"]
    assert not [row[0] for row in body if row[0].endswith((" at 0.43", " in-fold"))], "one threshold in the body"
    rows = {row[0]: row[1:] for row in body[1:] + appendix[1:]}
    voted = data.summary["subject_vote"]["threshold_0.43/recall"]
    assert rows["sensitivity (recall) at 0.43"][2] == f"{voted['value']:.3f} [{voted['low']:.3f}, {voted['high']:.3f}]"
    assert rows["AUC"][2] == "–"  # a vote has no probability
    for level, column in (("pooled", 0), ("subject", 1)):
        for name, title in (
            ("auc", "AUC"),
            ("threshold_0.43/recall", "sensitivity (recall) at 0.43"),
            ("brier", "Brier score"),
        ):
            estimate = data.summary[level][name]
            assert rows[title][column] == f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"
    auc = data.summary["subject"]["auc"]
    assert f"AUC of {auc['value']:.3f} (95% interval {auc['low']:.3f} to {auc['high']:.3f})" in page.texts["p"][1]
    assert not any(title.startswith(("tn", "fp", "tp", "fn")) for title in rows)


@pytest.mark.usefixtures("words_only")
def test_subjects_are_sorted_and_wrong_decisions_marked(make_report: MakeReport) -> None:
    data = make_report(noise=0.5)
    header, *rows = Page(report_html(data)).table("subject")
    assert header == ["subject", "true class", "trials", "mean probability of fear", "at 0.5", "at 0.43"]
    assert [row[3] for row in rows] == sorted((row[3] for row in rows), reverse=True)
    truth = {record["subject"]: record for record in data.subjects.to_dict("records")}
    for name, label, trials, probability, at_half, _ in rows:
        subject = truth[name]
        assert (label, trials) == (data.label_names[subject["label"]], str(subject["trials"]))
        assert probability == f"{subject['probability']:.3f}"
        assert at_half.endswith("✗") == (subject["prediction_0.5"] != subject["label"])
    assert {row[4].endswith("✗") for row in rows} == {True, False}


def test_names_are_text_in_html_and_markdown(make_report: MakeReport, nasty_study: Dataset) -> None:
    data = make_report(nasty_study, run_name=f"run {NASTY} [x](javascript:y)", commit=NASTY)
    page = report_html(data)
    assert NASTY not in page
    assert html.escape(NASTY, quote=False).replace('"', "&#34;") in page
    parsed = Page(page)
    assert len(parsed.attributes("script")) == 1
    assert parsed.attributes("b") == []
    for cells in parsed.table("subject")[1:]:
        assert cells[0].startswith(f"{NASTY}|")
    for text in (report_markdown(data), description(data)):
        assert "<" not in re.sub(r"```+bash\n.*?\n```+", "", text, flags=re.DOTALL)
        assert "](" not in text.replace("\\](", "")
        rows = [line for line in text.splitlines() if line.startswith("| ")]
        assert all(line.count("|") in {3, 4, 5, 6, 7, 8} for line in rows)


def test_nothing_comes_from_outside(default_page: str) -> None:
    page = default_page
    assert not re.search(r"https?:|//[a-z]|@import|url\(", page)
    parsed = Page(page)
    for tag, attributes in parsed.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "data:").startswith(("data:", "#")), (tag, attributes)
    for attributes in parsed.attributes("img"):
        drawing = base64.b64decode((attributes["src"] or "").partition(",")[2]).decode()
        assert set(re.findall(r'href="([^#"]{1,10})', drawing)) <= {"data:image"}
        assert "<script" not in drawing
        assert attributes["alt"]


def test_the_policy_allows_this_style_and_this_script_only(default_page: str) -> None:
    page = default_page
    (policy,) = [a["content"] or "" for a in Page(page).attributes("meta") if a.get("http-equiv")]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert f"{tag}-src 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy


@pytest.fixture(scope="module")
def repeated(make_report: MakeReport) -> tuple[ReportData, str]:
    """A study of two test numbers per fold, and its page."""
    data = make_report(repeats=2)
    return data, report_html(data)


def test_markdown_has_the_same_tables(repeated: tuple[ReportData, str]) -> None:
    data, page = repeated[0], Page(repeated[1])
    text = report_markdown(data)
    for table in page.tables:
        for row in table:
            assert f"| {' | '.join(row)} |" in text
    defined = [one for one in statistics_of(data.summary["thresholds"]) if one.name in data.summary["pooled"]]
    for result in result_rows(data.summary, defined):
        assert f"| {' | '.join(result)} | " in text
    for title in page.texts["h2"]:
        assert f"## {title}" in text or title == "Figures"


def test_repeats_show_their_spread(repeated: tuple[ReportData, str], default_page: str) -> None:
    data, page = repeated
    assert "One seed" not in page
    spread = data.summary["per_test_number"]
    rows = {row[0]: row[1:] for table in Page(page).tables for row in table if "±" in "".join(row)}
    for key, title, column in (
        ("pooled/auc", "AUC", 0),
        ("subject/ece", "expected calibration error", 1),
        ("subject_vote/threshold_0.43/mcc", "MCC at 0.43", 2),
    ):
        mean, sd, low, high = (spread[part][key] for part in ("mean", "sd", "min", "max"))
        assert rows[title][column] == f"{mean:.3f} ± {sd:.3f} ({low:.3f} to {high:.3f})"
    assert f"varies by {spread['probability_sd']['pooled']:.3f}" in page
    assert 'class="test_numbers' in page
    for heading in ("Against chance", "Threshold chosen in the fold", "Between test numbers"):
        assert f"<h3>{heading}</h3>" in page
        assert f"### {heading}" in report_markdown(data)
    assert "Between test numbers" not in default_page
    assert "One seed" in default_page


def test_one_class_has_no_auc_and_says_so(make_report: MakeReport, small_study: Dataset) -> None:
    calm = dataclasses.replace(small_study, labels=np.zeros_like(small_study.labels), planted_truth=None)
    data = make_report(calm, attribution_metrics={})
    text = report_html(data)
    page = Page(text)
    assert "all of one class" in page.texts["p"][1]
    assert page.table("metric")[1] == ["AUC", "–", "–", "–"]
    assert "roc" not in {picture.name for picture in pictures(data)}
    assert "| AUC | – | – | – |" in report_markdown(data)
    assert "Against chance" not in text


def test_a_single_fold_without_training_history(make_report: MakeReport, small_study: Dataset) -> None:
    one = small_study.of_subjects([str(small_study.subjects[~small_study.is_control][0])])
    importance = make_report().importance.assign(sd=np.nan, low=np.nan, high=np.nan)
    page = Page(report_html(make_report(one, histories=[], importance=importance)))
    assert page.table("rank")[1][3:5] == ["–", "–"]


def test_figures_are_captioned_vector_and_reproducible(make_report: MakeReport, default_page: str) -> None:
    drawn = pictures(make_report())
    assert [picture.name for picture in drawn][:8] == [
        "roc", "precision_recall", "reliability", "confusion", "threshold_sweep", "abstention", "decision_curve",
        "subject_probabilities",
    ]  # fmt: skip
    assert [picture.name for picture in drawn if picture.part == ATTRIBUTION] == [
        "feature_importance", "attribution_map", "time_importance", "importance_by_outcome", "deletion_insertion",
    ]  # fmt: skip
    assert all(picture.caption and picture.alt for picture in drawn)
    # Only figures nobody described get a caption that repeats their name.
    assert not [picture.name for picture in drawn if picture.alt.startswith("Figure: ")]
    # Drawn another time, for the page, they are the same to the last byte.
    shown = [attributes["src"] or "" for attributes in Page(default_page).attributes("img")]
    assert sorted(shown) == sorted(picture.uri for picture in drawn)


@pytest.mark.parametrize("subjects", [8, 400])
def test_the_description_fits_into_a_tag(make_report: MakeReport, subjects: int) -> None:
    data = make_report()
    copies = [data.subjects.assign(subject=data.subjects["subject"] + f"_{i}") for i in range(subjects // 8)]
    text = description(dataclasses.replace(data, subjects=pd.concat(copies)))
    assert len(text) <= DESCRIPTION_LENGTH
    assert "| AUC |" in text
    assert ("*Subjects: see `report.html`" in text) == (subjects == 400)


@pytest.mark.usefixtures("words_only")
def test_local_changes_are_admitted(make_report: MakeReport) -> None:
    page = report_html(make_report(has_local_changes=True))
    assert "abc123, with uncommitted changes" in page
    assert "The commit alone is not what was run" in page


def test_subjects_with_both_classes_are_offered_to_be_compared_with_themselves(
    make_report: MakeReport, small_study: Dataset, within_study: Dataset
) -> None:
    offer, used = "normalise=subject could compare", "Input: each subject"
    study = make_report(within_study)
    assert report_markdown(study).count(offer) == 1
    assert used not in report_markdown(study)
    assert offer not in report_markdown(make_report(small_study))
    within = dataclasses.replace(study, parameters={**study.parameters, "normalise": "subject"})
    page = report_markdown(within)
    assert offer not in page
    assert page.count(used) == 1
    assert "in standard deviations of the subject" in page
    assert "For people with recordings of both classes" in page


def test_the_legend_says_why_a_perfect_auc_has_the_wider_interval(make_report: MakeReport) -> None:
    usual, perfect = make_report(noise=0.5), make_report()
    for name, found in perfect.summary["subject"].items():
        if name in ("auc", "threshold_0.5/balanced_accuracy"):
            found.update(value=1.0, low=0.7, high=1.0)
    for data, expected in ((usual, False), (perfect, True)):
        text = content(data).legend
        assert "Mark: what was measured. Bar: its 95% interval over people." in text
        assert ("With nobody wrong, AUC has the wider interval" in text) == expected
