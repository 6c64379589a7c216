"""What reading a study takes, from its files to the dataset: seconds and peak memory, for each kind of files.

    python -m benchmarks.readers                     # a million rows each, 1,000 C3D files, Excel with 100,000 rows
    python -m benchmarks.readers --against FOLDER    # by turns with another checkout

Every reading is a process of its own. Peak memory is that of the process; importing takes about 200 MB of it. ezc3d and
openpyxl write; where one of them, or a reader, is missing, the row is left out. Linux only.
"""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Final

import click
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from benchmarks.measure import ROOT, by_turns, python, run

_FEATURES: Final = 8
_SUBJECTS: Final = 20
_CODE: Final = """
import json, pathlib, re, sys, time
from steps.core.readers.load import load_source
def peak():
    # Not ru_maxrss, which a process has from the one that started it.
    return int(re.search(r"VmHWM:\\s*(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) / 1000
wall, cpu = time.perf_counter(), time.process_time()
dataset = load_source(sys.argv[1], timesteps=int(sys.argv[2]))
print(json.dumps({"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu, "peak_mb": peak(),
                  "digest": dataset.digest(), "dataset_mb": dataset.values.nbytes / 1e6}))
"""

Write = Callable[[pa.Table, Path], Path]


def study(rows: int, samples: int = 1000, seed: int = 0) -> pa.Table:
    """A long table of trials of so many samples, five decimals each."""
    trials = max(rows // samples, 2 * _SUBJECTS)
    number = np.repeat(np.arange(trials), samples)
    values = np.random.default_rng(seed).normal(size=(len(number), _FEATURES)).round(5)
    person = number % _SUBJECTS
    return pa.table(
        {
            "subject": pa.array([f"S{one:02d}" for one in range(_SUBJECTS)]).take(pa.array(person)),
            "label": pa.array(["calm", "fear"]).take(pa.array(person % 2)),
            "trial": pa.array([f"t{one:05d}" for one in range(trials)]).take(pa.array(number)),
            "time": np.tile(np.arange(samples) / 100, trials),
            **{f"f{i}": column for i, column in enumerate(values.T)},
        }
    )


def _csv(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pa.csv.write_csv(table, sink, pa.csv.WriteOptions(quoting_style="none"))
    return bytes(sink.getvalue())


def _text(change: Callable[[bytes], bytes], name: str) -> Write:
    def write(table: pa.Table, folder: Path) -> Path:
        (folder / name).write_bytes(change(_csv(table)))
        return folder / name

    return write


def _parquet(table: pa.Table, folder: Path) -> Path:
    pq.write_table(table, folder / "study.parquet")
    return folder / "study.parquet"


def _starts(table: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """First row of each trial."""
    return np.flatnonzero(table["time"].to_numpy() == 0)


def _rows_of_trials(table: pa.Table) -> dict[str, Any]:
    first = table.take(pa.array(_starts(table)))
    return {name: first[name] for name in ("subject", "label", "trial")}


def _nested(table: pa.Table, folder: Path) -> Path:
    names = ("time", *(f"f{i}" for i in range(_FEATURES)))
    ends = np.append(_starts(table), table.num_rows).astype(np.int32)
    cells = {name: pa.ListArray.from_arrays(ends, table[name].combine_chunks()) for name in names}
    return _parquet(pa.table({**_rows_of_trials(table), **cells}), folder)


def _wide(table: pa.Table, folder: Path) -> Path:
    trials = len(_starts(table))
    blocks = {name: table[f"f{i}"].to_numpy().reshape(trials, -1) for i, name in enumerate("abcdefgh"[:_FEATURES])}
    columns = {f"{name}_{i}": block[:, i] for name, block in blocks.items() for i in range(block.shape[1])}
    return _text(lambda raw: raw, "wide.csv")(pa.table({**_rows_of_trials(table), **columns}), folder)


def _files(table: pa.Table, folder: Path) -> Path:
    for start, end in pairwise([*_starts(table).tolist(), table.num_rows]):
        trial = table.slice(start, end - start)
        subject, label, name = (trial[key][0].as_py() for key in ("subject", "label", "trial"))
        path = folder / "participants" / subject / label / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_csv(trial.drop_columns(["subject", "label", "trial"])))
    return folder


def _c3d(_table: pa.Table, folder: Path, files: int = 1000, frames: int = 500) -> Path:
    """Files of 40 points and 16 analog channels, 5 s each."""
    import ezc3d

    random = np.random.default_rng(0)
    for number in range(files):
        made = ezc3d.c3d()
        made["parameters"]["POINT"]["RATE"]["value"] = [100]
        made["parameters"]["POINT"]["LABELS"]["value"] = [f"P{i:02d}" for i in range(40)]
        made["parameters"]["ANALOG"]["RATE"]["value"] = [1000]
        made["parameters"]["ANALOG"]["LABELS"]["value"] = [f"A{i:02d}" for i in range(16)]
        made["data"]["points"] = np.cumsum(random.normal(size=(4, 40, frames)), axis=2) + 500
        made["data"]["analogs"] = np.cumsum(random.normal(size=(1, 16, 10 * frames)), axis=2)
        person = number % _SUBJECTS
        path = folder / "participants" / f"S{person:02d}" / ("fear" if person % 2 else "calm") / f"t{number:04d}.c3d"
        path.parent.mkdir(parents=True, exist_ok=True)
        made.write(str(path))
    return folder


def _excel(table: pa.Table, folder: Path) -> Path:
    import openpyxl  # type: ignore[import-untyped]
    import python_calamine  # noqa: F401, reads it

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("study")
    sheet.append(table.column_names)
    some = table.slice(0, min(table.num_rows, 100_000))
    for row in zip(*(column.to_pylist() for column in some.columns), strict=True):
        sheet.append(row)
    book.save(folder / "study.xlsx")
    return folder / "study.xlsx"


KINDS: Final[Mapping[str, Write]] = {
    "plain CSV": _text(lambda raw: raw, "study.csv"),
    "semicolons, decimal commas": _text(lambda raw: raw.replace(b",", b";").replace(b".", b","), "study.csv"),
    "tabs": _text(lambda raw: raw.replace(b",", b"\t"), "study.tsv"),
    "UTF-16": _text(lambda raw: raw.decode().encode("utf-16"), "study.csv"),
    "gz": _text(lambda raw: gzip.compress(raw, 1), "study.csv.gz"),
    "wide CSV": _wide,
    "Parquet": _parquet,
    "nested Parquet": _nested,
    "a CSV file for each trial": _files,
    "1,000 C3D files": _c3d,
    "Excel, 100,000 rows": _excel,
}


@click.command()
@click.option("--rows", default=1_000_000, show_default=True)
@click.option("--samples", default=1000, show_default=True, help="of each trial")
@click.option("--timesteps", default=0, show_default=True, help="as the parameter")
@click.option("--turns", default=3, show_default=True)
@click.option("--against", type=click.Path(exists=True, file_okay=False), help="another checkout, by turns")
@click.option("--only", default="", help="kinds whose names begin so")
def main(rows: int, samples: int, timesteps: int, turns: int, against: str | None, only: str) -> None:
    """Print the median seconds and the largest peak for each kind of files."""
    sides = {"this": ROOT, **({"other": Path(against).resolve()} if against else {})}
    table = study(rows, samples)
    click.echo("| files | MB | " + " | ".join(f"{side}: s | CPU s | peak MB" for side in sides) + " |")
    click.echo("|---" * (2 + 3 * len(sides)) + "|")
    for kind, write in KINDS.items():
        if not kind.startswith(only):
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                path = write(table, Path(folder))
            except ImportError:
                continue
            files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
            size = sum(one.stat().st_size for one in files) / 1e6
            click.echo(f"| {kind} | {size:,.0f} | {' | '.join(_measured(path, sides, turns, timesteps))} |")


def _measured(path: Path, sides: Mapping[str, Path], turns: int, timesteps: int) -> list[str]:
    def read(root: Path) -> Callable[[int], dict[str, Any]]:
        command = python("-c", _CODE, str(path), str(timesteps))
        return lambda _turn: json.loads(run(command, root, {"PYTHONPATH": str(root)}).output)

    results = by_turns({name: read(root) for name, root in sides.items()}, turns)
    digests = {one["digest"] for some in results.values() for one in some}
    if len(digests) > 1:
        raise click.ClickException(f"{path}: the sides read different datasets")
    return [
        f"{median(one['wall_s'] for one in some):.2f} | {median(one['cpu_s'] for one in some):.2f} | "
        f"{max(one['peak_mb'] for one in some):.0f}"
        for some in results.values()
    ]


if __name__ == "__main__":
    main()
