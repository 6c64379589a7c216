"""A million rows of nine columns in several dialects, recognised and read.

python -m benchmarks.dialects
"""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import Final

import click
import numpy as np
import pandas as pd

from benchmarks.measure import seconds_of
from steps.core.formats.text.read import read_any
from steps.core.readers.csv_file import parse_csv

_TURNS: Final = 3
_PLAIN: Final = "plain CSV"


def dialects(rows: int, seed: int = 0) -> dict[str, bytes]:
    """The same table in every dialect."""
    numbers = np.random.default_rng(seed).normal(size=(rows, 8)).round(5)
    frame = pd.DataFrame({"time": np.arange(rows) / 100, **{f"f{i}": column for i, column in enumerate(numbers.T)}})
    plain = frame.to_csv(index=False)
    semicolons = plain.replace(",", ";").replace(".", ",").encode()
    return {
        _PLAIN: plain.encode(),
        "semicolons, decimal commas": semicolons,
        "tabs in UTF-16": plain.replace(",", "\t").encode("utf-16"),
        "blanks": plain.replace(",", "    ").encode(),
        "lines above, cp1252": b"Ger\xe4t 7\nStart 12:00\n" + semicolons,
        "comments and blank lines": plain.replace("\n10.0,", "\n# ten\n\n10.0,").encode(),
    }


def read(raw: bytes, name: str) -> None:
    """Read a table, plain CSV by the way that plain CSV takes."""
    if name == _PLAIN:
        parse_csv(raw, name)
    else:
        read_any(raw, name)


@click.command()
@click.option("--rows", default=1_000_000, show_default=True)
def main(rows: int) -> None:
    """Print the median of three turns for each dialect."""
    click.echo("| dialect | MB | seconds |\n|---|---|---|")
    for name, raw in dialects(rows).items():
        seconds = median(seconds_of(partial(read, raw, name)) for _ in range(_TURNS))
        click.echo(f"| {name} | {len(raw) / 1e6:.0f} | {seconds:.2f} |")


if __name__ == "__main__":
    main()
