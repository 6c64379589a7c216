"""What columns of a file say about its rows: whose they are, which trial."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from steps.core.readers.choice import Choice
from steps.core.readers.columns import IDENTITIES, Lines, Parsed
from steps.core.readers.described.found import Found
from steps.core.readers.identities import clean
from steps.errors import UserError, shown


def who_and_what(parsed: Parsed, found: Found, choice: Choice, but: str) -> list[tuple[dict[str, str], Lines]]:
    """What path and columns say, and the rows of which they say it, in order of first appearance.

    Args:
        parsed: the columns of a file.
        found: the recording that the file is.
        choice: which columns are wanted.
        but: a column that is not looked at.

    Raises:
        UserError: path and column say the same thing.
    """
    names = [name for name in parsed.table.column_names if name in IDENTITIES and name != but]
    if both := [name for name in names if name.strip("{}") in found.said]:
        column = next(column for column, name in parsed.columns.taken.items() if name == both[0])
        raise UserError(
            f"{found.name}: the path says the {both[0].strip('{}')} and so does the column {shown(column)}; leave the "
            f"column out: {choice.without([column])}, or write * in the pattern"
        )
    count = parsed.table.num_rows
    if not names:
        return [(dict(found.said), np.arange(count))]
    codes = np.zeros(count, dtype=np.int64)
    keys: list[tuple[str, ...]] = [()]
    for name in names:
        encoded = parsed.table[name].combine_chunks().dictionary_encode()
        texts = [*clean(encoded.dictionary.to_pylist(), name.strip("{}")), ""]
        own = encoded.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False).astype(np.int64)
        unique, codes = np.unique(codes * len(texts) + own, return_inverse=True)
        keys = [(*keys[one // len(texts)], texts[one % len(texts)]) for one in unique.tolist()]
    merged: dict[tuple[str, ...], int] = {}
    codes = np.array([merged.setdefault(key, len(merged)) for key in keys])[codes]
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(merged) + 1))
    parts = [
        (dict(found.said) | {name.strip("{}"): text for name, text in zip(names, key, strict=True)}, order[a:b])
        for key, a, b in zip(merged, starts[:-1], starts[1:], strict=True)
    ]
    return sorted(parts, key=lambda part: int(part[1][0]))


def cells(column: pa.ChunkedArray) -> list[str]:
    """The cells of a column of text, "" for none."""
    texts = column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
    return [cell or "" for cell in texts.to_pylist()]
