"""JSON files beside recordings, as BIDS has them: what columns are called, their units, rate and start.

A file's sidecar is called as it is but for its suffix. One that lies in a folder above, or says fewer of the parts of
the name, counts for all files that it fits to; what is nearer counts more (BIDS, "The Inheritance Principle").
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa

from steps.core.formats.text.numbers import is_rate
from steps.core.readers.columns import Parsed, features_of
from steps.errors import UserError, shown, shown_path

_TEXT: Final = (".tsv", ".tsv.gz", ".csv", ".csv.gz", ".txt", ".txt.gz")


@dataclass(frozen=True)
class Sidecar:
    """What is said about a file.

    Attributes:
        columns: their names, for files that have none; () where it is not said.
        rate: samples per second; 0 where it is not said.
        start: of the first sample, in seconds.
        units: of columns.
    """

    columns: tuple[str, ...] = ()
    rate: float = 0.0
    start: float = 0.0
    units: Mapping[str, str] | None = None

    def columns_of(self, raw: bytes) -> tuple[str, ...]:
        """Names for the columns of a file, unless it begins with them."""
        first = raw[: raw.find(b"\n") + 1 or len(raw)].decode("utf-8", "replace")
        has_names = set(self.columns) <= {cell.strip().strip('"') for cell in first.replace(",", "\t").split("\t")}
        return () if has_names else self.columns

    def with_time(self, parsed: Parsed) -> Parsed:
        """A file with a column of time in seconds, where it has none and the rate is known."""
        if not self.rate or "time" in parsed.table.column_names:
            return parsed
        time = self.start + np.arange(parsed.table.num_rows) / self.rate
        return replace(parsed, table=parsed.table.append_column("time", pa.array(time)))

    def units_of(self, parsed: Parsed) -> dict[str, str]:
        """Units of the features that were taken of a file."""
        units = self.units or {}
        return {
            taken: units[column]
            for column, taken in parsed.columns.taken.items()
            if column in units and features_of([taken])
        }


def find_sidecars(recordings: Sequence[str], paths: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The sidecars of each recording that has some, the farthest first.

    Args:
        recordings: paths of files.
        paths: of all files of the study.
    """
    by_place: dict[tuple[str, str], list[tuple[str, set[str]]]] = defaultdict(list)
    for path in paths:
        if path.lower().endswith(".json"):
            folder, _, name = path.rpartition("/")
            *parts, kind = name[:-5].split("_")
            by_place[folder, kind].append((path, set(parts)))
    found = {}
    for path in recordings if by_place else ():
        folder, _, name = path.rpartition("/")
        if not name.lower().endswith(_TEXT):
            continue
        *parts, kind = name.partition(".")[0].split("_")
        above = folder.split("/") if folder else []
        folders = ["/".join(above[:depth]) for depth in range(len(above) + 1)]
        own = [
            one
            for place in folders
            for one in sorted(by_place.get((place, kind), ()), key=lambda one: len(one[1]))
            if one[1] <= set(parts)
        ]
        if own:
            found[path] = tuple(one for one, _ in own)
    return found


def read_sidecars(raws: Mapping[str, bytes]) -> Sidecar:
    """What the sidecars of a file say together; what is of no use here is passed over.

    Raises:
        UserError: one is no JSON, or says a rate that is none.
    """
    said: dict[str, Any] = {}
    for path, raw in raws.items():
        try:
            document = json.loads(raw.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise UserError(f"{shown_path(path)} is not readable JSON: {error}; mend it, or take it away") from error
        said |= document if isinstance(document, dict) else {}
    name = shown_path(list(raws)[-1]) if raws else ""
    columns = said.get("Columns", [])
    if not isinstance(columns, list) or not all(isinstance(one, str) and one for one in columns):
        raise UserError(f"{name}: Columns is {shown(columns)}, expected a list of names")
    units = {
        column: str(about["Units"])
        for column, about in said.items()
        if isinstance(about, dict) and isinstance(about.get("Units"), str) and about["Units"].strip()
    }
    return Sidecar(tuple(columns), _number(said, "SamplingFrequency", name), _number(said, "StartTime", name), units)


def _number(said: Mapping[str, Any], key: str, name: str) -> float:
    value = said.get(key, 0)
    if isinstance(value, str) and value.strip().lower() == "n/a":
        return 0.0
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
    if not is_number or (key in said and key == "SamplingFrequency" and not is_rate(value)):
        raise UserError(f"{name}: {key} is {shown(value)}, expected a number")
    return float(value)
