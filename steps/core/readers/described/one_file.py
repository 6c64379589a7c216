"""One recording's file as named columns, whatever its format."""

from __future__ import annotations

from collections.abc import Callable

from steps.core.formats.file_table import Event, RawFile
from steps.core.formats.table import format_of, read_file
from steps.core.readers.choice import Choice
from steps.core.readers.columns import Parsed
from steps.core.readers.file_tables import parse_file_table
from steps.core.readers.parquet import parse_parquet
from steps.core.readers.text_files import Texts
from steps.errors import shown_path


def parse_file(
    raw: bytes, path: str, choice: Choice, texts: Texts, beside: Callable[[str], bytes]
) -> tuple[Parsed, tuple[Event, ...]]:
    """The columns of a file that are wanted, and the events that it holds.

    Args:
        raw: its bytes.
        path: below the study's folder.
        choice: which columns are wanted.
        texts: reads texts, and takes in what files say about themselves.
        beside: bytes of another file of its folder, by its name.

    Raises:
        UserError: anything is wrong with it.
    """
    name = shown_path(path)
    kind = format_of(path)
    if kind is None and path.lower().endswith(".parquet"):
        return parse_parquet(raw, name, (), choice), ()
    if kind is None or kind.is_text:
        return texts.parse(raw, name), ()
    table = read_file(RawFile(raw, name, beside, choice.leaves_out, choice.wants), kind)
    parsed = parse_file_table(table, name, (), choice)
    texts.told.add(name, table, parsed.columns)
    return parsed, table.events
