"""The writing thread: order, errors, and that what waits cannot grow for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

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


def test_nothing_is_written_while_others_want_the_core_until_it_has_waited_too_long() -> None:
    writer = Writer("test", longest_wait_s=0.2)
    writer.give_way_while(lambda: True)
    before = time.monotonic()
    first, second = writer.submit(time.monotonic), writer.submit(time.monotonic)
    assert first.result(timeout=10) - before >= 0.2
    assert first.result() <= second.result(timeout=10)
    writer.close()


def test_it_is_written_as_soon_as_nobody_wants_the_core() -> None:
    wanted = threading.Event()
    wanted.set()
    writer = Writer("test", longest_wait_s=100.0)
    writer.give_way_while(wanted.is_set)
    before = time.monotonic()
    write = writer.submit(time.monotonic)
    time.sleep(0.2)
    assert not write.done()
    wanted.clear()
    assert write.result(timeout=10) - before < 10
    wanted.set()
    last = writer.submit(time.monotonic)
    writer.close()
    assert last.done(), "whoever closes does not wait"


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
