"""How many processes a machine bears."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from steps.system import capacity
from steps.system.capacity import worker_count

GIB = 2**30


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Eight cores, 10 GiB to spare, no container."""
    monkeypatch.setattr(capacity, "usable_cores", lambda: 8)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=10 * GIB))
    monkeypatch.setattr(capacity, "_spare_in_cgroups", lambda: iter(()))
    return monkeypatch


@pytest.mark.parametrize(
    ("jobs", "process_mib", "expected"),
    [
        (100, 0, 8),  # by cores
        (100, 900, 8),
        (100, 1024, 8),
        (100, 2048, 4),  # 8 of 10 GiB are given away
        (100, 5000, 1),
        (100, 50_000, 1),  # never none
        (3, 100, 3),  # by jobs
        (0, 100, 1),
    ],
)
def test_auto_is_what_cores_and_memory_allow(
    machine: pytest.MonkeyPatch, jobs: int, process_mib: float, expected: int
) -> None:
    assert worker_count(None, jobs, process_mib) == expected


def test_a_number_is_taken_at_its_word(machine: pytest.MonkeyPatch) -> None:
    assert worker_count(7, 100, 5000) == 7
    assert worker_count(70, 100) == 70
    assert worker_count(7, 3) == 3


def cgroup(folder: Path, names: tuple[str, str, str], limit: str, used: int, cache: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in zip((*names[:2], "memory.stat"), (limit, used, f"anon 1\n{names[2]} {cache}\n"), strict=True):
        (folder / name).write_text(f"{content}\n")


V2 = ("memory.max", "memory.current", "inactive_file")
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


@pytest.mark.parametrize(
    ("own", "root", "names"),
    [("0::/job/step\n", "", V2), ("7:cpu:/\n4:memory:/job/step\n", "memory", V1)],
)
def test_the_tightest_cgroup_counts(
    machine: pytest.MonkeyPatch, tmp_path: Path, own: str, root: str, names: tuple[str, str, str]
) -> None:
    machine.undo()
    machine.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=10 * GIB))
    (tmp_path / "self").write_text(own)
    machine.setattr(capacity, "_OWN_CGROUPS", tmp_path / "self")
    machine.setattr(capacity, "_CGROUPS", tmp_path)
    limitless = "max" if names == V2 else str(2**63 - 4096)
    cgroup(tmp_path / root / "job" / "step", names, limitless, 1, 0)
    assert capacity.available_mib() == 10 * 1024
    cgroup(tmp_path / root / "job", names, str(4 * GIB), 3 * GIB, GIB // 2)
    assert capacity.available_mib() == 1.5 * 1024


def test_this_machine_has_something_to_spare() -> None:
    assert capacity.available_mib() > 0
    assert capacity.usable_cores() >= 1
