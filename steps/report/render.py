"""A report as one HTML file and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from steps.report.content import Content, answer_in_markdown, content
from steps.report.data import ReportData
from steps.report.evaluation import Evaluation
from steps.report.figures import APPENDIX, ATTRIBUTION, EVALUATION, pictures
from steps.report.page import asset, environment, policy
from steps.report.quality import LOOK_FIRST
from steps.report.table import Table
from steps.writing import markdown
from steps.writing.markdown import bullets, code_block, plain

# MLflow keeps no longer tag than 8,000 characters, and a description is a tag.
DESCRIPTION_LENGTH = 8000


def report_html(data: ReportData) -> str:
    """The report as one file that needs no network: figures, style and script are inside.

    The page allows itself nothing else: its content security policy names the hashes of its style and its script.
    """
    style, script = asset("report.css"), asset("report.js")
    drawn = pictures(data)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            content=content(data),
            evaluation=[picture for picture in drawn if picture.part == EVALUATION],
            attribution=[picture for picture in drawn if picture.part == ATTRIBUTION],
            appendix=[picture for picture in drawn if picture.part == APPENDIX],
            policy=policy([style], [script]),
            style=style,
            script=script,
        )
    )


def report_markdown(data: ReportData) -> str:
    """The report's text and tables as Markdown."""
    return "\n\n".join(text for _, text in _sections(content(data))) + "\n"


def description(data: ReportData, limit: int = DESCRIPTION_LENGTH) -> str:
    """`report_markdown` for a run's description: the answer first; what would make it too long is left to the files.

    MLflow shows a description's first lines, under the name and the date of the run.
    """
    page = content(data)
    answered = "\n\n".join([answer_in_markdown(page.short_answer, _whole_answer(page)), *_alarm(page)])
    sections = [("", answered), *_sections(page)[1:]]
    short = f"## Results\n\n{_table(page.headlines)}"  # the other statistics are in the files
    sections = [(name, short if name == "Results" else part) for name, part in sections if name != "Appendix"]
    for dropped in (
        "Parameters",
        "Audit",
        "Subjects",
        "How to reproduce",
        "Runtime",
        "Data quality",
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


def _sections(page: Content) -> list[tuple[str, str]]:
    facts = [f"{name}: {value}" for name, value in page.facts]
    parts: list[tuple[str, Sequence[str]]] = [
        (
            "",
            (
                f"# {plain(page.question)}",
                f"{plain(page.title)} · {page.date}",
                *map(plain, _whole_answer(page)),
                *_alarm(page),
            ),
        ),
        ("What was run", (bullets([*facts, *page.notes]),)),
        ("Parameters", (_table(page.parameters),)),
        ("Data quality", page.quality_markdown),
        (
            "Results",
            (
                _table(page.results),
                *([_table(page.methods)] if page.methods else []),
                *_evaluation(page.evaluation),
            ),
        ),
        ("Audit", _audit(page)),
        ("Subjects", (_table(page.subjects),)),
        ("Attribution", (*map(plain, page.attribution), _table(page.importance))),
        ("Runtime", (plain(page.runtime_sentence), _table(page.runtime))),
        ("How to reproduce", (code_block(page.command), bullets(page.command_notes))),
        ("Limitations", (bullets(page.limitations),)),
        ("Appendix", _appendix(page)),
    ]
    return [
        (name, "\n\n".join([f"## {name}"] * bool(name) + [part for part in texts if part]))
        for name, texts in parts
        if any(texts)
    ]


def _alarm(page: Content) -> Sequence[str]:
    """What is severely wrong with the recordings."""
    return [f"**{LOOK_FIRST}** {plain(page.quality.alarm)}"] if page.quality and page.quality.alarm else []


def _whole_answer(page: Content) -> Sequence[str]:
    """What was measured, what the audit has against it, what it means; where it has nothing, that at the end."""
    if not page.audit:
        return page.answer
    last = [said for said in (page.audit.clear, page.audit.judge) if said]
    return [page.answer[0], *page.audit.cautions, *page.answer[1:], *last]


def _audit(page: Content) -> Sequence[str]:
    if not page.audit:
        return ()
    table = [_table(page.audit.table)] if page.audit.table else []
    return [bullets(page.audit.sentences), *table]


def _evaluation(statistics: Evaluation) -> Sequence[str]:
    parts = []
    if statistics.chance:
        parts += ["### Against chance", _table(statistics.chance), bullets(statistics.chance_notes)]
    if statistics.spread:
        parts += ["### Between test numbers", _table(statistics.spread), bullets(statistics.spread_notes)]
    if statistics.abstention:
        parts += ['### With a "don\'t know"', bullets(statistics.abstention)]
    if statistics.learning:
        parts += ["### How many people it would take", bullets(statistics.learning)]
    return parts


def _appendix(page: Content) -> Sequence[str]:
    tables = [table for table in (page.other_results, page.evaluation.other_chance) if table]
    in_fold = ["### Threshold chosen in the fold", bullets(page.evaluation.in_fold)] if page.evaluation.in_fold else []
    return [*map(_table, tables), *in_fold]


def _table(table: Table) -> str:
    text = markdown.table(table.columns, ([cell.text for cell in row] for row in table.rows))
    return text + (f"\n\n{plain(table.caption)}" if table.caption else "")
