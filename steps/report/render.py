"""A report as one HTML file and as Markdown."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from steps.report.content import Content, content
from steps.report.data import ReportData
from steps.report.evaluation import Evaluation
from steps.report.figures import APPENDIX, ATTRIBUTION, EVALUATION, pictures
from steps.report.tables import Table
from steps.writing import markdown
from steps.writing.markdown import bullets, code_block, plain

HERE = Path(__file__).parent
# MLflow keeps no longer tag than 8,000 characters, and a description is a tag.
DESCRIPTION_LENGTH = 8000


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
    short_answer = f"**{plain(found.short_answer[0])}** {' '.join(map(plain, found.short_answer[1:]))}"
    sections = [("", "\n\n".join([short_answer.strip(), *map(plain, found.answer)])), *_sections(found)[1:]]
    short = f"## Results\n\n{_table(found.headlines)}"  # the other statistics are in the files
    sections = [(name, short if name == "Results" else part) for name, part in sections if name != "Appendix"]
    for dropped in (
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
        ("", (f"# {plain(found.title)}", found.date, *map(plain, found.answer))),
        ("What was run", (bullets([*facts, *found.notes]),)),
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
        ("Attribution", (*map(plain, found.attribution), _table(found.importance))),
        ("Runtime", (plain(found.runtime_sentence), _table(found.runtime))),
        ("How to reproduce", (code_block(found.command), bullets(found.command_notes))),
        ("Limitations", (bullets(found.limitations),)),
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
        parts += ["### Against chance", _table(found.chance), bullets(found.chance_notes)]
    if found.spread:
        parts += ["### Between test numbers", _table(found.spread), bullets(found.spread_notes)]
    return parts


def _appendix(found: Content) -> Sequence[str]:
    tables = [table for table in (found.other_results, found.evaluation.other_chance) if table]
    in_fold = (
        ["### Threshold chosen in the fold", bullets(found.evaluation.in_fold)] if found.evaluation.in_fold else []
    )
    return [*map(_table, tables), *in_fold]


def _table(table: Table) -> str:
    text = markdown.table(table.columns, ([cell.text for cell in row] for row in table.rows))
    return text + (f"\n\n{plain(table.caption)}" if table.caption else "")


def _asset(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """A source of a content security policy: exactly this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
