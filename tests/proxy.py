"""A proxy between an MLflow client and its server that does to requests what networks and servers do.

It speaks HTTP, not TCP, because the fault that matters most needs it: the server has done what was asked, and the
answer is lost.
"""

from __future__ import annotations

import http.client
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection"}
_UPSTREAM_TIMEOUT_S = 120


class Kind(Enum):
    """What happens to a request."""

    DELAY = "delay"  # it is passed on after a while
    STATUS = "status"  # the server is not asked; the answer is an error
    RESET = "reset"  # the server is not asked; the connection breaks
    CUT_REQUEST = "cut request"  # the server gets the head and half the body, then the connection breaks
    CUT_RESPONSE = "cut response"  # the server has done it; the client gets the head and half the body
    SWALLOW = "swallow"  # the server has done it; the client hears nothing
    SHORT_REQUEST = "short request"  # the server gets half the body, and is told that it is all
    SHORT_RESPONSE = "short response"  # the client gets half the body, and is told that it is all


# Nobody who is told a wrong length can notice it by itself; a connection that breaks, anybody does.
OF_CONNECTIONS = tuple(kind for kind in Kind if kind not in (Kind.SHORT_REQUEST, Kind.SHORT_RESPONSE))


@dataclass(frozen=True)
class Fault:
    """A fault and how long it lasts.

    Attributes:
        kind: what happens.
        requests: how many requests it meets.
        seconds: if given, how long it lasts instead, from the first request it meets.
        delay: of `Kind.DELAY`, in seconds.
        status: of `Kind.STATUS`.
        only: regular expression that ``METHOD path`` must contain for the fault to meet a request.
    """

    kind: Kind
    requests: int = 1
    seconds: float | None = None
    delay: float = 1.0
    status: int = 500
    only: str = ""


@dataclass(frozen=True)
class Met:
    """A request that met a fault."""

    request: str
    kind: Kind


@dataclass
class _Active:
    fault: Fault
    left: int
    until: float | None = None


@dataclass
class Proxy:
    """A proxy in front of ``upstream`` (``host, port``), listening on a port of its own.

    Attributes:
        met: requests that met a fault, in order.
        passed: how many requests have come in, faults included.
    """

    upstream: tuple[str, int]
    met: list[Met] = field(default_factory=list)
    passed: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._active: list[_Active] = []
        self._planned: list[tuple[int, Callable[[], None]]] = []
        self._connections: set[socket.socket] = set()
        self._http: _Listener | None = None
        self._port = 0
        self.up()

    @property
    def uri(self) -> str:
        """Tracking URI of the server behind."""
        return f"http://127.0.0.1:{self._port}"

    def up(self) -> None:
        """Listen, on the same port as before."""
        if self._http is None:
            self._http = _Listener(self._port, self)
            self._port = self._http.server_address[1]
            threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def down(self) -> None:
        """Listen no more, so that connections are refused, and break those that there are."""
        if self._http is not None:
            listener, self._http = self._http, None
            listener.shutdown()
            listener.server_close()
        with self._lock:
            open_ones = list(self._connections)
        for connection in open_ones:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # wakes up the thread that reads from it

    def inject(self, fault: Fault) -> None:
        """Let the fault meet the next requests."""
        with self._lock:
            self._active.append(_Active(fault, fault.requests))

    def at(self, request: int, action: Callable[[], None]) -> None:
        """Do something when request number ``request`` (from 1) has come in and before it is passed on."""
        with self._lock:
            self._planned.append((request, action))
            self._planned.sort(key=lambda planned: planned[0])

    def clear(self) -> None:
        """No more faults, injected or planned."""
        with self._lock:
            self._active.clear()
            self._planned.clear()

    @property
    def is_quiet(self) -> bool:
        """Whether everything planned has happened and every fault is over."""
        with self._lock:
            self._forget_what_is_over()
            return not self._active and not self._planned

    def arrived(self, connection: socket.socket, request: str) -> Fault | None:
        """Count a request; returns the fault that it meets."""
        with self._lock:
            self._connections.add(connection)
            self.passed += 1
            due = [action for number, action in self._planned if number <= self.passed]
            self._planned = [(number, action) for number, action in self._planned if number > self.passed]
        for action in due:
            action()
        with self._lock:
            self._forget_what_is_over()
            for active in self._active:
                if re.search(active.fault.only, request):
                    if active.fault.seconds is not None and active.until is None:
                        active.until = time.monotonic() + active.fault.seconds
                    active.left -= 1
                    self.met.append(Met(request, active.fault.kind))
                    return active.fault
        return None

    def closed(self, connection: socket.socket) -> None:
        """A connection is no more."""
        with self._lock:
            self._connections.discard(connection)

    def _forget_what_is_over(self) -> None:
        now = time.monotonic()
        self._active = [
            active
            for active in self._active
            if (active.left > 0 if active.fault.seconds is None else active.until is None or now < active.until)
        ]


