"""Work in a process of its own: what crashes or hangs there is an exception here, and the next question is answered."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import pytest

from steps.errors import UserError
from steps.system.isolated import CrashedError, Isolated


def _answer(parts: Sequence[bytes]) -> list[bytes]:
    if parts[0] == b"crash":
        os.abort()
    if parts[0] == b"hang":
        time.sleep(60)
    if parts[0] == b"wrong":
        raise UserError("it is wrong – größtenteils")
    if parts[0] == b"who":
        return [str(os.getpid()).encode()]
    return [part[::-1] for part in parts]


def test_answers_errors_and_crashes() -> None:
    ask = Isolated(_answer)
    assert ask([b"abc", b"", b"x" * 300_000], 30) == [b"cba", b"", b"x" * 300_000]
    (first,) = ask([b"who"], 30)
    assert int(first) != os.getpid()
    with pytest.raises(UserError, match="it is wrong – größtenteils"):
        ask([b"wrong"], 30)
    assert ask([b"who"], 30) == [first]  # an error ends nothing
    with pytest.raises(CrashedError, match="it ends the library that reads it"):
        ask([b"crash"], 30)
    start = time.perf_counter()
    with pytest.raises(CrashedError, match="it takes more than 1 seconds"):
        ask([b"hang"], 1)
    assert time.perf_counter() - start < 30
    (second,) = ask([b"who"], 30)
    assert second != first


def test_a_process_that_ended_on_its_own_is_started_again() -> None:
    ask = Isolated(_answer)
    (first,) = ask([b"who"], 30)
    os.kill(int(first), 9)
    (second,) = ask([b"who"], 30)
    assert second != first
