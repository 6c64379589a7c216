"""A report as one HTML file and as Markdown."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from steps.report.content import Content, content
from steps.report.data import ReportData
from steps.report.evaluation import Evaluation
from steps.report.figures import APPENDIX, ATTRIBUTION, EVALUATION, pictures
from steps.report.tables import Table

HERE = Path(__file__).parent
# MLflow keeps no longer tag than 8,000 characters, and a description is a tag.
DESCRIPTION_LENGTH = 8000
# What Markdown might take for its own; an underscore inside a word is one, and a bracket before a number an interval.
_MARKDOWN = re.compile(r"[\\`*\]~]|\[(?!-?\d)|(?<![^\W_])_|_(?![^\W_])")


def report_html(data: ReportData) -> str:
    """The report as one file that needs no network: figures, style and script are inside.

    The page allows itself nothing else: its content security policy names the hashes of its style and its script.
    """
    style, script = _asset("report.css"), _asset("report.js")
    drawn = pictures(data)
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        content=content(data),
        evaluation=[picture for picture in drawn if picture.part == EVALUATION],
        attribution=[picture for picture in drawn if picture.part == ATTRIBUTION],
        appendix=[picture for picture in drawn if picture.part == APPENDIX],
        policy=f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'",
        # Files of this package, not of the user.
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
    )


def report_markdown(data: ReportData) -> str:
    """The report's text and tables as Markdown."""
    return "\n\n".join(text for _, text in _sections(content(data))) + "\n"


def description(data: ReportData, limit: int = DESCRIPTION_LENGTH) -> str:
    """`report_markdown` for a run's description: the answer first; what would make it too long is left to the files.

    MLflow shows a description's first lines, under the name and the date of the run.
    """
    found = content(data)
    # MLflow shows four lines until it is asked for more: answer and simpler method have to fit in there.
    short_answer = f"**{_plain(found.short_answer[0])}** {' '.join(map(_plain, found.short_answer[1:]))}"
    sections = [("", "\n\n".join([short_answer.strip(), *map(_plain, found.answer)])), *_sections(found)[1:]]
    short = f"## Results\n\n{_table(found.headlines)}"  # the other statistics are in the files
    sections = [(name, short if name == "Results" else part) for name, part in sections]
    for dropped in (
        "Other thresholds",
        "Parameters",
        "Subjects",
        "How to reproduce",
        "Runtime",
        "Attribution",
        "What was run",
        "Results",
    ):
        text = "\n\n".join(part for _, part in sections)
        if len(text) <= limit:
            return text
        note = f"*{dropped}: see `report.html` or `report.md` among the artifacts.*"
        sections = [(name, note if name == dropped else part) for name, part in sections]
    text = "\n\n".join(part for _, part in sections)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _sections(found: Content) -> list[tuple[str, str]]:
    facts = [f"{name}: {value}" for name, value in found.facts]
    parts: list[tuple[str, Sequence[str]]] = [
        ("", (f"# {_plain(found.title)}", found.date, *map(_plain, found.answer))),
        ("What was run", (_list([*facts, *found.notes]),)),
        ("Parameters", (_table(found.parameters),)),
        (
            "Results",
            (
                _table(found.results),
                *([_table(found.methods)] if found.methods else []),
                *_evaluation(found.evaluation),
            ),
        ),
        ("Subjects", (_table(found.subjects),)),
        ("Attribution", (*map(_plain, found.attribution), _table(found.importance))),
        ("Runtime", (_plain(found.runtime_sentence), _table(found.runtime))),
        ("How to reproduce", (_code(found.command), _list(found.command_notes))),
        ("Limitations", (_list(found.limitations),)),
        ("Appendix", _appendix(found)),
    ]
    return [
        (name, "\n\n".join([f"## {name}"] * bool(name) + [part for part in texts if part]))
        for name, texts in parts
        if any(texts)
    ]


def _evaluation(found: Evaluation) -> Sequence[str]:
    parts = []
    if found.chance:
        parts += ["### Against chance", _table(found.chance), _list(found.chance_notes)]
    if found.spread:
        parts += ["### Between test numbers", _table(found.spread), _list(found.spread_notes)]
    return parts


def _appendix(found: Content) -> Sequence[str]:
    tables = [table for table in (found.other_results, found.evaluation.other_chance) if table]
    in_fold = ["### Threshold chosen in the fold", _list(found.evaluation.in_fold)] if found.evaluation.in_fold else []
    return [*map(_table, tables), *in_fold]


def _table(table: Table) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    rows = [line([_plain(cell.text) for cell in row]) for row in table.rows]
    lines = [line([_plain(column) for column in table.columns]), "|" + "---|" * len(table.columns), *rows]
    return "\n".join(lines) + (f"\n\n{_plain(table.caption)}" if table.caption else "")


def _list(items: Sequence[str]) -> str:
    return "\n".join(f"- {_plain(item)}" for item in items)


def _code(text: str) -> str:
    """A fenced block whose fence is longer than any in the text."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}bash\n{text}\n{fence}"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is: names come from the user and are neither HTML nor Markdown."""
    one_line = " ".join(text.split())
    escaped = _MARKDOWN.sub(r"\\\g<0>", html.escape(one_line, quote=False)).replace("|", "&#124;")
    escaped = re.sub(r"(\[-?\d[^\[\]]*)\\\]", r"\1]", escaped)  # an interval stays readable as text
    # At the start of a line these would begin a heading or a list.
    return re.sub(r"^([#+-]+|\d+(?=[.)]))(?=[.)]?(?:\s|$))", _escape_start, escaped)


def _escape_start(match: re.Match[str]) -> str:
    return f"{match[1]}\\" if match[1].isdigit() else f"\\{match[1]}"


def _asset(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """A source of a content security policy: exactly this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
