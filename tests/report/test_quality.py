"""What is said of the recordings: in the report, on a page of its own, in a line; and what is severe comes first."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from steps.core.data.example import Example
from steps.core.quality.document import document
from steps.core.quality.finding import KINDS
from steps.core.quality.look import look
from steps.core.readers.simulate import SimulationSize, simulate
from steps.report.quality import HEIGHT, WIDTH, printed, quality_html, section
from steps.report.render import description, report_html, report_markdown
from steps.report.terminal import closing_lines
from tests.core.quality.faults import plant
from tests.report.conftest import NASTY, MakeReport
from tests.report.test_render import Page


def found(*faults: str, features: tuple[str, ...] | None = None) -> dict[str, Any]:
    dataset = simulate(SimulationSize(subjects=16, controls=0, features=8), seed=3)
    for number, fault in enumerate(faults):
        dataset, _ = plant(dataset, fault, number + 3)
    if features:
        object.__setattr__(dataset, "features", features)
    return document(dataset, look(dataset))


@pytest.fixture(scope="module")
def severe() -> dict[str, Any]:
    return found("degrees", "flat", "spikes")


def first_screen(page: str) -> str:
    return page[page.index('id="answer"') : page.index("<nav")]


@pytest.mark.usefixtures("words_only")
def test_what_is_severe_is_on_the_first_screen_and_in_all_short_texts(
    make_report: MakeReport, severe: dict[str, Any]
) -> None:
    data = make_report(quality=severe)
    alarm = section(severe).alarm
    assert re.fullmatch(
        r"\w+ of S\d\d seems to be in another unit in all \d+ trials: about 57.3 times too large, as .*\.", alarm
    )
    assert alarm in first_screen(report_html(data))
    assert report_markdown(data).index("Look at the data first.") < report_markdown(data).index("## What was run")
    assert "Look at the data first." in description(data)[:2000]
    assert ("Warning", f"Look at the data first. {alarm}") in closing_lines(data, "", "", ())


@pytest.mark.usefixtures("words_only")
def test_what_is_not_severe_is_in_its_section_only(make_report: MakeReport) -> None:
    mild = found("flat", "spikes")
    data = make_report(quality=mild)
    page = report_html(data)
    assert not section(mild).alarm
    assert "Look at the data first" not in page + description(data) + str(closing_lines(data, "", "", ()))
    assert 'href="#quality"' in page
    assert "## Data quality" in report_markdown(data)
    assert "stays at exactly" in report_markdown(data)


def test_older_studies_have_no_section(default_page: str) -> None:
    assert 'id="quality"' not in default_page
    assert 'href="#quality"' not in default_page


def test_findings_are_drawn_inside_their_panels(severe: dict[str, Any]) -> None:
    page = Page(quality_html(severe, "study.csv"))
    panels = section(severe).panels
    assert len(panels) == 3
    for panel in panels:
        lines = (panel.band, panel.middle, panel.curve, *panel.own)
        points = [tuple(map(float, point.split(","))) for line in lines for point in line.split()]
        assert all(0 <= x <= WIDTH and -1 <= y <= HEIGHT + 1 for x, y in points)
        assert max(x for x, _ in points) == WIDTH
    assert [len(table) - 1 for table in page.tables] == [3, len(KINDS)]
    assert not {tag for tag, _ in page.tags} & {"script", "iframe", "object"}
    assert not any("style" in attributes or "onload" in attributes for _, attributes in page.tags)
    policies = [attributes["content"] for _, attributes in page.tags if attributes.get("http-equiv")]
    assert len(policies) == 1
    assert "script-src 'none'" in str(policies[0])


def test_without_findings_the_page_says_what_was_looked_for() -> None:
    nothing = found()
    page = quality_html(nothing, "study.csv")
    assert "No faults found" in page
    assert printed(nothing) == "Data quality: nothing was found"
    assert all(kind.title in page for kind in KINDS.values())
    assert "<svg" not in page


@pytest.mark.usefixtures("words_only")
def test_one_trial_is_drawn_before_and_after_its_signals_were_processed(make_report: MakeReport) -> None:
    time = np.arange(5000) / 1000
    wave = np.sin(2 * np.pi * 200 * time)
    names = tuple(f"{NASTY}{i}" for i in range(8))
    example = Example(NASTY, "t1", dict.fromkeys(names, (time, wave)), dict.fromkeys(names, (time[::10], time[::10])))
    dataset = replace(simulate(SimulationSize(subjects=8, controls=0, features=3), seed=3), example=example)
    drawn = document(dataset, look(dataset))
    made = section(drawn)
    assert len(made.processed) == 6
    assert made.processed_trial.endswith("each on its own scale; 2 more features were processed.")
    for line, highest in ((made.processed[0].before, 600), (made.processed[0].after, 600)):
        points = np.array([list(map(float, point.split(","))) for point in line.split()])
        assert len(points) < highest
        assert (points.min(axis=0) >= 0).all()
        assert points[:, 0].max() == pytest.approx(WIDTH, abs=0.6)
        assert 40 < points[:, 1].max() < HEIGHT / 2  # as high as the wave is, though few points were kept
    assert made.processed[0].before_range == "-0.9511 to 0.9511"
    for page in (quality_html(drawn, "study.csv"), report_html(make_report(quality=drawn))):
        assert len(Page(page).tables) > 0
        assert page.count('class="recorded"') == 6
        assert NASTY not in page


@pytest.mark.usefixtures("words_only")
def test_names_are_text(make_report: MakeReport) -> None:
    nasty = found("degrees", "flat", features=tuple(f"{NASTY} $x_{i}$ `*|" for i in range(8)))
    for one in nasty["findings"]:
        one["subject"] = NASTY
    for page in (quality_html(nasty, NASTY), report_html(make_report(quality=nasty))):
        Page(page)
        assert NASTY not in page
    assert NASTY not in report_markdown(make_report(quality=nasty))


def test_long_lists_are_cut(severe: dict[str, Any]) -> None:
    many = {**severe, "findings": [{**one, "panel": None} for one in severe["findings"] * 30]}
    table = section(many).table
    assert table is not None
    assert len(table.rows) == 60
    assert "30 more" in table.caption
    assert len(printed(many)) < 300


def test_all_names_of_a_large_finding_are_in_the_record_alone(severe: dict[str, Any]) -> None:
    one = {**severe["findings"][1], "trials": [f"{i:02d}" for i in range(40)], "features": ["x"] * 30}
    text = section({**severe, "findings": [one]})
    assert text.table is not None
    assert text.table.rows[0][3].text == "trials 00, 01, 02, 03 and 36 more"
    assert text.table.rows[0][2].text == "x, x, x, x and 26 more"
