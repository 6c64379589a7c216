"""The pool of processes of this machine."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from steps.compute import Compute, Pool, open_pool
from steps.errors import UserError
from steps.system.scratch import temporary_files
from tests.compute import work
from tests.conftest import ROOT

JOB = work.Job(3)


@pytest.fixture(scope="module")
def events() -> list[str]:
    return []


@pytest.fixture(scope="module")
def pool(events: list[str]) -> Iterator[Pool]:
    with open_pool(Compute(workers=2), jobs=100, on_event=events.append) as pool:
        yield pool


def test_every_item_comes_back_with_its_result(pool: Pool) -> None:
    results = dict(pool.each(partial(work.times, JOB), range(40)))
    assert results == {number: 3 * number for number in range(40)}


def test_no_more_is_taken_than_the_workers_need(pool: Pool) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    results = pool.each(partial(work.times, JOB), items())
    next(results)
    assert len(taken) <= 8 * pool.workers


def test_tasks_are_handed_out_one_by_one_too(pool: Pool) -> None:
    tasks = [pool.submit(work.times, JOB, number) for number in range(5)]
    assert [task.result() for task in tasks] == [0, 3, 6, 9, 12]


def test_a_process_makes_a_job_ready_once(pool: Pool) -> None:
    tasks = [pool.submit(work.made_at, JOB) for _ in range(20)]
    by_process = dict[int, set[float]]()
    for task in tasks:
        process, at = task.result()
        by_process.setdefault(process, set()).add(at)
    assert 1 <= len(by_process) <= 2
    assert {len(times) for times in by_process.values()} == {1}
    assert pool.submit(work.made_at, work.Job(4)).result()[1] not in set.union(*by_process.values())


def test_processes_leave_interrupts_to_their_parent(pool: Pool) -> None:
    assert pool.submit(work.ignores_interrupts).result()


def test_an_error_of_the_user_comes_back_as_it_was_raised(pool: Pool) -> None:
    with pytest.raises(UserError, match=r"^file x\.csv: found 3, expected 4$"):
        pool.submit(work.refuse, 1).result()


def test_events_arrive_in_order_per_item() -> None:
    events: list[str] = []
    with open_pool(Compute(workers=1), jobs=3, on_event=events.append) as pool:
        assert dict(pool.each(partial(work.times, JOB), [1, 2])) == {1: 3, 2: 6}
    assert events == ["1 begun", "1 done", "2 begun", "2 done"]


def test_without_a_listener_reports_go_nowhere() -> None:
    with open_pool(Compute(workers=1), jobs=1) as pool:
        assert pool.submit(work.times, JOB, 2).result() == 6
        assert (pool.workers, pool.where) == (1, "1 process")


def test_after_an_error_nothing_more_begins(tmp_path: Path) -> None:
    def run() -> None:
        with open_pool(Compute(workers=1), jobs=50) as pool:
            for _ in pool.each(partial(work.refuse_first, tmp_path), range(50)):
                pass

    with pytest.raises(ValueError, match="the first is broken"):
        run()
    assert len(list(tmp_path.iterdir())) <= 4


def test_a_killed_process_is_one_clear_line() -> None:
    def run() -> None:
        with open_pool(Compute(workers=1), jobs=50) as pool:
            list(pool.each(work.kill_itself, range(2)))

    with pytest.raises(UserError, match="a worker process was killed; with workers=1 the machine may have run out"):
        run()


def test_what_was_handed_out_is_done_when_no_more_will_come() -> None:
    with open_pool(Compute(workers=2), jobs=6) as pool:
        tasks = [pool.submit(work.times, JOB, number) for number in range(6)]
        pool.no_more()
        assert [task.result() for task in tasks] == [0, 3, 6, 9, 12, 15]
        with pytest.raises(RuntimeError, match="after shutdown"):
            pool.submit(work.times, JOB, 7)


@pytest.mark.skipif(sys.platform != "linux", reason="processes cannot be forked here")
def test_warm_processes_have_tensorflow_wherever_the_command_was_typed(tmp_path: Path) -> None:
    script = tmp_path / "warm.py"
    script.write_text(
        f"""
import json, os, sys
sys.path.insert(0, {str(ROOT)!r})
from steps.compute import Compute, open_pool, warm_up
from tests.compute import work
if __name__ == "__main__":
    warm_up(Compute())
    with open_pool(Compute(workers=1), jobs=1) as pool:
        print(json.dumps([pool.submit(work.has_keras).result(), "PYTHONPATH" in os.environ]))
"""
    )
    done = subprocess.run([sys.executable, "-P", script], cwd=tmp_path, check=True, capture_output=True, text=True)
    has_keras, changed = json.loads(done.stdout)
    assert has_keras
    assert not changed


def test_temporary_files_of_a_second_command_go_to_its_own_folder() -> None:
    """The fork server of the first goes on, and remembers a folder that is gone."""
    for _ in range(2):
        with temporary_files(), open_pool(Compute(workers=1), jobs=1) as pool:
            made = pool.submit(work.temporary_file).result()
            assert made.is_file()
            assert made.parent == Path(tempfile.gettempdir())


def test_work_may_be_called_without_a_pool() -> None:
    assert work.times(JOB, 7) == 21
