"""The tables of a report beside its results: subjects, parameters, features, wall times."""

from __future__ import annotations

import math

from steps.core.metrics.names import prediction_column
from steps.parameters import PARAMETERS, STEPS
from steps.report.command import changed_parameters, spelled
from steps.report.data import ReportData
from steps.report.table import UNDEFINED, Cell, Table

IMPORTANT_FEATURES = 10


def subject_table(data: ReportData) -> Table:
    """Every tested subject, the most probable first, with the decision at each threshold."""
    thresholds, names = data.summary["thresholds"], data.label_names
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
    names = [name for name in STEPS["main"].parameters if name in data.parameters and name != "cwd"]
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
