"""Dataset artifacts of strangers: what would fill the memory or never end is refused before it does."""

from __future__ import annotations

import json
import os
import resource
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from steps.core.data.artifact import read_artifact, write_artifact
from steps.core.data.dataset import Dataset
from steps.errors import UserError
from steps.system import untrusted_files


@pytest.fixture
def artifact(small_study: Dataset, tmp_path: Path) -> Path:
    """A dataset artifact to spoil."""
    write_artifact(small_study, tmp_path)
    return tmp_path


def _refused(artifact: Path, *expected: str) -> None:
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError) as caught:
        read_artifact(artifact)
    for part in expected:
        assert part in str(caught.value)
    assert len(str(caught.value)) < 600
    assert time.perf_counter() - started < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # KiB


@pytest.mark.parametrize("name", ["trials.parquet", "dataset.json"])
def test_pipes_and_devices_are_not_opened(name: str, artifact: Path) -> None:
    (artifact / name).unlink()
    os.mkfifo(artifact / name)
    _refused(artifact, f"holds no {name}; prepare it again")
    (artifact / name).unlink()
    (artifact / name).symlink_to("/dev/zero")
    _refused(artifact, f"holds no {name}")


def test_a_manifest_without_end(artifact: Path) -> None:
    with (artifact / "dataset.json").open("r+b") as file:
        file.truncate(1 << 43)
    _refused(artifact, "dataset.json has 8.796 TB and takes about", "are free")


def test_values_that_would_fill_the_memory(artifact: Path) -> None:
    rows = 1 << 23
    manifest = json.loads((artifact / "dataset.json").read_text())
    table = pq.read_table(artifact / "trials.parquet")
    ones = pa.DictionaryArray.from_arrays(np.zeros(rows, dtype=np.int32), pa.array(["a"]))
    zero = pa.DictionaryArray.from_arrays(np.zeros(rows, dtype=np.int32), pa.array([0.0]))
    columns = [ones if name in ("subject", "trial", "group") else zero for name in table.column_names]
    endless = pa.table(columns, names=table.column_names)
    options = {"data_page_size": 1 << 30, "max_rows_per_page": 1 << 30, "row_group_size": rows, "store_schema": False}
    pq.write_table(endless, artifact / "trials.parquet", compression="zstd", **options)
    assert (artifact / "trials.parquet").stat().st_size < 10_000
    manifest |= {"trials": rows // manifest["timesteps"]}
    (artifact / "dataset.json").write_text(json.dumps(manifest))
    _refused(artifact, "unpacks to 738.2 MB (8,388,608 rows), which no recordings do", "save it again")


def test_more_than_memory_holds(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untrusted_files, "_SMALL", 1000)
    needed = read_artifact(artifact).values.nbytes
    monkeypatch.setattr(untrusted_files, "available_mib", lambda: 4 * needed / 2**20)
    read_artifact(artifact)
    monkeypatch.setattr(untrusted_files, "available_mib", lambda: 0.5 * needed / 2**20)
    _refused(artifact, "of memory, but", "are free; expected less")


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.string(), pa.binary(4)])
def test_columns_that_are_no_numbers(kind: pa.DataType, artifact: Path) -> None:
    table = pq.read_table(artifact / "trials.parquet")
    value = {"list<element: float>": [1.0], "list<item: float>": [1.0], "string": "a"}.get(str(kind), b"abcd")
    column = pa.array([value] * table.num_rows, kind)
    pq.write_table(table.set_column(5, table.column_names[5], column), artifact / "trials.parquet")
    _refused(artifact, f"column '{table.column_names[5]}' is of type", "expected numbers; prepare it again")


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_damaged_artifacts_are_one_line(compression: str, artifact: Path) -> None:
    table = pq.read_table(artifact / "trials.parquet")
    pq.write_table(table, artifact / "trials.parquet", compression=compression)
    files = {name: (artifact / name).read_bytes() for name in ("trials.parquet", "dataset.json")}
    rng = np.random.default_rng(0)
    said = []
    for i in range(150):
        name = ("trials.parquet", "dataset.json")[i % 2]
        damaged = bytearray(files[name])
        for place in rng.integers(0, len(damaged), rng.integers(1, 10)):
            damaged[place] = rng.integers(0, 256)
        if i % 3 == 0:  # where the numbers are that say how large everything is
            damaged[-rng.integers(9, 1000)] ^= 1 << rng.integers(0, 8)
        (artifact / name).write_bytes(bytes(damaged[: rng.integers(1, len(damaged))] if i % 7 == 0 else damaged))
        try:
            read_artifact(artifact)
        except UserError as error:
            said.append(str(error))
        (artifact / name).write_bytes(files[name])
    assert len(said) > 100
    assert not [line for line in said if "\n" in line or len(line) > 700]
