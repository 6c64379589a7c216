"""A dataset that processes share: the same to the last bit, read-only, and in memory once."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from steps.core.data.artifact import read_artifact, write_artifact
from steps.core.data.dataset import Dataset
from steps.core.data.shared_memory import SHARED_FILE, open_shared, share
from steps.errors import UserError
from tests.conftest import ROOT
from tests.core.data.test_dataset import equal

READER = """
import sys
from pathlib import Path
from steps.core.data.shared_memory import open_shared
dataset = open_shared(Path(sys.argv[1]))
print(dataset.digest(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path, small_study: Dataset) -> Path:
    share(small_study, tmp_path / SHARED_FILE)
    return tmp_path / SHARED_FILE


def test_shared_is_what_was_saved_bit_for_bit(path: Path, small_study: Dataset) -> None:
    write_artifact(small_study, path.parent)
    loaded, shared = read_artifact(path.parent), open_shared(path)
    assert equal(shared, loaded)
    assert shared.digest() == loaded.digest()
    assert shared.values.tobytes() == loaded.values.tobytes()
    for name in ("values", "labels", "subjects", "trials", "is_control"):
        assert getattr(shared, name).dtype == getattr(loaded, name).dtype
    assert [entry.name for entry in path.parent.iterdir() if entry.name.startswith(".")] == []  # nothing half-written


def test_a_selection_can_be_shared(path: Path, small_study: Dataset) -> None:
    chosen = open_shared(path).of_subjects(small_study.subjects[[0, -1]].tolist())
    share(chosen, path)  # over the file that is still mapped
    assert equal(open_shared(path), small_study.of_subjects(small_study.subjects[[0, -1]].tolist()))


def test_nobody_can_change_what_all_see(path: Path) -> None:
    dataset = open_shared(path)
    for values in (dataset.values, dataset.of_subjects([str(dataset.subjects[0])]).values):
        with pytest.raises(ValueError, match="read-only"):
            values[0, 0, 0] = 0
        with pytest.raises(ValueError, match="WRITEABLE"):
            values.flags.writeable = True


def test_one_subject_of_it_is_not_copied(path: Path) -> None:
    dataset = open_shared(path)
    assert np.shares_memory(dataset.of_subjects([str(dataset.subjects[5])]).values, dataset.values)


@pytest.mark.parametrize("content", [None, b"", b"ARROW1\0\0 no"])
def test_what_is_no_shared_dataset_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "no.arrow").write_bytes(content)
    with pytest.raises(UserError, match=r"no\.arrow is not a shared dataset"):
        open_shared(tmp_path / "no.arrow")


def test_another_arrow_file_is_no_shared_dataset(path: Path) -> None:
    table = pa.table({"x": [1.0]})
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(UserError, match=r"trials\.arrow is not a shared dataset"):
        open_shared(path)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc/<pid>/smaps is Linux's")
def test_two_processes_hold_one_copy(tmp_path: Path, small_study: Dataset) -> None:
    path = tmp_path / SHARED_FILE
    times = 400  # some 7 MB
    copies = [np.char.add(small_study.trials, f"-{copy}") for copy in range(times)]
    large = replace(
        small_study,
        values=np.tile(small_study.values, (times, 1, 1)),
        labels=np.tile(small_study.labels, times),
        subjects=np.tile(small_study.subjects, times),
        trials=np.concatenate(copies),
        is_control=np.tile(small_study.is_control, times),
    )
    share(large, path)
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        for reader in readers:
            assert reader.stdout is not None
            assert reader.stdout.readline().strip() == large.digest()  # so each has read all of it
        costs = [_mapped(reader.pid, path) for reader in readers]
    finally:
        for reader in readers:
            reader.communicate()
    for cost in costs:
        assert cost["Rss"] * 1024 >= large.values.nbytes
        assert cost["Private_Clean"] + cost["Private_Dirty"] < 0.1 * cost["Rss"]
        assert cost["Pss"] < 0.6 * cost["Rss"]


def _mapped(pid: int, path: Path) -> dict[str, int]:
    """What a process holds of a mapped file, in KiB."""
    lines = iter(Path(f"/proc/{pid}/smaps").read_text().splitlines())
    cost = {"Rss": 0, "Pss": 0, "Private_Clean": 0, "Private_Dirty": 0}
    for line in lines:
        if line.endswith(str(path)):
            for entry in lines:
                name, value, *_ = entry.split()
                if name.rstrip(":") in cost:
                    cost[name.rstrip(":")] += int(value)
                if name == "VmFlags:":
                    break
    return cost
