"""Reading back what runs recorded, as typed values: the one place where files and tags of a record are parsed.

A file may have been cut off by a full disk, edited, or lost; a tag cut off by MLflow, or written by somebody else. Who
reads it here gets values of the right types, or one line that names the file and the run and says what to do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from functools import cache
from typing import Any, Literal

import pandas as pd
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from steps.commands import command
from steps.errors import UserError, shown
from steps.parameters import STEPS
from steps.tracking.store import digests
from steps.tracking.store.cloud import StoreError
from steps.tracking.store.trouble import one_line
from steps.writing.spreadsheet import read_csv

# Columns of our tables that hold text; all others hold numbers.
TEXT_COLUMNS = ("subject", "trial", "feature", "fold", "source", "unit", "outcome", "method", "class_name",
                "predicted_class")  # fmt: skip


class DamagedError(UserError):
    """A file or tag of a run is gone, or is not what this project writes."""


class Written(BaseModel):
    """A JSON document of this project: the fields its readers need; other fields are kept."""

    model_config = ConfigDict(strict=True, extra="allow")  # "3" is no 3


class Split(Written):
    """``split.json``: who trained, validated and was tested."""

    training: list[str]
    validation: list[str]
    test: list[str]


class Runtime(Written):
    """``runtime.json`` of a training."""

    folds: float
    workers: float
    training_s: float
    training_s_mean_per_fold: float
    folds_wall_s: float


class Intervals(Written):
    """How the intervals of a ``summary.json`` were made."""

    confidence: float


_Level = dict[str, dict[str, float | None]]


class Summary(Written):
    """``summary.json`` of an evaluation."""

    counts: dict[str, int]
    thresholds: list[float] = Field(min_length=1)
    intervals: Intervals
    pooled: _Level
    subject: _Level


class Quality(Written):
    """``quality.json`` of a prepared dataset."""

    trials: int
    subjects: int
    features: int
    findings: list[dict[str, Any]]


class AuditedKind(Written):
    """What an ``audit.json`` says of one kind of shortcut."""

    kind: str
    family: str
    warning: bool
    looked_at: int
    strongest: dict[str, str | float]
    found: list[dict[str, str | float]]


class Audit(Written):
    """``audit.json`` of an evaluation."""

    checks: int
    findings: int
    alpha: float
    permutations: int
    within_people: bool
    shortcuts: list[AuditedKind]
    same_for_all: list[str]
    names: list[list[str]]
    both_groups: list[str]


class RecordedIdentity(Written):
    """The tag ``reuse_identity``; ``shortened`` names parameters that were too long for it."""

    parameters: dict[str, str | int | float | bool | None]
    code: str
    inputs: str
    shortened: list[str] = []


class RecordedTry(Written):
    """The tag ``tried`` of a try, as `steps.core.data.tried.Tried`."""

    number: int
    settings: dict[str, str | int | float]
    named: dict[str, str | int | float]
    values: list[float]
    state: Literal["finished", "stopped", "failed"]
    seconds: float
    reason: str


Parameters = dict[str, str | int | float | bool | None]
Packages = dict[str, str]


@cache
def _reader(kind: Any) -> TypeAdapter[Any]:
    is_ours = isinstance(kind, type) and issubclass(kind, BaseModel)
    return TypeAdapter(kind, config=None if is_ours else ConfigDict(strict=True))


def json_of(run: Run, path: str, kind: Any) -> Any:
    """A JSON file of a run.

    Args:
        run: that holds it.
        path: of the file among the run's artifacts.
        kind: what it must be: a `Written`, or a type such as ``dict[str, str]``.

    Returns:
        What is in it, plain.

    Raises:
        DamagedError: it is not there, or is something else.
    """
    return _parsed(text_of(run, path), kind, lambda reason: damaged(run, path, reason))


def tag_of(run: Run, name: str, kind: Any) -> Any:
    """A tag of a run that holds JSON; None where the run has no such tag.

    Raises:
        DamagedError: it is something else: cut off, or written by somebody else.
    """
    text = run.data.tags.get(name)
    return None if text is None else _parsed(text, kind, lambda reason: damaged(run, f"tag {name}", reason))


def table_of(
    run: Run,
    path: str,
    required: Collection[str] = (),
    may_be_empty: Callable[[str], bool] = lambda _name: False,
    index: str | None = None,
) -> pd.DataFrame:
    """A CSV file of a run: `TEXT_COLUMNS` as text, all others as numbers.

    Args:
        run: that holds it.
        path: of the file among the run's artifacts.
        required: columns it must have.
        may_be_empty: says of a column whether a cell in it may be empty.
        index: the column that becomes the index.

    Raises:
        DamagedError: it is not there, lacks a column or a value, or holds text where there should be numbers.
    """
    text = csv_of(run, path)
    empty = [name for name in text.partition("\n")[0].split(",") if may_be_empty(name)]
    table = _read_csv(
        run,
        path,
        text,
        dtype=dict.fromkeys(TEXT_COLUMNS, str),
        na_values={name: [""] for name in empty},
        float_precision="round_trip",
    )
    if lacking := [name for name in required if name not in table]:
        raise damaged(run, path, f"column {lacking[0]!r} is missing")
    for name in table:
        if name not in TEXT_COLUMNS and not pd.api.types.is_numeric_dtype(table[name]):
            numbers = pd.to_numeric(table[name], errors="coerce")
            row = int(numbers.isna().to_numpy().argmax())
            raise damaged(run, path, f"row {row + 2}, column {name}: {shown(table[name].iloc[row])} is not a number")
        if name not in empty and table[name].isna().any():
            row = int(table[name].isna().to_numpy().argmax())
            raise damaged(run, path, f"row {row + 2} is cut off before column {name}")
    return table.set_index(index) if index else table


def text_table_of(run: Run, path: str) -> pd.DataFrame:
    """A CSV file of a run, every cell as text.

    Raises:
        DamagedError: it is not there, cut off, or no table.
    """
    return _read_csv(run, path, csv_of(run, path), dtype=str)


def _read_csv(run: Run, path: str, text: str, **options: Any) -> pd.DataFrame:
    try:
        return read_csv(text, keep_default_na=False, **options)  # names such as NA are names
    except ValueError as error:
        raise damaged(run, path, one_line(error)) from error


def csv_of(run: Run, path: str) -> str:
    """The text of a CSV file of a run.

    Raises:
        DamagedError: it is not there, or cut off.
    """
    text = text_of(run, path)
    if not text.endswith("\n"):  # as all that this project writes
        raise damaged(run, path, f"it is cut off in line {text.count(chr(10)) + 1}")
    return text


def fold_key(run: Run) -> tuple[str, int]:
    """Name and test number of a fold.

    Raises:
        DamagedError: its tags do not say them.
    """
    name, number = run.data.tags.get("subject"), run.data.tags.get("test_number", "")
    if name is None or not number.isdecimal():
        raise damaged(run, "tag subject" if name is None else "tag test_number", f"found {shown(number or name)}")
    return name, int(number)


def required_tag(run: Run, name: str) -> str:
    """A tag that every run of this kind has.

    Raises:
        DamagedError: this one has not.
    """
    if name not in run.data.tags:
        raise damaged(run, f"tag {name}", "it is not there")
    return str(run.data.tags[name])


def text_of(run: Run, path: str) -> str:
    """A text file of a run.

    Raises:
        DamagedError: it is not there, or not text.
        UserError: it is not the file that was recorded.
    """
    try:
        return digests.recorded_file(run, path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise damaged(run, path, "it is not UTF-8") from error
    except StoreError:
        raise
    except (MlflowException, OSError, ValueError) as error:
        raise DamagedError(
            f"{_named(run)} holds no {path} that can be read ({one_line(error)}); {_mend(run)}"
        ) from error


def damaged(run: Run, what: str, reason: str) -> DamagedError:
    """The error for something of a run that is not what it should be."""
    return DamagedError(f"{what} of {_named(run)} is damaged: {reason}; {_mend(run)}")


def _parsed(text: str, kind: Any, error_of: Callable[[str], DamagedError]) -> Any:
    try:
        _reader(kind).validate_json(text)
        return json.loads(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        value = f", found {shown(first['input'])}" if where and first["type"] != "missing" else ""
        raise error_of(f"{f'{shown(where)}: ' if where else ''}{first['msg'][:200]}{value}") from error
    except (ValueError, RecursionError) as error:
        raise error_of(one_line(error)) from error


def _named(run: Run) -> str:
    kind = run.data.tags.get("entry_point", "some")
    return f"{shown(kind)[1:-1]} run {run.info.run_id}"


def _mend(run: Run) -> str:
    """How to make the contents of a run again."""
    tags = run.data.tags
    kind = tags.get("entry_point")
    if kind in ("evaluate", "attribute") and "train_run_id" in tags:
        return f"make it anew: {command(kind, train_run_id=tags['train_run_id'])}"
    if kind == "train" or kind not in STEPS:  # a part of a training: a fold, the final model
        return f"restore it from a copy, or train again: {command('train')} (main: reuse=false)"
    return f"restore it from a copy, or make it anew: {command(kind if kind in ('prepare', 'main') else 'main')}"
