"""The writing thread: order, errors, and that what waits cannot grow for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from steps.tracking.writer import Writer


def test_everything_is_done_once_and_in_order() -> None:
    done: list[int] = []

    def note(number: int) -> Callable[[], None]:
        return lambda: done.append(number)

    writer = Writer("test", most_waiting=3)
    for number in range(500):
        writer.submit(note(number))
    writer.close()
    assert done == list(range(500))


def test_what_waits_cannot_grow_for_ever() -> None:
    may_go_on, done = threading.Event(), list[str]()
    writer = Writer("test", most_waiting=2)
    writer.submit(may_go_on.wait)
    with ThreadPoolExecutor() as others:
        submitted = [others.submit(writer.submit, lambda name=name: done.append(name)) for name in "abcdef"]  # type: ignore[misc]
        wait(submitted, timeout=0.5)
        assert sum(one.done() for one in submitted) <= 2, "the others wait: there are two places, one of them taken"
        may_go_on.set()
    writer.close()
    assert sorted(done) == list("abcdef")


def test_a_failed_write_is_told_to_whoever_flushes_and_the_others_are_done() -> None:
    done: list[str] = []
    writer = Writer("test")

    def fail() -> None:
        raise OSError("No space left on device")

    writer.submit(fail)
    writer.submit(lambda: done.append("next"))
    with pytest.raises(OSError, match="No space left"):
        writer.flush()
    assert done == ["next"]
    writer.flush()
    writer.submit(fail)
    with pytest.raises(OSError, match="No space left"):
        writer.close()
    assert not any(thread.name.startswith("test") and thread.is_alive() for thread in threading.enumerate())
