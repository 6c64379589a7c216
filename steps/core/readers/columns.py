"""What the columns of one file are taken for: identities, time, features, or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from steps.core.data.dataset import RESERVED_COLUMNS
from steps.core.formats.time_column import is_time
from steps.core.readers.choice import EVERYTHING, Choice, check_patterns, closest
from steps.errors import UserError, listed, shown

Lines = npt.NDArray[np.int64]  # numbers of rows in messages
# What only a description can name. In braces, so that they are no names of features.
DESCRIBED = ("{site}", "{session}", "{side}")
IDENTITIES = (*(name for name in RESERVED_COLUMNS if name != "time"), *DESCRIBED)
_FEW_ROWS: Final = 4
_MANY_ROWS: Final = 10
UNNAMED = re.compile(r"Unnamed: \d+")
# What others call these columns. They are never taken silently, a message asks about them.
ALSO_CALLED: Mapping[str, tuple[str, ...]] = {
    "subject": ("participant", "participantid", "subjectid", "subj", "sub", "subid", "person", "personid", "patient",
                "patientid", "proband", "user", "userid", "id", "name"),
    "label": ("labels", "class", "condition", "cond", "target", "category", "group", "emotion", "state", "y"),
    "trial": ("trialid", "trialnumber", "trials", "recording", "recordingid", "session", "repetition", "rep", "epoch",
              "run"),
    "time": ("seconds", "elapsed", "elapsedtime", "clock", "datetime", "date"),
}  # fmt: skip


@dataclass(frozen=True)
class Columns:
    """What the columns of one file are taken for.

    Attributes:
        taken: column of the file -> its name in the study.
        left_out: columns that are not read.
    """

    taken: dict[str, str]
    left_out: tuple[str, ...] = ()

    def merged_with(self, other: Columns) -> Columns:
        """These and what another file has besides."""
        return Columns(self.taken | other.taken, tuple(dict.fromkeys((*self.left_out, *other.left_out))))

    @property
    def notes(self) -> list[str]:
        """What is to be said about them, one sentence each."""
        renamed = [f"the column {shown(column)} as {name}" for column, name in self.taken.items() if column != name]
        return [
            *([f"Took {', '.join(renamed)}."] if renamed else []),
            *([f"Left out {listed(self.left_out)}."] if self.left_out else []),
        ]


def choose(columns: Sequence[str], file: str, choice: Choice, required: Sequence[str] = ()) -> Columns:
    """Which of a file's ``columns`` are identities, time and features.

    Args:
        columns: names of all columns.
        file: what messages call it.
        choice: which are wanted.
        required: columns that must be there, of a table; a table is a whole study, what it lacks is in no other file.

    Raises:
        UserError: a required column or one that the choice names is missing, or two columns could be the same one.
    """
    check_patterns("features", choice.features, columns, file)
    if required:
        check_patterns("ignore", choice.ignore, columns, file)
    called = dict(choice.called)
    _check_called(called, columns, file)
    left_out = [column for column in columns if choice.leaves_out(column) and column not in called.values()]
    left_out += [name for name in called if name in columns and name not in (*left_out, *called.values())]
    rest = [column for column in columns if column not in left_out]
    taken = {column: column for column in rest} | {column: name for name, column in called.items()}
    rest = [column for column in rest if column not in called.values()]
    for name in RESERVED_COLUMNS:
        if name in called:
            continue
        candidates = [column for column in rest if not choice.names(column) and _may_be(name, column)]
        if len(candidates) > 1:
            raise UserError(
                f"{file} has the columns {listed(candidates)}, which could all be {shown(name)}; leave out the others: "
                f"{choice.without(candidates[1:])}, or name one that is a feature: "
                f"{choice.naming(candidates[-1:])}"
            )
        if candidates:
            taken[candidates[0]] = name
        elif name in required:
            raise UserError(
                f"{file} has no column {shown(name)}, expected {', '.join(required)} and features"
                f"{_did_you_mean(name, [column for column in rest if column not in RESERVED_COLUMNS])}"
            )
    not_taken = [column for column, name in taken.items() if features_of([name]) and not choice.takes(column)]
    return Columns(
        {column: name for column, name in taken.items() if column not in not_taken},
        tuple(column for column in columns if column in left_out or column in not_taken),
    )


@dataclass(frozen=True)
class Parsed:
    """One file as read.

    Attributes:
        table: the columns that were taken, under their names in the study.
        names: all columns of the file.
        columns: what they were taken for.
        lines: the number of each row in messages, where rows are not numbered one after the other.
        first_row: the number of the first row in messages (2 below the header of a CSV file).
        time_unit: of the column of time, where the file says it beside the name; "" elsewhere.
    """

    table: pa.Table
    names: tuple[str, ...]
    columns: Columns
    lines: Lines | None = None
    first_row: int = 2
    time_unit: str = ""


def check_columns(
    header: Sequence[str], name: str, required: Sequence[str] = (), choice: Choice = EVERYTHING
) -> Columns:
    """What the columns of one file are taken for, by their names: a misspelt column would be taken for a feature.

    Raises:
        UserError: a name is missing, occurs twice or is not allowed for a feature, or no column is a feature.
    """
    seen: set[str] = set()
    for column in header:
        if re.fullmatch(r"\('.*', '.*'\)", column):
            raise UserError(
                f"{name} has column names of several levels, as {shown(column)} (a MultiIndex of pandas), expected "
                "one: save it after df.columns = ['_'.join(filter(None, names)) for names in df.columns]"
            )
        if column in seen:
            raise UserError(f"{name} has two columns named {shown(column)}, expected different names")
        seen.add(column)
    columns = choose(header, name, choice, required)
    for column in columns.taken:
        if column.startswith("__index_level_"):
            raise UserError(
                f"{name} has the column {shown(column)}, an index saved by pandas: save with index=False, "
                f"or leave it out with {choice.without([column])}"
            )
        if not 0 < len(column) <= 128 or not column.isprintable() or set(column) & set("<>\"'`"):
            raise UserError(
                f"{name} has a column named {shown(column)}, "
                "expected 1 to 128 printable characters without < > or quotes"
            )
    if not features_of(columns.taken.values()):
        raise UserError(f"{name} has no numeric feature: its columns are {', '.join(map(shown, header))}")
    return columns


def check_last_rows(parsed: Parsed, name: str) -> None:
    """Check that no means stand below the samples of a trial, apart from them; a clock would tell them.

    Raises:
        UserError: a few rows stand below a single blank line, in a file with neither time nor names of trials.
    """
    if parsed.lines is None or set(parsed.table.column_names) & set(RESERVED_COLUMNS):
        return
    apart = np.flatnonzero(np.diff(parsed.lines) > 1)
    if len(apart) == 1 and len(parsed.lines) - _FEW_ROWS <= apart[0] + 1 and apart[0] >= _MANY_ROWS:
        raise UserError(
            f"{name}, row {parsed.lines[apart[0] + 1]} stands apart, below a blank line or a comment: is it a sample, "
            "or the mean of those above? delete it, or the line above it"
        )


def features_of(header: Iterable[str]) -> tuple[str, ...]:
    """The columns that are features, in order."""
    return tuple(column for column in header if column not in RESERVED_COLUMNS and column not in DESCRIBED)


def _may_be(name: str, column: str) -> bool:
    return is_time(column) if name == "time" else column.casefold() == name


def _check_called(called: Mapping[str, str], columns: Sequence[str], file: str) -> None:
    """Check that the columns that a description names are there, each for one thing.

    Raises:
        UserError: one is not, or two things are one column.
    """
    for name, column in called.items():
        if column not in columns:
            close = closest(column, columns)
            hint = f"; did you mean {shown(close[0])}?" if close else ""
            raise UserError(
                f"{file} has no column {shown(column)}, which is the {name.strip('{}')} by the study's description; "
                f"it has {listed(columns)}{hint}"
            )
        if (twice := [other for other in called if called[other] == column])[1:]:
            raise UserError(f"column {shown(column)} is {' and '.join(twice)} by the study's description, expected one")


def _did_you_mean(name: str, columns: Sequence[str]) -> str:
    also = [column for column in columns if re.sub(r"[\W_]", "", column.casefold()) in ALSO_CALLED.get(name, ())]
    close = also or closest(name, columns)
    return f"; did you mean {shown(close[0])}? call it {shown(name)}" if close else ""
