"""The part of a report about whole labels: classes, ordered classes, or a score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from steps.core.data.labelling import CLASSES, SCORE
from steps.core.metrics.labels.metrics import metrics_of
from steps.core.metrics.names import LEVELS, SUBJECT, UNITS
from steps.report.table import Cell, Table, estimate_cell

_OF_CLASS = ("auc", "recall", "precision", "f1")


@dataclass(frozen=True)
class LabelTables:
    """What is said of whole labels.

    Attributes:
        title: of the part.
        metrics: of everything, trials and subjects.
        more: of single classes, or of every cut-off.
        notes: how to read them.
    """

    title: str
    metrics: Table
    more: tuple[Table, ...]
    notes: tuple[str, ...]


def label_tables(document: Mapping[str, Any]) -> LabelTables:
    """From `steps.core.metrics.labels.summary.label_summary`."""
    more = [one for one in (_classes(document), _cut_offs(document)) if one]
    title = {CLASSES: "All classes", SCORE: "The score"}.get(document["kind"], "All levels")
    return LabelTables(title, _metrics(document), tuple(more), _notes(document))


def _metrics(document: Mapping[str, Any]) -> Table:
    rows = []
    for name, metric in metrics_of(document["kind"]).items():
        cells = [estimate_cell(document[level]["metrics"].get(name)) for level in LEVELS]
        title = metric.title + (" (lower is better)" if metric.direction == "lower" else "")
        rows.append((title, *cells))
    tested = document[SUBJECT]["metrics"].get(document["primary"], {})
    caption = "With 95% intervals over people."
    if "p_value" in tested:
        caption += (
            f" {metrics_of(document['kind'])[document['primary']].title} of subjects: p = {tested['p_value']:.2g}, "
            "labels permuted over subjects, models not trained again."
        )
    return Table.of(("metric", *(UNITS[level] for level in LEVELS)), rows, caption)


def _classes(document: Mapping[str, Any]) -> Table | None:
    rows: list[tuple[Cell | str, ...]] = [
        (
            entry["name"],
            Cell(str(entry["count"]), entry["count"]),
            *(estimate_cell(entry.get(name)) for name in _OF_CLASS),
            *(str(count) for count in document[SUBJECT]["confusion"][place]),
        )
        for place, entry in enumerate(document[SUBJECT].get("classes", ()))
    ]
    if not rows:
        return None
    columns = ("class", "subjects", "AUC", "recall", "precision", "F1", *(f"as {one}" for one in document["names"]))
    caption = (
        "Subjects of each class, against the rest; decided by the most probable class. Last: what they were taken for."
    )
    return Table.of(columns, rows, caption)


def _cut_offs(document: Mapping[str, Any]) -> Table | None:
    rows: list[tuple[Cell | str, ...]] = [
        (f"{entry['cut_off']} or more", Cell(str(entry["positives"]), entry["positives"]), estimate_cell(entry["auc"]))
        for entry in document[SUBJECT].get("cut_offs", ())
    ]
    return Table.of(("cut-off", "subjects", "AUC of subjects"), rows, "AUC over every cut-off.") if rows else None


def _notes(document: Mapping[str, Any]) -> tuple[str, ...]:
    asked = f"Everything else in this report answers the question by {document['cut_off']!r}"
    if document["kind"] == CLASSES:
        return (
            "Macro AUC is the mean over classes of the AUC of a class against the rest; guessing has 0.5.",
            f"{asked}, or not: by the probability that the same models give that class.",
        )
    ranked = "the mean level" if document["kind"] != SCORE else "the score"
    return (
        f"Concordance: of two people with different labels, how often the one with the higher label gets {ranked} that "
        "is higher; with two classes that is the AUC, and guessing has 0.5.",
        f"{asked} or more: by the probability that the same models give that.",
    )
