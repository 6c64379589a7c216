"""Where the table lies in a text, and what its columns are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from steps.core.formats.file_table import Event


@dataclass(frozen=True)
class Layout:
    """Where the table lies in a text, and what its columns are.

    Attributes:
        separator: between cells; "" where there is one column; a blank means any number of blanks and tabs.
        names: of all columns of the file.
        first: line of the first row of numbers, from 0.
        end: line after the last one; None for that of the file.
        kind: whose header it is: ``OpenSim``; "" where nobody's.
        about: what must be the same in all files besides, in a few words: ``angles in degrees``.
        header_rows: rows that were joined to names; 0 where the file has no header.
        header: line of the last of them.
        has_block: whether lines that are no names stand above them.
        units: of columns, by their names.
        left_out: columns that are not taken, as frame numbers.
        rate: samples per second, where the file says.
        start: seconds at the first sample, of a file without a column for time; or what times are counted from.
        counter: column that counts samples, from which time is made with ``rate``; "" for the row's number.
        sub_counter: column that counts samples within one of ``counter``.
        wraps: at which number the counter begins again; 0 for never.
        decimal: what is known of the decimal mark; None for nothing.
        rows: how many rows the file says it has; None where it does not say.
        notes: sentences on what was found.
        events: what happened when.
        points: columns of points, x, y, z of each in turn; one at 0, 0, 0 was not seen.
        more: other tables of the same file with the same counter, whose columns stand beside these.
    """

    separator: str
    names: tuple[str, ...]
    first: int
    end: int | None = None
    kind: str = ""
    about: str = ""
    header_rows: int = 1
    header: int = 0
    has_block: bool = False
    units: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    rate: float | None = None
    start: float = 0.0
    counter: str = ""
    sub_counter: str = ""
    wraps: int = 0
    decimal: str | None = None
    rows: int | None = None
    notes: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    points: tuple[str, ...] = ()
    more: tuple[Layout, ...] = ()
