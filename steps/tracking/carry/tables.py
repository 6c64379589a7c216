"""The tables of a SQLite store that make up runs, models and registered versions, and what may stand in them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Row = dict[str, Any]
RUN_ID: Final = re.compile(r"[0-9a-f]{32}")
MODEL_ID: Final = re.compile(r"m-[0-9a-f]{32}")
_OTHER_ID = re.compile(r"[0-9a-f-]{32,36}")
_LARGEST = 2**63
_STATES = ("FINISHED", "FAILED", "KILLED")
READY = 2  # of a logged model


class RowError(ValueError):
    """A row that no store would have written; the message says what is wrong."""


@dataclass
class Known:
    """Identifiers of rows so far, by kind: later rows may name only these."""

    names: dict[str, set[Any]] = field(default_factory=dict)

    def add(self, kind: str, value: Any) -> None:
        """A row of this kind has this identifier."""
        self.names.setdefault(kind, set()).add(value)

    def __contains__(self, of: tuple[str, Any]) -> bool:
        return of[1] in self.names.get(of[0], ())


# Of a table and a row, where its artifacts are.
PlaceOf = Callable[[str, Row], str]
# Says whether a value may stand in a column.
Check = Callable[[Any, Known], bool]


def _text(longest: int, *, missing: bool = False) -> Check:
    def check(value: Any, _known: Known) -> bool:
        if value is None:
            return missing
        return isinstance(value, str) and len(value) <= longest and "\0" not in value and _encodes(value)

    return check


def _encodes(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _whole(value: Any, _known: Known) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST


def _time(value: Any, known: Known) -> bool:
    return value is None or _whole(value, known)


def _number(value: Any, _known: Known) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _missing_or_number(value: Any, known: Known) -> bool:  # not-a-number is no value in SQLite
    return value is None or _number(value, known)


def _one_of(*values: Any) -> Check:
    return lambda value, _known: value in values and not isinstance(value, bool)


def _new(kind: str, pattern: re.Pattern[str] | None = None) -> Check:
    def check(value: Any, known: Known) -> bool:
        fits = pattern.fullmatch(value) is not None if pattern and isinstance(value, str) else pattern is None
        is_new = fits and isinstance(value, str | int) and (kind, value) not in known
        if is_new:
            known.add(kind, value)
        return bool(is_new)

    return check


def _of(*kinds: str, missing: bool = False) -> Check:
    def check(value: Any, known: Known) -> bool:
        if value is None:
            return missing
        return isinstance(value, str | int) and any((kind, value) in known for kind in kinds)

    return check


@dataclass(frozen=True)
class Table:
    """Of a store.

    Attributes:
        owner: the column that says whose rows they are.
        kind: whose: ``experiment``, ``run``, ``model``, ``dataset``, ``input`` or ``registered`` (a model's name).
        columns: what may stand in each.
        places: columns that name a folder; only where artifacts are, never where they were, is written.
        constant: columns whose values are the same in all rows.
    """

    owner: str
    kind: str
    columns: Mapping[str, Check]
    places: tuple[str, ...] = ()
    constant: Mapping[str, Any] = field(default_factory=dict)


_PLACE = _text(2000, missing=True)
_KEY, _NAME, _LONG = _text(500), _text(1000, missing=True), _text(10_000_000, missing=True)
_ALIVE = {"lifecycle_stage": "active"}
_METRIC: Mapping[str, Check] = {
    "key": _KEY, "value": _number, "timestamp": _time, "run_uuid": _of("run"), "step": _whole, "is_nan": _one_of(0, 1),
}  # fmt: skip
# In this order a row names only rows before it.
TABLES: Mapping[str, Table] = {
    "experiments": Table("experiment_id", "experiment", {
        "experiment_id": _new("experiment"), "name": _text(256), "creation_time": _time, "last_update_time": _time,
        "artifact_location": _PLACE,
    }, ("artifact_location",), _ALIVE),
    "experiment_tags": Table("experiment_id", "experiment", {
        "experiment_id": _of("experiment"), "key": _KEY, "value": _LONG,
    }),
    "runs": Table("run_uuid", "run", {
        "run_uuid": _new("run", RUN_ID), "experiment_id": _of("experiment"), "name": _text(500, missing=True),
        "source_type": _one_of("NOTEBOOK", "JOB", "LOCAL", "UNKNOWN", "PROJECT", None), "source_name": _NAME,
        "entry_point_name": _NAME, "user_id": _NAME, "status": _one_of(*_STATES), "start_time": _time,
        "end_time": _time, "source_version": _NAME, "artifact_uri": _PLACE,
    }, ("artifact_uri",), _ALIVE),
    "params": Table("run_uuid", "run", {"run_uuid": _of("run"), "key": _KEY, "value": _text(8000)}),
    "tags": Table("run_uuid", "run", {"run_uuid": _of("run"), "key": _KEY, "value": _text(8000, missing=True)}),
    "metrics": Table("run_uuid", "run", _METRIC),
    "latest_metrics": Table("run_uuid", "run", _METRIC),
    "logged_models": Table("model_id", "model", {
        "model_id": _new("model", MODEL_ID), "experiment_id": _of("experiment"), "name": _KEY,
        "artifact_location": _PLACE, "creation_timestamp_ms": _whole, "last_updated_timestamp_ms": _whole,
        "status": _one_of(READY), "model_type": _NAME, "source_run_id": _of("run"), "status_message": _NAME,
    }, ("artifact_location",), _ALIVE),
    "logged_model_metrics": Table("model_id", "model", {
        "model_id": _of("model"), "metric_name": _KEY, "metric_timestamp_ms": _whole, "metric_step": _whole,
        "metric_value": _missing_or_number, "experiment_id": _of("experiment"), "run_id": _of("run"),
    }),
    "logged_model_params": Table("model_id", "model", {
        "model_id": _of("model"), "experiment_id": _of("experiment"), "param_key": _KEY, "param_value": _LONG,
    }),
    "logged_model_tags": Table("model_id", "model", {
        "model_id": _of("model"), "experiment_id": _of("experiment"), "tag_key": _KEY, "tag_value": _LONG,
    }),
    "datasets": Table("dataset_uuid", "dataset", {
        "dataset_uuid": _new("dataset", _OTHER_ID), "experiment_id": _of("experiment"), "name": _KEY, "digest": _KEY,
        "dataset_source_type": _KEY, "dataset_source": _LONG, "dataset_schema": _LONG, "dataset_profile": _LONG,
    }),
    "inputs": Table("input_uuid", "input", {
        "input_uuid": _new("input", _OTHER_ID),
        "source_type": _one_of("DATASET", "RUN_INPUT", "RUN_OUTPUT"), "source_id": _of("dataset", "run"),
        "destination_type": _one_of("RUN", "MODEL_INPUT", "MODEL_OUTPUT"), "destination_id": _of("run", "model"),
        "step": _whole,
    }),
    "input_tags": Table("input_uuid", "input", {"input_uuid": _of("input"), "name": _KEY, "value": _text(500)}),
    "registered_models": Table("name", "registered", {
        "name": _new("registered"), "creation_time": _time, "last_updated_time": _time, "description": _LONG,
    }),
    "registered_model_tags": Table("name", "registered", {"name": _of("registered"), "key": _KEY, "value": _LONG}),
    "model_versions": Table("name", "registered", {
        "name": _of("registered"), "version": _whole, "creation_time": _time, "last_updated_time": _time,
        "description": _LONG, "user_id": _NAME, "current_stage": _NAME, "source": _of("model"),
        "run_id": _of("run", missing=True), "status": _one_of("READY"), "status_message": _NAME,
    }),
    "model_version_tags": Table("name", "registered", {
        "name": _of("registered"), "version": _whole, "key": _KEY, "value": _LONG,
    }),
    "registered_model_aliases": Table("name", "registered", {
        "name": _of("registered"), "version": _whole, "alias": _text(256),
    }),
}  # fmt: skip


def check_row(table: str, row: object, known: Known) -> Row:
    """A row, if it is one.

    Args:
        table: its name, of `TABLES`.
        row: as it was read.
        known: identifiers of rows before it; grows.

    Raises:
        RowError: it is none.
    """
    columns = TABLES[table].columns
    if not isinstance(row, dict) or row.keys() != columns.keys():
        raise RowError(f"a row of {table} has other columns than {', '.join(columns)}")
    for name, check in columns.items():
        if not check(row[name], known):
            raise RowError(f"a row of {table} has {str(row[name])[:60]!r} as {name}, which no store would write")
    return row
