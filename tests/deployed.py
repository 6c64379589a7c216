"""The stack of `deploy/` without containers: log-in, PostgreSQL and an S3 store, started by `deploy/serve.py`.

Where PostgreSQL is not installed the same server with log-in keeps all in SQLite and files.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import requests

from tests.conftest import ROOT, clean_environment
from tests.servers import Postgres, Server, free_port, has_postgres, postgres, wait_until

BUCKET = "studies"


@dataclass(frozen=True)
class Account:
    """Somebody at the server; their password has what an address has to encode."""

    name: str
    password: str = field(default_factory=lambda: f"p@ss/{secrets.token_hex(12)}")

    @property
    def login(self) -> tuple[str, str]:
        """For requests."""
        return self.name, self.password

    @property
    def environment(self) -> dict[str, str]:
        """What MLflow's client goes by."""
        return {"MLFLOW_TRACKING_USERNAME": self.name, "MLFLOW_TRACKING_PASSWORD": self.password}

    def uri(self, server: str) -> str:
        """The server's address with name and password in it."""
        return server.replace("://", f"://{self.name}:{quote(self.password, safe='')}@")


class S3Store:
    """moto's S3 server, in a process of its own; what it holds is in its memory."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.keys = {"AWS_ACCESS_KEY_ID": secrets.token_hex(8), "AWS_SECRET_ACCESS_KEY": f"s3-{secrets.token_hex(16)}"}
        self._log = folder / "s3.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """Its endpoint."""
        return f"http://127.0.0.1:{self.port}"

    def begin(self) -> None:
        """Start, without waiting until it answers."""
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, env=clean_environment(), stdout=log, stderr=log, start_new_session=True
            )

    def make_bucket(self) -> None:
        """Wait until it answers, and make the bucket."""
        wait_until(self._made, f"making the bucket: {self._log.read_text()[-1000:]}")

    def _made(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            return requests.put(f"{self.uri}/{BUCKET}", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def kill(self) -> None:
        """End it; what it held is gone."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=30)

    def objects(self) -> Iterator[tuple[str, bytes]]:
        """All that is in the bucket: key and content."""
        import boto3

        named = {name.lower(): value for name, value in self.keys.items()}
        client = boto3.client("s3", endpoint_url=self.uri, region_name="us-east-1", **named)
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            for item in page.get("Contents", []):
                yield item["Key"], client.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()


class Deployed(Server):
    """A server with log-in, as `deploy/serve.py` starts it."""

    def __init__(self, folder: Path, database: Postgres | None = None, s3: S3Store | None = None) -> None:
        super().__init__(folder, database.uri if database else None)
        self.admin = Account("admin", f"the admin's {secrets.token_hex(12)}")
        self.database, self.s3 = database, s3
        self.secret_key = secrets.token_hex(20)
        self._environment = self._variables()

    def _variables(self) -> dict[str, str]:
        kept = self.folder / "secrets"
        kept.mkdir(mode=0o700)
        for name, secret in (("admin", self.admin.password), ("key", self.secret_key)):
            (kept / name).write_text(f"{secret}\n")
        variables = {
            "MLFLOW_PORT": str(self.port),
            "MLFLOW_WORKERS": "1",
            "MLFLOW_AUTH_ADMIN_PASSWORD_FILE": str(kept / "admin"),
            "MLFLOW_FLASK_SERVER_SECRET_KEY_FILE": str(kept / "key"),
            "MLFLOW_BACKEND_STORE_URI": self.backend_store_uri,
            "MLFLOW_ARTIFACTS_DESTINATION": str(self.artifacts),
            "TMPDIR": str(self.folder),
        }
        if self.database:
            variables["MLFLOW_BACKEND_STORE_URI"] = self.backend_store_uri.replace(f":{self.database.password}@", "@")
            variables["PGPASSWORD"] = self.database.password
        if self.s3:
            variables |= {**self.s3.keys, "MLFLOW_S3_ENDPOINT_URL": self.s3.uri, "AWS_REGION": "us-east-1"}
            variables["MLFLOW_ARTIFACTS_DESTINATION"] = f"s3://{BUCKET}/artifacts"
        return variables

    def _command(self) -> list[str]:
        return [sys.executable, str(ROOT / "deploy" / "serve.py")]

    @property
    def secrets(self) -> tuple[str, ...]:
        """What the server alone may know."""
        ours = (self.admin.password, self.secret_key)
        of_stores = (self.database.password,) if self.database else ()
        return (*ours, *of_stores, *(self.s3.keys.values() if self.s3 else ()))

    def command_lines(self) -> list[str]:
        """What `ps` shows of the server's processes."""
        assert self._process is not None
        server = psutil.Process(self._process.pid)
        return [" ".join(process.cmdline()) for process in (server, *server.children(recursive=True))]

    def kept_files(self) -> Iterator[tuple[str, bytes]]:
        """Every artifact, as the store of the server has it: name and content."""
        if self.s3:
            yield from self.s3.objects()
            return
        for path in self.artifacts.rglob("*"):
            if path.is_file():
                yield path.relative_to(self.artifacts).as_posix(), path.read_bytes()

    def ask(self, account: Account | None, method: str, path: str, **arguments: Any) -> requests.Response:
        """One request, by somebody or by nobody."""
        return requests.request(
            method, f"{self.uri}{path}", auth=account.login if account else None, timeout=20, **arguments
        )

    def add_user(self, account: Account) -> Account:
        """Make an account; by the admin."""
        body = {"username": account.name, "password": account.password}
        asked = self.ask(self.admin, "POST", "/api/2.0/mlflow/users/create", json=body)
        assert asked.status_code == 200, asked.text
        return account

    def grant(self, owner: Account, to: Account, kind: str, name: str, permission: str) -> None:
        """Let somebody at an experiment or a registered model."""
        self._permission("grant", owner, to, {"resource_type": kind, "resource_id": name, "permission": permission})

    @contextmanager
    def lent(self, owner: Account, to: Account, permission: str, *things: tuple[str, str]) -> Iterator[None]:
        """Let somebody at experiments and registered models inside the block."""
        with ExitStack() as stack:
            for kind, name in things:
                self.grant(owner, to, kind, name, permission)
                taken_back = {"resource_type": kind, "resource_id": name}
                stack.callback(self._permission, "revoke", owner, to, taken_back)
            yield

    def _permission(self, what: str, owner: Account, to: Account, body: dict[str, str]) -> None:
        path = f"/api/3.0/mlflow/users/permissions/{what}"
        asked = self.ask(owner, "POST", path, json={"username": to.name, **body})
        assert asked.status_code == 200, asked.text


@contextmanager
def deployed(folder: Path) -> Iterator[Deployed]:
    """The running stack; it is gone after the block."""
    with ExitStack() as stack:
        folder.mkdir(parents=True, exist_ok=True)
        database = s3 = None
        if has_postgres():
            s3 = S3Store(folder)
            stack.callback(s3.kill)
            s3.begin()
            database = stack.enter_context(postgres())
        server = Deployed(folder, database, s3)
        stack.callback(server.kill)
        server.start()
        if s3:
            s3.make_bucket()
        yield server
