"""Which columns of a file are what: identities, time, features, and those that are left out."""

from __future__ import annotations

import csv
import difflib
import io
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from steps.core.data.dataset import RESERVED_COLUMNS
from steps.core.readers.text import listed, shown
from steps.errors import UserError

ALL: Final = "all"
NONE: Final = "none"
_GLOB = re.compile(r"[*?\[]")
_UNIT = r"(?:s|secs?|seconds?|ms|msecs?|millis|milliseconds?|us|µs|μs|ns|mins?|minutes?|h|hours?|%)"
# "Time", "timestamp", "time_s", "Time [ms]"; "t", "t (s)", but not "T", which is a temperature.
_TIME = re.compile(rf"time(?:[ _-]?stamps?)?\s*(?:[\[(].*[\])]|[ _-]{_UNIT})?", re.IGNORECASE)
_T = re.compile(rf"t(?:\s*[\[(]\s*{_UNIT}\s*[\])]|_{_UNIT})?")
# What others call these columns. They are never taken silently, a message asks about them.
_ALSO_CALLED: Mapping[str, tuple[str, ...]] = {
    "subject": ("participant", "participantid", "subjectid", "subj", "sub", "subid", "person", "personid", "patient",
                "patientid", "proband", "user", "userid", "id", "name"),
    "label": ("labels", "class", "condition", "target", "category", "group", "emotion", "state", "y"),
    "trial": ("trialid", "trialnumber", "trials", "recording", "recordingid", "session", "repetition", "epoch", "run"),
    "time": ("seconds", "elapsed", "elapsedtime", "clock", "datetime", "date"),
}  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """Which columns the user wants.

    Attributes:
        features: names or globs of the columns to take as features; empty = all. A column that is called by its full
            name here is wanted for certain.
        ignore: names or globs of columns to leave out.
        known: features of a model: columns of these names are features whatever else they might be.
        left_out: columns that the model's training left out; they need not be there.
    """

    features: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(cls, features: str = ALL, ignore: str = NONE) -> Choice:
        """From the parameters ``features`` and ``ignore``: comma-separated lists, a name with a comma in quotes.

        Raises:
            UserError: a list is empty or no CSV, or both name one column.
        """
        wanted = () if features.strip() == ALL else _names("features", features)
        unwanted = () if ignore.strip() == NONE else _names("ignore", ignore)
        for name in wanted:
            if name in unwanted:
                raise UserError(f"features and ignore both name {shown(name)}, expected it in one of them")
            if name in RESERVED_COLUMNS:
                raise UserError(f"features names {shown(name)}, which is no feature: it says whose and when")
        return cls(wanted, unwanted)

    @property
    def is_everything(self) -> bool:
        """Whether the user chose nothing."""
        return not self.features and not self.ignore

    def names(self, column: str) -> bool:
        """Whether the column is called by its full name, as a feature."""
        return column in self.features or column in self.known

    def leaves_out(self, column: str) -> bool:
        """Whether the column is to be left out; its full name counts more than a glob."""
        if column in self.ignore:
            return True
        if self.names(column):
            return False
        return column in self.left_out or any(_fits(pattern, column) for pattern in self.ignore)

    def takes(self, column: str) -> bool:
        """Whether a column that is not left out is wanted as a feature."""
        return not self.features or self.names(column) or any(_fits(pattern, column) for pattern in self.features)

    def without(self, columns: Sequence[str]) -> str:
        """The parameter that leaves these columns out as well, to be pasted into a command line."""
        return _parameter("ignore", [*self.ignore, *columns])

    def naming(self, columns: Sequence[str]) -> str:
        """The parameter that calls these columns features by their full names, to be pasted into a command line."""
        return _parameter("features", [*(self.features or "*"), *columns])


EVERYTHING: Final = Choice()


@dataclass(frozen=True)
class Columns:
    """What the columns of one file are taken for.

    Attributes:
        taken: column of the file -> its name in the study.
        left_out: columns that are not read.
    """

    taken: dict[str, str]
    left_out: tuple[str, ...] = ()

    def with_those_of(self, other: Columns) -> Columns:
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


def choose(found: Sequence[str], file: str, choice: Choice, required: Sequence[str] = ()) -> Columns:
    """Which of the columns ``found`` in a file are identities, time and features.

    Args:
        found: names of all columns.
        file: what messages call it.
        choice: which are wanted.
        required: columns that must be there, of a table; a table is a whole study, what it lacks is in no other file.

    Raises:
        UserError: a required column or one that the choice names is missing, or two columns could be the same one.
    """
    check_patterns("features", choice.features, found, file)
    if required:
        check_patterns("ignore", choice.ignore, found, file)
    left_out = [column for column in found if choice.leaves_out(column)]
    rest = [column for column in found if column not in left_out]
    taken = {column: column for column in rest}
    for name in RESERVED_COLUMNS:
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
    not_taken = [column for column, name in taken.items() if name not in RESERVED_COLUMNS and not choice.takes(column)]
    return Columns(
        {column: name for column, name in taken.items() if column not in not_taken},
        tuple(column for column in found if column in left_out or column in not_taken),
    )


def check_patterns(name: str, patterns: Iterable[str], found: Iterable[str], where: str) -> None:
    """Check that every entry of the parameter ``features`` or ``ignore`` means a column.

    Raises:
        UserError: one means none.
    """
    columns = list(dict.fromkeys(found))
    for pattern in patterns:
        if not any(pattern == column or _fits(pattern, column) for column in columns):
            close = _close(pattern, columns)
            hint = f"; did you mean {shown(close[0])}?" if close else ""
            raise UserError(
                f"{name} names {shown(pattern)}, which is no column of {where}; it has {listed(columns)}{hint}"
            )


def is_time(column: str) -> bool:
    """Whether a column is called as time usually is."""
    return (_TIME.fullmatch(column) or _T.fullmatch(column)) is not None


def _may_be(name: str, column: str) -> bool:
    return is_time(column) if name == "time" else column.casefold() == name


def _fits(pattern: str, column: str) -> bool:
    return _GLOB.search(pattern) is not None and fnmatchcase(column, pattern)


def _names(parameter: str, text: str) -> tuple[str, ...]:
    try:
        (cells,) = csv.reader([text], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError) as error:
        raise UserError(f"{parameter} is {shown(text)}, expected names separated by commas ({error})") from error
    names = tuple(dict.fromkeys(cell.strip() for cell in cells))
    if not names or not all(names):
        raise UserError(f"{parameter} is {shown(text)}, expected names of columns separated by commas")
    return names


def _did_you_mean(name: str, found: Sequence[str]) -> str:
    also = [column for column in found if re.sub(r"[\W_]", "", column.casefold()) in _ALSO_CALLED.get(name, ())]
    close = also or _close(name, found)
    return f"; did you mean {shown(close[0])}? call it {shown(name)}" if close else ""


def _close(name: str, found: Sequence[str]) -> list[str]:
    """Names that are nearly this one, nearest first."""
    folded = {column.casefold(): column for column in found}
    return [folded[close] for close in difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)]


def _parameter(name: str, columns: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(columns)
    return f"{name}={shlex.quote(line.getvalue())}"
