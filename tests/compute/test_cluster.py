"""The pool on a Dask cluster: a real scheduler, real workers, on loopback."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import dask.config
import pytest
from distributed.security import Security

from steps.compute import Compute, Pool, open_pool, remote, shipping
from steps.errors import UserError
from tests.clusters import Cluster, cluster
from tests.compute import work
from tests.conftest import ROOT

JOB = work.Job(5)


@pytest.fixture(scope="module")
def pool(dask_cluster: Cluster) -> Iterator[Pool]:
    with open_pool(Compute(dask_cluster.address), jobs=100) as pool:
        yield pool


def test_every_item_comes_back_with_its_result(pool: Pool, dask_cluster: Cluster) -> None:
    assert (pool.workers, pool.where) == (2, f"2 workers of {dask_cluster.address}")
    assert dict(pool.each(partial(work.times, JOB), range(60))) == {number: 5 * number for number in range(60)}


def test_tasks_are_handed_out_one_by_one_too(pool: Pool) -> None:
    tasks = [pool.submit(work.times, JOB, number) for number in range(5)]
    assert [task.result() for task in tasks] == [0, 5, 10, 15, 20]


def test_a_worker_makes_a_job_ready_once(pool: Pool) -> None:
    makers = {task.result() for task in [pool.submit(work.made_at, JOB) for _ in range(20)]}
    assert 1 <= len(makers) <= 2
    assert len({process for process, _ in makers}) == len(makers)


def test_events_arrive_in_order_at_the_pool_they_are_for(pool: Pool, dask_cluster: Cluster) -> None:
    events: list[str] = []
    with open_pool(Compute(dask_cluster.address, 1), jobs=3, on_event=events.append) as listening:
        pool.submit(work.times, JOB, 9).result()
        assert dict(listening.each(partial(work.times, JOB), [1, 2])) == {1: 5, 2: 10}
    assert events == ["1 begun", "1 done", "2 begun", "2 done"]


def test_an_error_of_the_user_comes_back_as_it_was_raised(pool: Pool) -> None:
    with pytest.raises(UserError, match=r"^file x\.csv: found 3, expected 4$"):
        pool.submit(work.refuse, 1).result()


def test_other_versions_are_named(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = remote.versions()
    monkeypatch.setattr(remote, "versions", lambda: {**versions, "numpy": "1.2.3"})
    with pytest.raises(UserError, match=rf"has numpy {versions['numpy']}, expected numpy 1\.2\.3 as on this side"):
        pool.submit(work.times, JOB, 1).result()


def test_another_interpreter_is_refused_before_anything_runs(
    dask_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = remote.versions()
    monkeypatch.setattr(remote, "versions", lambda: {**versions, "python": "2.7.18"})
    expected = rf"^worker tcp://127.0.0.1:\d+ has python {versions['python']}, expected 2\.7\.18 as on this side"
    with pytest.raises(UserError, match=expected), open_pool(Compute(dask_cluster.address), jobs=1):
        pass


def test_work_that_was_given_up_stops(dask_cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "lines"

    def run() -> None:
        with open_pool(Compute(dask_cluster.address), jobs=1) as pool:
            pool.submit(work.report_for_ever, file)
            while not file.exists():
                time.sleep(0.05)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    time.sleep(1)
    lines = file.read_text()
    time.sleep(0.5)
    assert file.read_text() == lines


@pytest.fixture(scope="module")
def threaded_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster whose one worker has four threads."""
    with cluster(tmp_path_factory.mktemp("threaded")) as made:
        made.add_worker("--no-nanny", "--nthreads", "4")
        yield made


def test_a_worker_with_threads_does_one_thing_at_a_time(threaded_cluster: Cluster) -> None:
    with open_pool(Compute(threaded_cluster.address), jobs=20) as pool:
        spans = sorted(result for _, result in pool.each(work.process_and_times, range(20)))
    assert len({process for process, _, _ in spans}) == 1
    assert all(ended <= begun for (_, _, ended), (_, begun, _) in pairwise(spans))


def test_work_runs_with_the_code_of_its_driver(
    threaded_cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "steps", tmp_path / "steps", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "conda.yaml", tmp_path)
    (tmp_path / "steps" / "errors.py").write_text((ROOT / "steps" / "errors.py").read_text() + "\nNEWER = True\n")
    is_newer = "hasattr(__import__('steps.errors').errors, 'NEWER')"
    with open_pool(Compute(threaded_cluster.address), jobs=1) as older:
        monkeypatch.setattr(shipping, "ROOT", tmp_path)
        with open_pool(Compute(threaded_cluster.address), jobs=1) as newer:
            for _ in range(3):
                assert newer.submit(eval, is_newer).result()
                assert not older.submit(eval, is_newer).result()


