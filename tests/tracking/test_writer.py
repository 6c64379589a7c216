"""The writing thread: order, errors, and that what waits cannot grow for ever."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

import pytest

from steps.tracking import writer as writer_module
from steps.tracking.writer import Writer


@pytest.fixture
def starved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers whose thread never gets a core."""
    monkeypatch.setattr(threading.Thread, "start", lambda _thread: None)


def test_everything_is_done_once_and_in_order() -> None:
    done: list[int] = []

    def note(number: int) -> Callable[[], None]:
        return lambda: done.append(number)

    writer = Writer("test", most_waiting=3)
    for number in range(500):
        writer.submit(note(number))
    writer.close()
    assert done == list(range(500))


def test_what_has_waited_too_long_is_done_though_the_thread_gets_no_core(monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()
    monkeypatch.setattr(writer_module, "give_way", never.wait)  # where the thread begins
    writer = Writer("test", longest_wait_s=0.2)
    before = time.monotonic()
    first, second = writer.submit(time.monotonic), writer.submit(time.monotonic)
    assert first.result(timeout=10) - before >= 0.2
    assert first.result() <= second.result(timeout=10)
    never.set()
    writer.close()


@pytest.mark.usefixtures("starved")
def test_what_waits_cannot_grow_for_ever() -> None:
    done: list[str] = []
    writer = Writer("test", most_waiting=2)
    for name in ("first", "second"):
        writer.submit(lambda name=name: done.append(name))  # type: ignore[misc]
    assert done == [], "whoever submits does not wait"
    writer.submit(lambda: done.append("third"))
    assert done == ["first"], "until too much is waiting"
    writer.flush()
    assert done == ["first", "second", "third"]


def test_a_failed_write_is_told_to_whoever_flushes_and_the_others_are_done() -> None:
    done: list[str] = []
    writer = Writer("test")

    def fail() -> None:
        raise OSError("No space left on device")

    writer.submit(fail)
    writer.submit(lambda: done.append("next"))
    with pytest.raises(OSError, match="No space left"):
        writer.flush()
    writer.flush()
    assert done == ["next"]
    writer.submit(fail)
    with pytest.raises(OSError, match="No space left"):
        writer.close()
    assert not any(thread.name == "test" and thread.is_alive() for thread in threading.enumerate())


@pytest.mark.usefixtures("starved")
def test_an_interrupt_while_helping_is_not_swallowed() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Writer("test", most_waiting=0).submit(interrupt)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities for threads")
def test_the_thread_gives_way_and_the_process_does_not() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    writer = Writer("test")
    priority = writer.submit(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())).result()
    writer.close()
    assert priority > before
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
