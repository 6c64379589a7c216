"""Which columns of files the user wants, from the parameters ``features`` and ``ignore``."""

from __future__ import annotations

import csv
import difflib
import io
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from steps.core.data.dataset import RESERVED_COLUMNS
from steps.errors import UserError, listed, shown

ALL: Final = "all"
NONE: Final = "none"
_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Choice:
    """Which columns the user wants.

    Attributes:
        features: names or globs of the columns to take as features; empty = all. A column that is called by its full
            name here is wanted for certain.
        ignore: names or globs of columns to leave out.
        known: features of a model: columns of these names are features whatever else they might be.
        left_out: columns that the model's training left out; they need not be there.
        called: pairs of what a column is, ``subject`` or ``time``, and its name in the files, as a description says;
            no other column is taken for that.
        columns: names of the columns of files that have none; empty where they have.
    """

    features: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    called: tuple[tuple[str, str], ...] = ()
    columns: tuple[str, ...] = ()

    @classmethod
    def of(cls, features: str = ALL, ignore: str = NONE, columns: str = NONE) -> Choice:
        """From the parameters of these names: comma-separated lists, a name with a comma in quotes.

        Raises:
            UserError: a list is empty or no CSV, columns names one twice, or features and ignore both name one.
        """
        wanted = () if features.strip() == ALL else _names("features", features)
        unwanted = () if ignore.strip() == NONE else _names("ignore", ignore)
        for name in wanted:
            if name in unwanted:
                raise UserError(f"features and ignore both name {shown(name)}, expected it in one of them")
            if name in RESERVED_COLUMNS:
                raise UserError(f"features names {shown(name)}, which is no feature: it says whose and when")
        return cls(wanted, unwanted, columns=() if columns.strip() == NONE else _names("columns", columns, once=True))

    @property
    def is_everything(self) -> bool:
        """Whether the user chose nothing."""
        return not self.features and not self.ignore and not self.columns

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

    def wants(self, column: str) -> bool:
        """Whether a column is wanted as a feature, by its name."""
        return self.takes(column) and not self.leaves_out(column)

    def without(self, columns: Sequence[str]) -> str:
        """The parameter that leaves these columns out as well, to be pasted into a command line."""
        return _parameter("ignore", [*self.ignore, *columns])

    def naming(self, columns: Sequence[str]) -> str:
        """The parameter that calls these columns features by their full names, to be pasted into a command line."""
        return _parameter("features", [*(self.features or "*"), *columns])


EVERYTHING: Final = Choice()


def check_patterns(name: str, patterns: Iterable[str], columns: Iterable[str], where: str) -> None:
    """Check that every entry of the parameter ``features`` or ``ignore`` means a column.

    Raises:
        UserError: one means none.
    """
    known = list(dict.fromkeys(columns))
    for pattern in patterns:
        if not any(pattern == column or _fits(pattern, column) for column in known):
            close = closest(pattern, known)
            hint = f"; did you mean {shown(close[0])}?" if close else ""
            raise UserError(
                f"{name} names {shown(pattern)}, which is no column of {where}; it has {listed(known)}{hint}"
            )


def _fits(pattern: str, column: str) -> bool:
    return _GLOB.search(pattern) is not None and fnmatchcase(column, pattern)


def _names(parameter: str, text: str, *, once: bool = False) -> tuple[str, ...]:
    try:
        (cells,) = csv.reader([text], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError) as error:
        raise UserError(f"{parameter} is {shown(text)}, expected names separated by commas ({error})") from error
    names = tuple(dict.fromkeys(cell.strip() for cell in cells))
    if once and len(names) < len(cells):
        raise UserError(f"{parameter} is {shown(text)}, expected different names")
    if not names or not all(names):
        raise UserError(f"{parameter} is {shown(text)}, expected names of columns separated by commas")
    return names


def closest(name: str, columns: Sequence[str]) -> list[str]:
    """Names that are nearly this one, nearest first."""
    folded = {column.casefold(): column for column in columns}
    return [folded[close] for close in difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)]


def _parameter(name: str, columns: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(columns)
    return f"{name}={shlex.quote(line.getvalue())}"