@pytest.fixture
def small_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster of two workers that a test may harm."""
    (tmp_path / "cluster").mkdir()
    with cluster(tmp_path / "cluster", workers=2) as made:
        yield made


def test_a_killed_worker_costs_the_item_it_was_at_and_a_lost_scheduler_is_one_clear_line(
    small_cluster: Cluster, tmp_path: Path
) -> None:
    tries = tmp_path / "tries"
    tries.mkdir()
    with open_pool(Compute(small_cluster.address), jobs=40) as pool:
        done = [number for number, _ in pool.each(partial(work.kill_first_time, tries), range(40))]
    assert sorted(done) == list(range(40))
    assert sorted(path.name for path in tries.iterdir()) == sorted(["3-1", *(f"{number}-0" for number in range(40))])

    def run() -> None:
        with open_pool(Compute(small_cluster.address), jobs=2) as pool:
            threading.Timer(1, lambda: os.kill(small_cluster.scheduler.pid, signal.SIGKILL)).start()
            list(pool.each(time.sleep, [0.1, 60]))

    started = time.monotonic()
    with pytest.raises(
        UserError, match=rf"^the cluster at {small_cluster.address} was lost .*run the same command again"
    ):
        run()
    assert time.monotonic() - started < 15
    with pytest.raises(UserError, match=f"^no Dask scheduler answers at {small_cluster.address}"):
        run()


def test_a_cluster_without_workers_is_waited_for_but_not_for_ever(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with cluster(tmp_path) as made:

        def run() -> dict[int, int]:
            with open_pool(Compute(made.address), jobs=1) as pool:
                assert (pool.workers, pool.where) == (0, f"the workers to come of {made.address}")
                results = dict(pool.each(partial(work.times, JOB), [2]))
                assert pool.workers == 1
                return results

        with (
            dask.config.set({"fear.wait-for-workers": "1s"}),
            pytest.raises(UserError, match="has had no workers for 1 s"),
        ):
            run()
        assert f"the cluster at {made.address} has no workers; waiting for some, 1 s at most" in capsys.readouterr().err
        threading.Timer(1, made.add_worker).start()
        assert run() == {2: 10}
        assert "waiting for some, 600 s at most" in capsys.readouterr().err


def test_workers_whose_memory_is_full_are_waited_for_but_not_for_ever(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Dask pauses a worker at 80% of its limit; any process takes more than a ten-thousandth.
    low = {f"DASK_DISTRIBUTED__WORKER__MEMORY__{name}": "false" for name in ("TARGET", "SPILL", "TERMINATE")}
    with cluster(tmp_path) as made:
        made.add_worker("--no-nanny", "--nthreads", "1", DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE="0.0001", **low)
        made.wait_until_paused()

        def run() -> dict[int, int]:
            with open_pool(Compute(made.address), jobs=1) as pool:
                return dict(pool.each(partial(work.times, JOB), [2]))

        with (
            dask.config.set({"fear.wait-for-workers": "1s"}),
            pytest.raises(UserError, match=r"^the workers of .* for 1 s, as their memory \(1 of .* --memory-limit$"),
        ):
            run()
        said = capsys.readouterr().err
        assert f"the cluster at {made.address} takes no work: its workers' memory (1 of " in said
        assert "is nearly full; waiting, 1 s at most" in said
        threading.Timer(1, made.add_worker).start()
        assert run() == {2: 10}


@pytest.mark.parametrize(
    "status", [pytest.param(status, marks=pytest.mark.slow) for status in ("paused", "closing_gracefully")]
)
def test_what_a_worker_has_begun_it_finishes_though_it_is_given_no_more(tmp_path: Path, status: str) -> None:
    with cluster(tmp_path) as made, dask.config.set({"fear.wait-for-workers": "1s"}):
        made.add_worker("--no-nanny", "--nthreads", "1", DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE="false")
        made.wait_for_workers(1)
        with open_pool(Compute(made.address), jobs=1) as pool:
            assert list(pool.each(partial(work.go_on_as, status), [5])) == [(5, 5)]


@pytest.mark.slow
def test_workers_that_go_are_no_longer_said_to_be_full(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with cluster(tmp_path) as made, dask.config.set({"fear.wait-for-workers": "5s"}):
        worker = made.add_worker("--no-nanny", "--nthreads", "1", DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE="0.0001")
        made.wait_until_paused()
        threading.Timer(3, worker.kill).start()
        started = time.monotonic()
        with (
            open_pool(Compute(made.address), jobs=1) as pool,
            pytest.raises(UserError, match="has had no workers for 5 s"),
        ):
            list(pool.each(partial(work.times, JOB), [2]))
        assert time.monotonic() - started > 3 + 5
    assert capsys.readouterr().err.count("waiting") == 2


@pytest.mark.slow
def test_tls_keeps_everybody_else_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = Security.temporary()
    for name in ("ca_file", "client_cert", "client_key"):
        (tmp_path / name).write_text(getattr(credentials, f"tls_{name}"))
    settings = {
        "ca-file": str(tmp_path / "ca_file"),
        **{
            f"{role}.{part}": str(tmp_path / f"client_{part}")
            for role in ("scheduler", "worker", "client")
            for part in ("cert", "key")
        },
    }
    names = {key: key.upper().replace("-", "_").replace(".", "__") for key in settings}
    for key, value in settings.items():  # as the documentation has it
        monkeypatch.setenv(f"DASK_DISTRIBUTED__COMM__TLS__{names[key]}", value)
    with cluster(tmp_path, workers=0, protocol="tls") as made:
        assert made.address.startswith("tls://")
        made.add_worker()
        nobody = "^no Dask scheduler answers at"
        with pytest.raises(UserError, match=rf"{nobody} tls://.*TLS"), open_pool(Compute(made.address), jobs=1):
            pass
        plain = made.address.replace("tls", "tcp")
        with pytest.raises(UserError, match=rf"{nobody} tcp://"), open_pool(Compute(plain), jobs=1):
            pass
        dask.config.refresh()
        try:
            with open_pool(Compute(made.address), jobs=1) as pool:
                assert dict(pool.each(partial(work.times, JOB), [2])) == {2: 10}
        finally:
            monkeypatch.undo()
            dask.config.refresh()


def test_a_scheduler_that_stands_still_is_noticed(small_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steps.compute.cluster._ANSWER_S", 2)

    def run() -> None:
        with open_pool(Compute(small_cluster.address), jobs=1) as pool:
            os.kill(small_cluster.scheduler.pid, signal.SIGSTOP)
            pool.submit(time.sleep, 60).result()

    started = time.monotonic()
    with pytest.raises(UserError, match=r"was lost \(its scheduler does not answer"):
        run()
    assert time.monotonic() - started < 20
