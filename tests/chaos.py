"""Faults at random requests, the same ones for the same seed: of the network, of the server, of its disk."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

from tests.proxy import OF_CONNECTIONS, Fault, Kind, Proxy
from tests.servers import Server, SmallDisk, wait_until

KILL, PAUSE, FULL = "kill -9", "SIGSTOP", "disk full"
# Longer than the client's patience (`PATIENCE_S`), so that the server carries out what the client has given up.
PATIENCE_S, PAUSE_S, FULL_S = 3, 7.0, 3.0


class Chaos:
    """What happens to a server and to the way to it, at which requests.

    Attributes:
        happened: how often each fault was injected.
    """

    def __init__(self, seed: int, server: Server, proxy: Proxy, disk: SmallDisk | None) -> None:
        self._random = Random(seed)  # noqa: S311 - faults, not secrets
        self._server, self._proxy, self._disk = server, proxy, disk
        self._threads: list[threading.Thread] = []
        self._one_at_a_time = threading.Lock()
        self.happened: Counter[str] = Counter()

    def plan(self, *, network: int, kills: int, pauses: int, full_disks: int, gap: int = 8) -> None:
        """Spread so many faults over the next requests, ``gap`` requests apart on average.

        Every kind of network fault comes in turn, each for one to three requests: the client tries once more, so one
        is survived and two or three are not.
        """
        kinds = OF_CONNECTIONS
        faults: list[Callable[[], None]] = [self._of_network(kinds[number % len(kinds)]) for number in range(network)]
        faults += [self._kill] * kills + [self._pause] * pauses
        faults += [self._fill] * (full_disks if self._disk else 0)
        self._random.shuffle(faults)
        request = self._proxy.passed
        for fault in faults:
            request += self._random.randint(1, 2 * gap - 1)
            self._proxy.at(request, fault)

    @property
    def is_over(self) -> bool:
        """Whether everything planned has happened and the server is well again."""
        return self._proxy.is_quiet and not any(thread.is_alive() for thread in self._threads)

    def end(self) -> None:
        """No more faults; wait until the server is well."""
        self._proxy.clear()
        wait_until(lambda: self.is_over, "recovering", 180)

    def _of_network(self, kind: Kind) -> Callable[[], None]:
        fault = Fault(
            kind,
            requests=self._random.randint(1, 3),
            delay=self._random.uniform(0.1, 1.0),
            status=self._random.choice((429, 500, 503)),
        )

        def inject() -> None:
            self.happened[kind.value] += 1
            self._proxy.inject(fault)

        return inject

    def _kill(self) -> None:
        delay = self._random.uniform(0, 0.05)  # in the middle of the request, or not

        def harm() -> None:
            _wait(delay)
            self._server.kill()
            self._server.start()

        self._in_background(KILL, harm)

    def _pause(self) -> None:
        def harm() -> None:
            self._server.pause()
            _wait(PAUSE_S)
            self._server.resume()

        self._in_background(PAUSE, harm)

    def _fill(self) -> None:
        def harm() -> None:
            assert self._disk is not None
            self._disk.fill()
            _wait(FULL_S)
            self._disk.free()

        self._in_background(FULL, harm)

    def _in_background(self, name: str, harm: Callable[[], None]) -> None:
        self.happened[name] += 1

        def act() -> None:
            with self._one_at_a_time:
                harm()

        thread = threading.Thread(target=act, name=name)
        self._threads.append(thread)
        thread.start()


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)


@contextmanager
def chaos(seed: int, server: Server, proxy: Proxy, disk: SmallDisk | None) -> Iterator[Chaos]:
    """Chaos that is over after the block."""
    chaos = Chaos(seed, server, proxy, disk)
    try:
        yield chaos
    finally:
        chaos.end()
