"""Data quality as a section of the report, as a page of its own and as a printed line, from ``quality.json``."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from steps.core.quality.finding import KINDS
from steps.report.page import asset, environment, policy
from steps.report.table import Table
from steps.writing.markdown import bullets

WIDTH, HEIGHT = 240, 90  # of a panel's drawing; it is stretched to where it stands
LOOK_FIRST: Final = "Look at the data first."
_MARGIN: Final = 6
_ROWS: Final = 60  # of the table; the rest is in quality.csv
_NAMES: Final = 4
_SHORT: Final = 3  # findings that a printed line names


@dataclass(frozen=True)
class Panel:
    """A finding drawn small: texts, and points of its lines as SVG has them."""

    subject: str
    title: str
    where: str
    trial: str
    sentence: str
    alt: str
    is_severe: bool
    unit: str
    lowest: str
    highest: str
    band: str
    middle: str
    curve: str
    own: tuple[str, ...]
    mark: tuple[str, str] | None
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True)
class Processed:
    """A feature of one trial before and after its signals were processed: two lines, each on its own scale."""

    feature: str
    before: str
    after: str
    before_range: str
    after_range: str
    width: int = WIDTH
    height: int = HEIGHT // 2


@dataclass(frozen=True)
class Section:
    """What is said of the quality of a study's recordings.

    Attributes:
        headline: in a few words.
        sentence: how much was found in whom.
        alarm: one sentence about what is severe, for the first screen; empty where nothing is.
        panels: the first findings, drawn.
        table: all findings; None where there are none.
        exclude: the trials of the first finding, as the parameter ``exclude`` takes them.
        kinds: what is looked for.
        processed: one trial before and after its signals were processed, feature by feature; empty where none were.
        processed_trial: which trial that is, in a sentence.
    """

    headline: str
    sentence: str
    alarm: str
    panels: tuple[Panel, ...]
    table: Table | None
    exclude: str
    kinds: Table
    processed: tuple[Processed, ...] = ()
    processed_trial: str = ""


def section(document: Mapping[str, Any]) -> Section:
    """What is said of ``quality.json``, as `steps.core.quality.document.document` makes it."""
    findings = document["findings"]
    severe = [one for one in findings if one["severe"]]
    drawn = document.get("processed")
    return Section(
        headline=_headline(findings),
        sentence=_sentence(document),
        alarm=_alarm(severe),
        panels=tuple(_panel(one) for one in findings if one["panel"]),
        table=_table(findings) if findings else None,
        exclude=shlex.quote(findings[0]["exclude"]) if findings else "",
        kinds=Table.of(
            ("kind", "severity is", "what to do"),
            [(kind.title, kind.severity, kind.advice) for kind in KINDS.values()],
        ),
        processed=tuple(_processed(one) for one in drawn["features"]) if drawn else (),
        processed_trial=_processed_trial(drawn) if drawn else "",
    )


def quality_html(document: Mapping[str, Any], source: str) -> str:
    """The section as a page of its own, one file that needs no network.

    Args:
        document: as `section` takes it.
        source: what the study was read from.
    """
    style = asset("report.css")
    return (
        environment()
        .get_template("quality_page.html.j2")
        .render(quality=section(document), source=source, style=style, policy=policy([style], []))
    )


def quality_markdown(document: Mapping[str, Any]) -> list[str]:
    """The section as lines of a list, shortened."""
    findings = document["findings"]
    return [bullets([_sentence(document), *(f"{_who(one)}: {_what(one)}" for one in findings[:_ROWS])])]


def printed(document: Mapping[str, Any]) -> str:
    """One line for a terminal."""
    findings = document["findings"]
    if not findings:
        return "Data quality: nothing was found"
    some = "; ".join(f"{one['subject']}: {one['title']} in {_listed(one['features'])}" for one in findings[:_SHORT])
    more = f"; and {len(findings) - _SHORT} more" if len(findings) > _SHORT else ""
    return f"Data quality: {_count(findings)} ({some}{more}), see quality.html; nothing was removed"


def _headline(findings: Sequence[Mapping[str, Any]]) -> str:
    return _count(findings).capitalize() if findings else "No faults found"


def _count(findings: Sequence[Mapping[str, Any]]) -> str:
    people = len({one["subject"] for one in findings})
    return (
        f"{len(findings)} finding{'s' * (len(findings) != 1)} in the recordings of {people} "
        f"subject{'s' * (people != 1)}"
    )


def _sentence(document: Mapping[str, Any]) -> str:
    findings = document["findings"]
    looked = f"{document['trials']} trials of {document['subjects']} subjects with {document['features']} features"
    if not findings:
        return f"Nothing was found in {looked}. What is not looked for may still be there."
    severe = sum(one["severe"] for one in findings)
    how = (
        f"; {severe} of them severe: most of what was recorded of somebody is wrong in a feature"
        if severe
        else ", none of them severe"
    )
    return f"{_count(findings).capitalize()}, among {looked}{how}."


def _alarm(severe: Sequence[Mapping[str, Any]]) -> str:
    if not severe:
        return ""
    first = severe[0]
    more = len(severe) - 1
    others = f" {more} more finding{'s are' if more > 1 else ' is'} severe." if more else ""
    features = first["features"]
    seems = f"seem{'s' * (len(features) == 1)} to be {KINDS[first['kind']].seems}"
    return f"{_listed(features)} of {first['subject']} {seems} in {_trials(first)}: {first['sentence']}.{others}"


def _who(finding: Mapping[str, Any]) -> str:
    return f"{finding['subject']}, {_trials(finding)}"


def _what(finding: Mapping[str, Any]) -> str:
    return f"{finding['title']} in {_listed(finding['features'])}: {finding['sentence']}"


def _trials(finding: Mapping[str, Any]) -> str:
    number = len(finding["trials"])
    if finding["all_trials"]:
        return f"all {number} trials" if number > 1 else "the only trial"
    return f"trial{'s' * (number > 1)} {_listed(finding['trials'])}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {more} more" if more > 0 else "")


def _table(findings: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        (
            one["subject"],
            one["title"] + (" (severe)" if one["severe"] else ""),
            _listed(one["features"]),
            _trials(one),
            one["severity_text"],
            one["sentence"],
        )
        for one in findings[:_ROWS]
    ]
    left = len(findings) - len(rows)
    caption = "The worst first; where a finding is in several trials, the sentence is about the worst of them."
    if left:
        caption += f" {left} more are in quality.json."
    return Table.of(("subject", "kind", "features", "trials", "severity", "what was found"), rows, caption)


def _processed_trial(drawn: Mapping[str, Any]) -> str:
    more = f"; {drawn['left_out']} more features were processed" if drawn["left_out"] else ""
    return (
        f"Trial {drawn['trial']} of {drawn['subject']} as recorded (above) and after the steps of the recipe (below), "
        f"each on its own scale{more}."
    )


def _processed(drawn: Mapping[str, Any]) -> Processed:
    curves = [drawn["before"], drawn["after"]]
    start = min(one["time"][0] for one in curves)
    span = (max(one["time"][-1] for one in curves) - start) or 1.0
    height = HEIGHT // 2
    points, ranges = [], []
    for one in curves:
        low, high = min(one["values"]), max(one["values"])
        room = (high - low) or 1.0
        points.append(
            " ".join(
                f"{WIDTH * (at - start) / span:.1f},{_MARGIN / 2 + (height - _MARGIN) * (high - value) / room:.1f}"
                for at, value in zip(one["time"], one["values"], strict=True)
            )
        )
        ranges.append(f"{low:.4g} to {high:.4g}")
    return Processed(drawn["feature"], points[0], points[1], ranges[0], ranges[1])


def _panel(finding: Mapping[str, Any]) -> Panel:
    drawn = finding["panel"]
    lines = [*(drawn[name] for name in ("low", "high", "values")), *drawn["own"]]
    lowest, highest = min(map(min, lines)), max(map(max, lines))
    count = len(drawn["values"])

    def x(place: float) -> float:
        return WIDTH * place / max(count - 1, 1)

    def points(values: Iterable[float], places: Iterable[int]) -> str:
        span = (highest - lowest) or 1.0
        return " ".join(
            f"{x(place):.1f},{_MARGIN + (HEIGHT - 2 * _MARGIN) * (highest - value) / span:.1f}"
            for value, place in zip(values, places, strict=True)
        )

    forth = range(count)
    mark = None
    if drawn["at"]:
        first, last = drawn["at"]
        mark = (f"{x(first - 0.5):.1f}", f"{x(last - first + 1):.1f}")
    whose = _listed(finding["features"]) if finding["kind"] == "swapped" else drawn["feature"]
    where = f"{_listed(finding['features'])}, {_trials(finding)}"
    return Panel(
        subject=finding["subject"],
        title=finding["title"],
        where=where,
        trial=drawn["trial"],
        sentence=f"{whose}: {finding['sentence']}.",
        alt=f"{drawn['feature']} in trial {drawn['trial']} of {finding['subject']} beside the other subjects: "
        f"{finding['sentence']}",
        is_severe=finding["severe"],
        unit=drawn["unit"],
        lowest=f"{lowest:.4g}",
        highest=f"{highest:.4g}",
        band=f"{points(drawn['high'], forth)} {points(reversed(drawn['low']), reversed(forth))}",
        middle=points(drawn["middle"], forth),
        curve=points(drawn["values"], forth),
        own=tuple(points(values, forth) for values in drawn["own"]),
        mark=mark,
    )
