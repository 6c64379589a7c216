"""Real servers for tests: an MLflow server, a PostgreSQL cluster, a disk that is soon full. All on 127.0.0.1."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import clean_environment

START_S = 90.0


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(is_so: Callable[[], object], what: str, seconds: float = START_S) -> None:
    """Poll until ``is_so()`` is true; fail with ``what`` when it takes too long."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"{what} took more than {seconds:.0f} s"
        time.sleep(0.1)


class Server:
    """An ``mlflow server`` with one worker that hands out artifacts, in a process group of its own.

    The store survives `kill`, `stop` and `start`; so does the address.
    """

    def __init__(
        self,
        folder: Path,
        backend_store_uri: str | None = None,
        disk: Path | None = None,
        environment: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
    ) -> None:
        """A server that is not running yet.

        Args:
            folder: where its log goes, and its store unless told otherwise.
            backend_store_uri: SQLite by default.
            disk: where store and artifacts go, unlike the log.
            environment: more variables of its process.
            options: more of its command line.
        """
        self._environment, self._options = dict(environment or {}), options
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.backend_store_uri = backend_store_uri or f"sqlite:///{(disk or folder) / 'server.db'}"
        self.artifacts = (disk or folder) / "files"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """Tracking URI."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What the server has printed since it was made."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> Server:
        """Start, or start again on the same store and port, and wait until it answers."""
        assert self._process is None, "the server is running"
        # The job runner is for traces and language models; seven processes less.
        environment = clean_environment() | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"} | self._environment
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), cwd=self.folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            wait_until(self._answers, "starting the server")
        except BaseException:
            self.kill()
            raise
        return self

    def _command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)),
            *("--workers", "1", "--backend-store-uri", self.backend_store_uri),
            *("--artifacts-destination", str(self.artifacts)),
            *self._options,
        ]

    def kill(self) -> None:
        """As a power cut: no process of the server gets to say anything more."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """In an orderly way."""
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """Connections are taken by the kernel, but nobody answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._signal(signal.SIGCONT)

    @property
    def is_running(self) -> bool:
        """Whether it was started and neither stopped nor killed."""
        return self._process is not None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log[-2000:]
        return is_healthy(self.uri)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "the server is not running"
        os.killpg(self._process.pid, number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
            os.killpg(process.pid, signal.SIGCONT)  # a stopped process hears nothing but SIGKILL
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=30)
        # Whoever is left of the group still holds the port or the store.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        wait_until(lambda: not _group_exists(process.pid), "ending the server", 30)


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def is_healthy(uri: str) -> bool:
    """Whether an MLflow server answers at ``uri``."""
    try:
        with urllib.request.urlopen(f"{uri}/health", timeout=2) as answer:  # noqa: S310 - our own server
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def mlflow_server(folder: Path, backend_store_uri: str | None = None, disk: Path | None = None) -> Iterator[Server]:
    """A running server; it is gone after the block, however it was left."""
    server = Server(folder, backend_store_uri, disk).start()
    try:
        yield server
    finally:
        server.kill()


def postgres_program(name: str) -> str | None:
    """Path of a PostgreSQL program, also where Debian hides it."""
    newest = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: path.parts[-3])
    return shutil.which(name) or (str(newest[-1]) if newest else None)


def has_postgres() -> bool:
    """Whether `postgres` works here."""
    return all(postgres_program(name) for name in ("initdb", "pg_ctl"))


class Postgres:
    """A PostgreSQL cluster of its own, in a folder of its own, with a password.

    PostgreSQL refuses to run as root; then it runs as ``postgres``, or ``nobody``.
    """

    USER = "fear"

    def __init__(self) -> None:
        self.password = secrets.token_hex(12)
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._as_user: dict[str, Any] = {}
        if os.getuid() == 0:
            names = {entry.pw_name: entry for entry in pwd.getpwall()}
            user = names.get("postgres") or names["nobody"]
            self._as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(self.folder, user.pw_uid, user.pw_gid)

    @property
    def uri(self) -> str:
        """URI for SQLAlchemy, with the driver (without, it looks for psycopg 3) and the password."""
        return f"postgresql+psycopg2://{self.USER}:{self.password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Make the cluster and start it."""
        password = self.folder / "password"
        password.write_text(self.password)
        if self._as_user:
            os.chown(password, self._as_user["user"], self._as_user["group"])
        data = str(self.folder / "data")
        self._run("initdb", "-D", data, "-U", self.USER, "--auth=scram-sha-256", f"--pwfile={password}", "-E", "UTF8")
        # What a crash of this machine would lose is lost anyway.
        settings = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run("pg_ctl", "-D", data, "-l", str(self.folder / "log"), "-o", settings, "-w", "-t", "60", "start")

    def remove(self) -> None:
        """Stop the cluster and delete it."""
        data = self.folder / "data"
        if (data / "postmaster.pid").exists():
            self._run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        path = postgres_program(program)
        assert path is not None, f"{program} is not installed"
        # pg_ctl's server keeps the descriptors it is given, so waiting for a pipe to close would never end.
        with (self.folder / "output").open("wb") as output:
            done = subprocess.run(
                [path, *arguments], cwd=self.folder, stdout=output, stderr=output, timeout=120, **self._as_user
            )
        assert done.returncode == 0, f"{program}: {(self.folder / 'output').read_text()[-2000:]}"


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL cluster, gone after the block; see `has_postgres`."""
    cluster = Postgres()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()


class SmallDisk:
    """A file system of its own in ``folder``, that can be filled up and freed again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, leave: int = 0) -> None:
        """Fill the disk until ``leave`` bytes are left."""
        block = bytes(1 << 16)
        with self._ballast.open("ab", buffering=0) as file:
            try:
                while file.write(block):
                    pass
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
            if leave:
                file.truncate(max(0, file.tell() - leave))

    def free(self) -> None:
        """Give the space back."""
        self._ballast.unlink(missing_ok=True)

    @property
    def left(self) -> int:
        """Bytes left."""
        return shutil.disk_usage(self.folder).free


def can_mount() -> bool:
    """Whether `small_disk` may work here."""
    return os.getuid() == 0 and shutil.which("mount") is not None


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[SmallDisk]:
    """A disk of so many megabytes mounted at ``folder``; skips where mounting is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = shutil.which("mount")
    if os.getuid() != 0 or mount is None:
        pytest.skip("a file system of limited size can only be mounted by root")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"a file system of limited size cannot be mounted here: {done.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        # Lazily: whoever was killed a moment ago may still hold a file.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
