"""Work on files of strangers in a process of its own: a library that crashes or never returns ends that one only.

The process starts with the first question, answers one after the other, and ends when nothing was asked for a while.
Bytes go in and come out; nothing is unpickled.
"""

from __future__ import annotations

import json
import multiprocessing
import signal
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Final

from steps.errors import UserError

Answer = Callable[[Sequence[bytes]], Sequence[bytes]]
_IDLE: Final = 10.0  # seconds
_START: Final = 60.0


class CrashedError(Exception):
    """The process ended, or did not answer in time."""


class Isolated:
    """A function of bytes that is called in a process of its own."""

    def __init__(self, answer: Answer) -> None:
        """Name the function.

        Args:
            answer: of a module, by its name; a `UserError` that it raises is raised here, too.
        """
        self._answer = answer
        self._lock = threading.Lock()
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None

    def __call__(self, parts: Sequence[bytes], seconds: float) -> list[bytes]:
        """What the function makes of ``parts``.

        Args:
            parts: what it is asked.
            seconds: how long it may take.

        Raises:
            UserError: the function raised it.
            CrashedError: the process ended, or took longer.
        """
        with self._lock:
            try:
                kind, *answer = self._asked(parts, seconds)
            except (EOFError, OSError):  # it may have ended because nobody had asked for a while
                self._end()
                try:
                    kind, *answer = self._asked(parts, seconds)
                except (EOFError, OSError) as error:
                    self._end()
                    raise CrashedError("it ends the library that reads it") from error
            if kind == b"error":
                raise UserError(answer[0].decode())
            return answer

    def _asked(self, parts: Sequence[bytes], seconds: float) -> list[bytes]:
        connection = self._started()
        _send(connection, parts)
        if not connection.poll(seconds):
            self._end()
            raise CrashedError(f"it takes more than {seconds:.0f} seconds")
        return _receive(connection)

    def _started(self) -> Connection:
        """The way to a process that listens."""
        if self._connection and self._process and self._process.is_alive() and not self._connection.poll(0):
            return self._connection
        self._end()
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, self._answer), daemon=True)
        self._process.start()
        there.close()
        self._connection = here
        if not here.poll(_START):
            self._end()
            raise CrashedError("no process could be started for it")
        here.recv_bytes()
        return here

    def _end(self) -> None:
        if self._process:
            self._process.kill()
            self._process.join()
        if self._connection:
            self._connection.close()
        self._process = self._connection = None


def _serve(connection: Connection, answer: Answer) -> None:
    """Answer until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asks is interrupted, and ends this
    connection.send_bytes(b"ready")
    while connection.poll(_IDLE):
        try:
            parts = _receive(connection)
        except EOFError:
            return
        try:
            result = [b"answer", *answer(parts)]
        except UserError as error:
            result = [b"error", str(error).encode("utf-8", "replace")]
        _send(connection, result)


def _send(connection: Connection, parts: Sequence[bytes]) -> None:
    connection.send_bytes(json.dumps(len(parts)).encode())
    for part in parts:
        connection.send_bytes(part)


def _receive(connection: Connection) -> list[bytes]:
    return [connection.recv_bytes() for _ in range(json.loads(connection.recv_bytes()))]
