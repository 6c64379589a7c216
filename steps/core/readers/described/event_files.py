"""Files of events: when pieces of a recording begin and end, and under which label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from steps.core.formats.file_table import Event
from steps.core.readers.described.cutting import Stretch, check_overlap
from steps.core.readers.described.schema import Events
from steps.core.readers.described.small_table import SmallTable, is_missing, number, read_small_table
from steps.core.readers.identities import clean
from steps.errors import UserError, listed, shown, shown_path

_NONE = "-"


def own_stretches(found: Sequence[Event], events: Events, name: str, where: str) -> list[Stretch]:
    """Pieces between events that a recording holds itself.

    Args:
        found: its events, in order.
        events: what the description says about them.
        name: of the recording, for messages.
        where: the description and its line.

    Raises:
        UserError: there are none of the name, or one that begins a piece has no partner that ends it.
    """
    there = listed(sorted({one.name for one in found})) if found else "none"
    if events.between:
        table = SmallTable(name, ("0",), [[str(one.time)] for one in found], list(range(1, len(found) + 1)))
        return EventFiles(events, where, {}, {}).between(table, range(len(found)), [one.time for one in found])
    begin = [one for one in found if one.name in events.start]
    if not begin:
        raise UserError(f"{where}: {name} has no event {listed(events.start)}; it has {there}")
    starts, is_cycle = [one.time for one in begin], events.end in events.start
    ends = [one.time for one in found if one.name == events.end]
    stretches: list[Stretch] = []
    for i, start in enumerate(starts):
        length = number(events.duration or "")
        following = [end for end in ends if end > start]
        end = start + length if length else following[0] if following else None
        if end is None and is_cycle and i:
            break  # it ended the last cycle
        if end is None or (not length and not is_cycle and i + 1 < len(starts) and end > starts[i + 1]):
            raise UserError(
                f"{name}: the event {shown(begin[i].name)} at {start:.15g} has no {shown(events.end)} after it"
                f"{' before the next one' if end else ''}, expected one for each; there are {there}"
            )
        label = clean([begin[i].name], "label")[0] if len(events.start) > 1 else ""
        stretches.append(Stretch(start, end, label, f"e{len(stretches) + 1:02d}", is_even=bool(length)))
    check_overlap(stretches, name)
    return stretches


@dataclass
class EventFiles:
    """All files of events of a study.

    Attributes:
        events: what the description says about them.
        where: its line, for messages.
        said: path -> what it says.
        raws: path -> bytes.
    """

    events: Events
    where: str
    said: Mapping[str, Mapping[str, str]]
    raws: Mapping[str, bytes]
    _used: set[tuple[str, str]] = field(default_factory=set)
    _tables: dict[str, SmallTable] = field(default_factory=dict)

    def of(self, subject: str, said: Mapping[str, str], name: str) -> tuple[str, list[Stretch]] | None:
        """The events of a recording and the file they are in; None where there is none.

        Args:
            subject: whose recording it is.
            said: what its path says.
            name: what messages call it.

        Raises:
            UserError: several files could be meant, or the file is malformed.
        """
        own = [path for path, told in self.said.items() if all(said.get(key) == value for key, value in told.items())]
        if len(own) > 1:
            raise UserError(
                f"{self.where}: {listed([shown_path(path) for path in own])} could all be the events of {name}; "
                "expected one file: name what tells them apart, as in the pattern of the recordings"
            )
        if not own:
            return None
        stretches = self._stretches(own[0], subject)
        self._used.add((own[0], subject if self.events.subject else ""))
        if stretches is None:
            return None
        return shown_path(own[0]), stretches

    def check_all_used(self, subjects: Sequence[str]) -> None:
        """Check that events have a recording.

        Raises:
            UserError: a file, or a subject in it, has none.
        """
        for path in self.said:
            if self.events.subject:
                table = self._table(path)
                names = clean(table.column(self.events.subject, self.where), "subject")
                for row, one in enumerate(names):
                    if one not in subjects:
                        raise UserError(
                            f"{shown_path(path)}, row {table.lines[row]}: events of subject {shown(one)}, who has no "
                            f"recording; there are {listed(sorted(subjects))}"
                        )
            elif (path, "") not in self._used:
                raise UserError(
                    f"{shown_path(path)} holds events, but no recording fits them; expected one for which "
                    f"{', '.join(f'{key} is {shown(value)}' for key, value in self.said[path].items())}"
                )

    def _table(self, path: str) -> SmallTable:
        if path not in self._tables:
            raw, name = self.raws[path], shown_path(path)
            first = raw.lstrip(b"\xef\xbb\xbf\r\n\t ").partition(b"\n")[0].decode("utf-8", "replace")
            has_header = number(first.replace(";", ",").replace("\t", ",").partition(",")[0].strip()) is None
            self._tables[path] = read_small_table(raw, name, header=has_header)
        return self._tables[path]

    def _stretches(self, path: str, subject: str) -> list[Stretch] | None:
        """The events in a file, or those of a subject in it; None where there is no word of the subject."""
        table, events, name = self._table(path), self.events, shown_path(path)
        where = f"{self.where}:"
        onset_column = table.header[0] if table.header[0] == "0" else events.onset
        onsets = table.column(onset_column, where)
        rows = list(range(len(onsets)))
        if events.subject:
            names = clean(table.column(events.subject, where), "subject")
            rows = [row for row in rows if names[row] == subject]
            if not rows:
                return None
        starts = [self._number(table, row, onset_column, onsets[row]) for row in rows]
        if events.between:
            return self.between(table, rows, starts)
        labels = table.column(events.label, where) if events.label else [""] * len(onsets)
        constant = number(events.duration or "")
        ends = None if constant is not None else table.column(events.offset or events.duration or "", where)
        stretches: list[Stretch] = []
        for row, start in zip(rows, starts, strict=True):
            label = labels[row]
            if events.label and is_missing(label):
                continue
            if ends is None:
                end = start + float(constant or 0)
            else:
                if is_missing(ends[row]):
                    what = "offset" if events.offset else "duration"
                    raise UserError(
                        f"{name}, row {table.lines[row]}: the event at {start:.15g} has no {what}; write it, or "
                        "delete the row"
                    )
                told = self._number(table, row, str(events.offset or events.duration), ends[row])
                end = told if events.offset else start + told
            if end <= start:
                raise UserError(
                    f"{name}, row {table.lines[row]}: the event goes from {start:.15g} to {end:.15g}, expected an end "
                    "after its beginning"
                )
            stretches.append(
                Stretch(start, end, clean([label], "label")[0], f"e{len(stretches) + 1:02d}", table.lines[row])
            )
        check_overlap(stretches, name)
        return stretches

    def between(self, table: SmallTable, rows: Sequence[int], starts: Sequence[float]) -> list[Stretch]:
        """The stretches between marks, in order.

        Args:
            table: that the marks stand in.
            rows: of the marks.
            starts: their times.

        Raises:
            UserError: there are more or fewer than the description names, or they go back in time.
        """
        between = self.events.between
        if len(starts) != len(between) + 1:
            raise UserError(
                f"{table.name} holds {len(starts)} marks, but between names {len(between)} stretches, which lie "
                f"between {len(between) + 1}; expected as many in every recording: write - for a stretch that is no "
                "trial"
            )
        stretches: list[Stretch] = []
        for (start, end), label, row in zip(pairwise(starts), between, rows, strict=False):
            if end <= start:
                raise UserError(
                    f"{table.name}, row {table.lines[row + 1]}: the mark at {end:.15g} is before the one above it, at "
                    f"{start:.15g}; expected them in order of time"
                )
            if label != _NONE:
                stretches.append(Stretch(start, end, label, f"e{len(stretches) + 1:02d}", table.lines[row]))
        return stretches

    def _number(self, table: SmallTable, row: int, column: str, cell: str) -> float:
        value = number(cell)
        if value is None:
            raise UserError(
                f"{table.name}, row {table.lines[row]}: column {shown(column)} holds {shown(cell)}, expected a time "
                "in seconds"
            )
        return value