@contextmanager
def proxy_to(uri: str) -> Iterator[Proxy]:
    """A running proxy to the server at ``uri``."""
    host, _, port = uri.removeprefix("http://").partition(":")
    proxy = Proxy((host, int(port)))
    try:
        yield proxy
    finally:
        proxy.clear()
        proxy.down()


def _reset(connection: socket.socket) -> None:
    """Close a connection of this thread with a reset, as a machine that vanishes."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.close(connection.detach())  # file objects made of it would keep it open


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, port: int, proxy: Proxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Broken connections are our trade."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Say nothing."""

    def finish(self) -> None:
        self.server.proxy.closed(self.connection)
        with suppress(OSError, ValueError):
            super().finish()

    def _pass(self) -> None:
        body = self._body()
        fault = self.server.proxy.arrived(self.connection, f"{self.command} {self.path}")
        kind = fault.kind if fault else None
        if fault and kind is Kind.DELAY:
            time.sleep(fault.delay)
        if fault and kind is Kind.STATUS:
            self._answer(fault.status, [("Content-Type", "text/plain")], b"injected")
            return
        if kind is Kind.RESET:
            self._hang_up()
            return
        if kind is Kind.SHORT_REQUEST:
            body = body[: len(body) // 2]
        try:
            answer = self._ask(body, cut=kind is Kind.CUT_REQUEST)
        except (OSError, http.client.HTTPException):  # the server is down, or went down while it was at it
            answer = None
        if answer is None or kind is Kind.SWALLOW:
            self._hang_up()
            return
        status, headers, content = answer
        if kind is Kind.SHORT_RESPONSE:
            content = content[: len(content) // 2]
        self._answer(status, headers, content, cut=kind is Kind.CUT_RESPONSE)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _pass  # noqa: N815 - names of the base class

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            chunks = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _ask(self, body: bytes, cut: bool) -> tuple[int, list[tuple[str, str]], bytes] | None:
        host, port = self.server.proxy.upstream
        upstream = http.client.HTTPConnection(host, port, timeout=_UPSTREAM_TIMEOUT_S)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _HOP_BY_HOP | {"host", "content-length", "expect"}:
                    upstream.putheader(name, value)
            upstream.putheader("Host", f"{host}:{port}")
            upstream.putheader("Content-Length", str(len(body)))
            upstream.putheader("Connection", "close")
            upstream.endheaders()
            if cut:
                upstream.send(body[: len(body) // 2])
                time.sleep(0.05)  # the half that was sent should arrive
                _reset(upstream.sock)
                return None
            upstream.send(body)
            answer = upstream.getresponse()
            headers = [
                (name, value)
                for name, value in answer.getheaders()
                if name.lower() not in _HOP_BY_HOP | {"date", "server"}
                and (name.lower() != "content-length" or self.command == "HEAD")
            ]
            return answer.status, headers, answer.read()
        finally:
            upstream.close()

    def _answer(self, status: int, headers: Sequence[tuple[str, str]], content: bytes, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.server.proxy.closed(self.connection)
        _reset(self.connection)
