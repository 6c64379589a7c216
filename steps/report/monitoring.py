"""How a model's batches have gone: as a page, as the run's description, and as printed lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
from matplotlib.figure import Figure

from steps.core.drift.monitoring import Monitored
from steps.report.figures import Picture
from steps.report.page import asset, environment, policy
from steps.report.table import UNDEFINED, Cell, Table
from steps.writing.markdown import bullets, plain
from steps.writing.png import as_svg

_COLUMNS: Final = {
    "subjects": ("subjects", "{:.0f}"),
    "trials": ("trials", "{:.0f}"),
    "compared": ("people compared", "{:.0f}"),
    "p_training": ("p, training", "{:.4f}"),
    "p_earlier": ("p, batches before", "{:.4f}"),
    "unusual": ("unusual", "{:.0%}"),
    "dont_know": ("don't know", "{:.0%}"),
    "probability": ("mean probability", "{:.2f}"),
    "expected_accuracy": ("accuracy, expected", "{:.2f}"),
    "expected_auc": ("AUC of trials, expected", "{:.2f}"),
    "accuracy": ("accuracy of trials", "{:.2f}"),
    "auc": ("AUC of subjects", "{:.2f}"),
    "more_positive_than_said": ("positive, more than said", "{:+.2f}"),
}
_SHOWN: Final = 12
_PEOPLE: Final = 30
_DPI: Final = 96


def headline(found: Monitored, fresh: Sequence[str]) -> str:
    """What a reader wants to know first.

    Args:
        found: what came of looking.
        fresh: batches that nobody has looked at before.
    """
    count = len(found.batches) - 1
    alarmed = [name for name in fresh if name in found.alarms]
    if alarmed:
        return (
            f"ALARM: {len(alarmed)} of {_batches(len(fresh))} that are new: {', '.join(_short(one) for one in alarmed)}"
        )
    older = ""
    if found.alarms:
        older = f", {len(found.alarms)} of them {'an alarm' if len(found.alarms) == 1 else 'alarms'}"
    return f"No alarm in {_batches(len(fresh))} that {'is' if len(fresh) == 1 else 'are'} new, of {count} in all{older}"


def lines(found: Monitored, fresh: Sequence[str]) -> list[str]:
    """The alarms, and what could not be looked at, a line each."""
    said = [f"batch {_short(name)}: {reason}" for name in fresh for reason in found.alarms.get(name, [])]
    later = found.batches.iloc[1:]
    few = later[later["batch"].isin(fresh) & (later["compared"] < found.needed)]
    if len(few):
        said.append(
            f"{len(few)} of these {'is' if len(few) == 1 else 'are'} about fewer than {found.needed} people, with "
            "those scored before: too few for an alarm by the training"
        )
    people = found.subjects[found.subjects["batch"].isin(fresh) & (found.subjects["beyond_training"] == 1)]
    if len(people):
        names = ", ".join(f"{row.subject} ({row.feature}: {row.statistic})" for row in people.head(3).itertuples())
        more = f" and {len(people) - 3} more" if len(people) > 3 else ""
        said.append(f"farther from the training than anybody of it: {names}{more}")
    return said


def description(found: Monitored, fresh: Sequence[str], model_uri: str) -> str:
    """The run's description, in Markdown."""
    said = bullets([*lines(found, fresh), "the trend is in monitoring.html"])
    return f"**{plain(headline(found, fresh))}**\n\n{plain(model_uri)}\n\n{said}"


def monitoring_html(found: Monitored, fresh: Sequence[str], model_uri: str, figure: Figure, level: float) -> str:
    """The page: one file that needs no network.

    Args:
        found: what came of looking.
        fresh: batches that nobody has looked at before.
        model_uri: of the model.
        figure: the trend.
        level: of an alarm.
    """
    style = asset("report.css")
    width, height = (round(inches * _DPI) for inches in figure.get_size_inches())
    picture = Picture(
        "trend", "", as_svg(figure), width, height,
        "Each batch against the training and against the people of all batches before it; what the model said; how "
        "good it may be, and how good it was where labels are known.",
        headline(found, fresh),
    )  # fmt: skip
    page = environment().get_template("monitoring.html.j2")
    return page.render(
        headline=headline(found, fresh),
        lines=lines(found, fresh),
        model=model_uri,
        picture=picture,
        batches=_batch_table(found),
        alarms=[f"{_short(name)}: {one}" for name, reasons in found.alarms.items() for one in reasons],
        drift=_drift_table(found),
        people=_people_table(found),
        level=f"{level:g}",
        style=style,
        policy=policy([style], []),
    )


def _batches(count: int) -> str:
    return f"{count} batch{'' if count == 1 else 'es'}"


def _short(name: str) -> str:
    return name[:8]


def _batch_table(found: Monitored) -> Table:
    table = found.batches.iloc[::-1]
    used = {name: how for name, how in _COLUMNS.items() if name in table and table[name].notna().any()}
    rows = [
        (
            Cell(_short(str(row["batch"])), wrong=str(row["batch"]) in found.alarms),
            str(row["when"]),
            "alarm" if str(row["batch"]) in found.alarms else "",
            *(_number(row[name], form) for name, (_, form) in used.items()),
        )
        for row in table.to_dict("records")
    ]
    titles = tuple(title for title, _ in used.values())
    return Table.of(("batch", "scored", "", *titles), rows, "Batches, newest first; the training last")


def _number(value: Any, form: str) -> Cell:
    return Cell(UNDEFINED) if value is None or pd.isna(value) else Cell(form.format(value), float(value))


def _drift_table(found: Monitored) -> Table | None:
    newest = found.drift[found.drift["batch"] == found.batches["batch"].iloc[-1]]
    if not len(newest):
        return None
    most = newest.reindex(newest["z"].abs().sort_values(ascending=False).index).head(_SHOWN)
    rows = [
        (
            row["feature"],
            row["statistic"],
            row["against"],
            _number(row["z"], "{:+.2f}"),
            _number(row["p_value"], "{:.4f}"),
        )
        for row in most.to_dict("records")
    ]
    return Table.of(("feature", "statistic", "against", "z", "p"), rows, "The newest batch: what differs most")


def _people_table(found: Monitored) -> Table | None:
    beyond = found.subjects[found.subjects["beyond_training"] == 1]
    if not len(beyond):
        return None
    rows = beyond.iloc[::-1].head(_PEOPLE).to_dict("records")
    cells = [
        (row["subject"], _short(str(row["batch"])), row["feature"], row["statistic"], _number(row["z"], "{:+.1f}"))
        for row in rows
    ]
    return Table.of(
        ("subject", "batch", "feature", "statistic", "z, robust"),
        cells,
        "People farther away than anybody of the training",
    )
