"""Copying a spool to its server while a step works, and saying so when that does not succeed."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import click
import filelock

from steps.commands import called, command
from steps.tracking.spool.push import Push
from steps.tracking.spool.result import SyncResult
from steps.tracking.spool.spool import Spool, redirected
from steps.tracking.store.tracking_uri import show_uri
from steps.tracking.store.trouble import FAILURES, Trouble, failed, probe, trouble_with

_INTERVAL_S = 2.0
# A server that hangs must not hold up the end of a study for long.
_LAST_TRY_S = 20.0


@dataclass
class Backlog:
    """What the server does not have yet.

    Attributes:
        runs: how many runs it lacks, or holds in an older state.
        reason: why, in one line; empty when nothing is missing.
        mend: what to do about it, where waiting does not help.
    """

    runs: int = 0
    reason: str = ""
    mend: str = ""
    refused: list[str] = field(default_factory=list)


class Replicator:
    """A thread that copies a spool to its server every few seconds; no call of a step ever waits for it."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._push = Push(spool)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="replicator", daemon=True)
        self._failure = Trouble("")
        self._noted: set[str] = set()

    def start(self) -> None:
        """Begin copying."""
        self._thread.start()

    def stop(self) -> Backlog:
        """Copy what is left, if the server lets us, and say what could not be copied."""
        self._stop.set()
        self._thread.join(timeout=_LAST_TRY_S)
        with suppress(OSError):  # a full disk
            self._push.note_files()
        if self._thread.is_alive():
            return self._backlog(self._failure.reason or "the server does not answer")
        result = self._try(thorough=True, wait_s=_LAST_TRY_S)
        if result is None:
            return self._backlog(self._failure.reason)
        return Backlog(self._push.pending(), "; ".join(result.reasons()[:1]), refused=result.refused)

    def _backlog(self, reason: str) -> Backlog:
        return Backlog(self._push.pending(), reason, self._failure.mend)

    def page_of(self, run_id: str) -> str | None:
        """Address of a run's page on the server; None when the server does not have it."""
        return self._push.page_of(run_id)

    def _work(self) -> None:
        pause = _INTERVAL_S
        while not self._stop.wait(pause):
            started = time.monotonic()
            self._try(thorough=False, wait_s=0)
            if self._failure.mend:  # until the end: a server may lock out who tries a wrong password again and again
                return
            # Copying a large study must not take more than a tenth of a core.
            pause = max(_INTERVAL_S, 10 * (time.monotonic() - started)) if not self._failure.reason else _INTERVAL_S

    def _try(self, *, thorough: bool, wait_s: float) -> SyncResult | None:
        """One pass; None when it failed. An outage is announced once, and so is its end."""
        trouble = probe(self._spool.target)
        if trouble is None:
            try:
                with self._spool.lock.acquire(timeout=wait_s):
                    result = self._push.once(thorough=thorough)
            except filelock.Timeout:  # another process is copying this spool
                self._failure = self._failure if not thorough else Trouble("another process is still copying")
                return None
            except FAILURES as error:
                trouble = trouble_with(error)
        server = show_uri(self._spool.target)
        if trouble:
            if not self._failure.reason:
                _say(f"warning: {failed(server, trouble)}; the work goes on, recorded in the spool")
            self._failure = trouble
            return None
        if self._failure.reason:
            _say(f"tracking server {server} is back")
        self._failure = Trouble("")
        for line in result.notes:
            if line not in self._noted:
                _say(f"note: {line}")
                self._noted.add(line)
        return result


@contextmanager
def recording(base: Path) -> Iterator[Replicator | None]:
    """Record to a spool, copied to the server as it grows, if the tracking store is a server.

    Yields None for a local store and inside a child of a driver, which does the copying. At the end, what is missing
    on the server is said, with the command that completes it; it is no error.
    """
    with redirected(base) as spool:
        if spool is None:
            yield None
            return
        replicator = Replicator(spool)
        replicator.start()
        try:
            yield replicator
        finally:
            backlog = replicator.stop()
            if backlog.runs:
                _say(degraded(spool, backlog, base))


def degraded(spool: Spool, backlog: Backlog, base: Path) -> str:
    """What is missing on the server, and what to do about it."""
    when = "When the server is back"
    if backlog.refused:
        when = "When that is mended"
    elif backlog.mend:
        when = f"Waiting does not help: {backlog.mend}. Then"
    return (
        f"degraded: {backlog.runs} run{'s' if backlog.runs > 1 else ''} of this study could not be copied to "
        f"{show_uri(spool.target)} ({backlog.reason or 'not copied yet'}). Nothing is lost. {when}:\n"
        f"  {command('sync', folder=base.resolve())}\n"
        f"until then: {called().mlflow} ui --backend-store-uri {shlex.quote(spool.uri)}"
    )


def _say(text: str) -> None:
    click.echo(text, err=True)
