"""Nobody waits longer than he said."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar

import pytest

from steps.system.deadline import Line, line_to, within


def test_what_ends_in_time_is_handed_on() -> None:
    assert within(30, lambda: 7) == 7
    with pytest.raises(KeyError, match="gone"):
        within(30, raising(KeyError("gone")))
    with pytest.raises(TimeoutError, match="its own"):
        Line().within(30, raising(TimeoutError("its own")))


def raising(error: Exception) -> Callable[[], None]:
    def action() -> None:
        raise error

    return action


def test_the_caller_does_not_wait_for_what_takes_longer() -> None:
    over = threading.Event()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.2 s"):
        within(0.2, over.wait)
    over.set()


def test_a_call_sees_the_context_of_its_caller() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="")
    variable.set("here")
    assert within(30, variable.get) == "here"


def test_after_one_that_hangs_nothing_is_asked_until_it_has_ended() -> None:
    over, ended = threading.Event(), threading.Event()
    line = Line()

    def hang() -> None:
        over.wait()
        ended.set()

    with pytest.raises(TimeoutError, match="no answer within"):
        line.within(0.1, hang)
    with pytest.raises(TimeoutError, match="has not answered an earlier call yet"):
        line.within(30, lambda: 7)
    assert Line().within(30, lambda: 7) == 7, "another server is another matter"
    over.set()
    assert ended.wait(30)
    for _ in range(100):  # until its thread has ended, too
        try:
            assert line.within(30, lambda: 7) == 7
            break
        except TimeoutError:
            threading.Event().wait(0.05)
    else:
        pytest.fail("it never asked again")


def test_what_hangs_for_long_does_not_block_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    over, line = threading.Event(), Line()
    with pytest.raises(TimeoutError):
        line.within(0.1, over.wait)
    monkeypatch.setattr("steps.system.deadline._BLOCKS_S", 0.0)
    assert line.within(30, lambda: 7) == 7
    over.set()


def test_all_calls_of_a_process_to_a_server_share_one_line() -> None:
    assert line_to("http://one") is line_to("http://one") is not line_to("http://other")
