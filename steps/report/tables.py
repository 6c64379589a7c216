"""The tables of a report, as text that HTML, Markdown and the terminal share."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from steps.core.metrics.thresholds import IN_FOLD, prediction_column, prediction_columns, threshold_key
from steps.parameters import ENTRY_POINTS, PARAMETERS
from steps.report.answer import estimate_text
from steps.report.command import changed_parameters, spelled
from steps.report.data import ReportData

UNDEFINED = "–"
RESULT_COLUMNS = ("metric", "trials", "subjects")
RESULT_CAPTION = "Held-out subjects only; in brackets 95% bootstrap intervals over subjects."
_VOTES = "A majority vote counts the decisions of a subject's trials; a tie is decided by their mean probability."
IMPORTANT_FEATURES = 10
_COUNTS = ("tn", "fp", "fn", "tp")
_TITLES = {
    "auc": "AUC",
    "loss": "cross-entropy (nats)",
    "brier": "Brier score",
    "ece": "expected calibration error",
    "f1": "F1",
    "mcc": "MCC",
    "recall": "sensitivity (recall)",
}


@dataclass(frozen=True)
class Cell:
    """One cell: its text, and where sorting needs it the number behind the text.

    Attributes:
        text: what is read.
        value: what sorting compares and a number column aligns by.
        share: drawn as a bar from 0 to 1 beside the text.
        wrong: a decision that differs from the truth.
    """

    text: str
    value: float | None = None
    share: float | None = None
    wrong: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a header."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    sortable: bool = False

    @classmethod
    def of(cls, columns: tuple[str, ...], rows: Collection[Collection[Cell | str]], caption: str = "") -> Table:
        """A table whose cells may be plain text."""
        cells = tuple(tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in row) for row in rows)
        return cls(columns, cells, caption)


def result_rows(summary: Mapping[str, Any], metrics: Collection[str] | None = None) -> list[tuple[str, str, str]]:
    """The results as rows of metric, trials, subjects: value and 95% interval, or a dash where undefined.

    Args:
        summary: from `steps.core.metrics.summary.summary`.
        metrics: only those, in this order, as the summary names them; all by default.
    """
    return [
        (
            metric_title(name, summary),
            estimate_cell(summary["pooled"].get(name)),
            estimate_cell(summary["subject"].get(name)),
        )
        for name in metrics or _result_names(summary)
    ]


def headline_names(summary: Mapping[str, Any]) -> list[str]:
    """The six metrics that matter first, as the summary names them; decisions at the first threshold."""
    first = threshold_key(summary["thresholds"][0])
    decisions = [f"{first}/{name}" for name in ("balanced_accuracy", "recall", "specificity")]
    return ["auc", "average_precision", *decisions, "brier"]


def headline_metrics(metrics: Mapping[str, float], summary: Mapping[str, Any]) -> dict[str, float]:
    """Of an evaluation's metrics those for a run that people open; `summary.json` and the evaluation have the rest.

    Subjects decide, so theirs have bounds and the first two p values; of the trials' only the AUC has bounds.

    Args:
        metrics: of the evaluation's run.
        summary: from `steps.core.metrics.summary.summary`.
    """
    names = [name for name in headline_names(summary) if name != "average_precision"]
    wanted = {f"subject/{name}{part}" for name in names for part in ("", "_low", "_high")}
    wanted |= {f"subject/{name}_p_value" for name in names[:2]}
    wanted |= {f"pooled/{name}" for name in names} | {"pooled/auc_low", "pooled/auc_high"}
    return {name: value for name, value in metrics.items() if name in wanted}


def _result_names(summary: Mapping[str, Any]) -> list[str]:
    """The metrics that are rows, as the summary names them."""
    # What no subject level has, or no trial level, is still a row.
    names = list(dict.fromkeys([*summary["pooled"], *summary["subject"]]))
    if "auc" not in names:
        names.insert(0, "auc")
    return [name for name in names if name.rpartition("/")[2] not in _COUNTS]


def results_table(summary: Mapping[str, Any]) -> Table:
    """Metrics at the first threshold: trials, subjects by mean probability, subjects by majority vote, side by side."""
    return _side_by_side(summary, [name for name in _result_names(summary) if is_first(name, summary)])


def other_thresholds_table(summary: Mapping[str, Any]) -> Table | None:
    """The same at the other thresholds, also at the one chosen in the fold; None where there are no others."""
    names = [name for name in _result_names(summary) if not is_first(name, summary)]
    return _side_by_side(summary, names) if names else None


def is_first(name: str, summary: Mapping[str, Any]) -> bool:
    """Whether a metric needs no threshold, or is at the first that was declared."""
    prefix = name.rpartition("/")[0]
    return prefix in ("", threshold_key(summary["thresholds"][0]))


def _side_by_side(summary: Mapping[str, Any], names: Sequence[str]) -> Table:
    counts = summary["counts"]
    columns = ("metric", f"trials ({counts['trials']})", f"subjects ({counts['subjects']})", "subjects, majority vote")
    voted = summary.get("subject_vote", {})
    rows = [
        (*row, estimate_cell(voted.get(name))) for name, row in zip(names, result_rows(summary, names), strict=True)
    ]
    return Table.of(columns, rows, f"{RESULT_CAPTION} {_VOTES}")


def headlines_table(summary: Mapping[str, Any]) -> Table:
    """The metrics that matter first, at the first threshold; the report shows every metric there is."""
    return Table.of(RESULT_COLUMNS, result_rows(summary, headline_names(summary)), RESULT_CAPTION)


def subject_table(data: ReportData) -> Table:
    """Every tested subject, the most probable first, with the decision at each threshold."""
    thresholds = prediction_columns(list(data.subjects.columns))
    names = data.label_names
    rows = []
    for record in data.subjects.sort_values("probability", ascending=False, kind="stable").to_dict("records"):
        label, probability = int(record["label"]), float(record["probability"])
        cells = [
            Cell(str(record["subject"])),
            Cell(names[label]),
            Cell(str(record["trials"]), float(record["trials"])),
            Cell(f"{probability:.3f}", probability, share=probability),
        ]
        for threshold in thresholds:
            predicted = int(record[prediction_column(threshold)])
            wrong = predicted != label
            cells.append(Cell(names[predicted] + (" ✗" if wrong else ""), wrong=wrong))
        rows.append(tuple(cells))
    columns: tuple[str, ...] = ("subject", "true class", "trials", f"mean probability of {names[1]}")
    columns += tuple(f"at {threshold:g}" for threshold in thresholds)
    caption = "One row per held-out subject (and class); ✗ marks a wrong decision."
    return Table(columns, tuple(rows), caption, sortable=True)


def parameter_table(data: ReportData) -> Table:
    """Every parameter; those that differ from the defaults first."""
    changed = changed_parameters(data.parameters)
    names = [name for name in ENTRY_POINTS["main"] if name in data.parameters and name != "cwd"]
    rows = [
        (name, spelled(data.parameters[name]), spelled(PARAMETERS[name].default), "changed" if name in changed else "")
        for name in sorted(names, key=lambda name: name not in changed)
    ]
    return Table.of(("parameter", "value", "default", ""), rows)


def importance_table(data: ReportData) -> Table:
    """The most important features."""
    planted = data.manifest.planted_truth.windows if data.manifest.planted_truth else None
    largest = float(data.importance["importance"].max())
    exponent = math.floor(math.log10(largest)) if largest > 0 else 0
    rows = []
    for record in data.importance.head(IMPORTANT_FEATURES).to_dict("records"):
        name, spread = str(record["feature"]), float(record["sd"])
        row = [
            Cell(str(record["rank"]), float(record["rank"])),
            Cell(name),
            Cell(f"{record['importance'] / 10**exponent:.2f}", float(record["importance"])),
            Cell(f"{spread / 10**exponent:.2f}", spread) if math.isfinite(spread) else Cell(UNDEFINED),
            Cell(_scaled_interval(float(record["low"]), float(record["high"]), exponent)),
        ]
        if planted is not None:
            row.append(Cell("yes" if name in planted else "no"))
        rows.append(row)
    columns: tuple[str, ...] = ("rank", "feature", "importance", "SD over folds", "95% interval over subjects")
    if planted is not None:
        columns += ("changed",)
    unit = f"in 10{_raised(exponent)} probability per time point"
    caption = f"The {len(rows)} most important of {len(data.importance)} features, {unit}."
    return Table.of(columns, rows, caption)


def _scaled_interval(low: float, high: float, exponent: int) -> str:
    return f"[{low / 10**exponent:.2f}, {high / 10**exponent:.2f}]" if math.isfinite(low) else UNDEFINED


def runtime_table(data: ReportData) -> Table:
    """Wall time of each step, and of training a fold."""
    rows: list[tuple[Cell | str, ...]] = [
        (step.name, Cell(seconds_text(step.seconds), step.seconds), "reused" if step.reused else "", step.run_id)
        for step in data.steps
    ]
    total = sum(step.seconds for step in data.steps if not step.reused)
    rows.append(("this study", Cell(seconds_text(total), total), "", data.run_id))
    return Table.of(("step", "wall time", "", "run"), rows, "A reused step shows the time it took when it was run.")


def seconds_text(seconds: float) -> str:
    """A duration for people."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def _raised(exponent: int) -> str:
    return str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def metric_title(name: str, summary: Mapping[str, Any]) -> str:
    """``balanced accuracy at 0.5`` for ``threshold_0.5/balanced_accuracy``."""
    prefix, _, metric = name.rpartition("/")
    at = {threshold_key(threshold): f" at {threshold:g}" for threshold in summary["thresholds"]} | {IN_FOLD: " in-fold"}
    return _TITLES.get(metric, metric.replace("_", " ")) + at.get(prefix, f" ({prefix})" if prefix else "")


def estimate_cell(found: Mapping[str, float] | None) -> str:
    """An estimate with its interval, or a dash where it is undefined."""
    return estimate_text(found) if found else UNDEFINED
