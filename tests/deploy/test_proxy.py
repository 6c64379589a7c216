"""The proxy of deploy/Caddyfile in front of a real server, where Caddy is installed (skipped elsewhere).

`python -m pytest -m slow tests/deploy` runs it; `caddy` has to be in PATH.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from mlflow import MlflowClient

from tests.conftest import ROOT, step_here
from tests.deployed import Account, Deployed
from tests.servers import free_port, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("caddy") is None, reason="Caddy is not installed (no program `caddy`)"),
]
LIMIT = 3_000_000


@dataclass(frozen=True)
class Proxy:
    """A proxy that is running, and the server behind it."""

    server: Deployed
    port: int
    health: int
    authority: str

    @property
    def uri(self) -> str:
        """Where people find it."""
        return f"https://localhost:{self.port}"

    def get(self, path: str, **headers: str) -> requests.Response:
        """Ask as the admin; the path goes out as it is written."""
        session = requests.Session()
        session.auth = self.server.admin.login
        request = session.prepare_request(requests.Request("GET", self.uri, headers=headers))
        request.url = f"{self.uri}{path}"
        return session.send(request, verify=self.authority, allow_redirects=False, timeout=30)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("proxy")
    port, health = free_port(), free_port()
    settings = {
        "MLFLOW_HTTPS_PORT": str(port),
        "MLFLOW_PROXY_HEALTH": str(health),
        "MLFLOW_MAX_ARTIFACT": str(LIMIT),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "PATH": os.environ["PATH"],
    }
    with ExitStack() as stack:
        server = Deployed(folder)
        server._environment["MLFLOW_SERVER_ALLOWED_HOSTS"] = "localhost,localhost:*,127.0.0.1:*"
        stack.callback(server.kill)
        server.start()
        settings["MLFLOW_UPSTREAM"] = f"127.0.0.1:{server.port}"
        log = stack.enter_context((folder / "caddy.log").open("wb"))
        command = ["caddy", "run", "--config", str(ROOT / "deploy/Caddyfile")]
        caddy = subprocess.Popen(command, env=settings, stdout=log, stderr=log)
        stack.callback(caddy.wait)
        stack.callback(caddy.kill)
        authority = folder / "caddy/pki/authorities/local/root.crt"
        made = Proxy(server, port, health, str(authority))

        def answers() -> bool:
            assert caddy.poll() is None, (folder / "caddy.log").read_text()[-2000:]
            try:
                return authority.exists() and made.get("/health").ok
            except requests.ConnectionError:
                return False

        wait_until(answers, "starting the proxy")
        yield made


def test_people_work_through_it(proxy: Proxy, tmp_path: Path) -> None:
    ada = proxy.server.add_user(Account("ada"))
    environment = {**ada.environment, "MLFLOW_TRACKING_SERVER_CERT_PATH": proxy.authority}
    done = step_here("prepare", tmp_path, proxy.uri, environment, simulated_subjects=4)
    assert (done.exit_code, "degraded" in done.stderr) == (0, False), done.stderr


def test_who_does_not_know_its_authority_is_told_so(proxy: Proxy, tmp_path: Path) -> None:
    done = step_here("prepare", tmp_path, proxy.uri, proxy.server.admin.environment, simulated_subjects=4)
    assert done.exit_code == 0
    assert "its certificate is not trusted" in done.stderr
    assert "set MLFLOW_TRACKING_SERVER_CERT_PATH to the server's certificate" in done.stderr


def test_a_file_up_to_the_limit_is_stored_and_no_larger_one(
    proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in proxy.server.admin.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", proxy.authority)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    client = MlflowClient(proxy.uri)
    run_id = client.create_run(client.create_experiment("files")).info.run_id
    for name, size in (("small", LIMIT), ("large", LIMIT + 1)):
        (tmp_path / name).write_bytes(os.urandom(size))
    client.log_artifact(run_id, str(tmp_path / "small"))
    (tmp_path / "fetched").mkdir()
    fetched = client.download_artifacts(run_id, "small", str(tmp_path / "fetched"))
    assert Path(fetched).read_bytes() == (tmp_path / "small").read_bytes()
    with pytest.raises(Exception, match=r"413|failed with exception|Request Entity Too Large"):
        client.log_artifact(run_id, str(tmp_path / "large"))
    assert [item.path for item in client.list_artifacts(run_id)] == ["small"]
    body = b"{" + b" " * 17_000_000 + b"}"
    address = f"{proxy.uri}/api/2.0/mlflow/runs/log-batch"
    answer = requests.post(address, body, auth=proxy.server.admin.login, verify=proxy.authority, timeout=30)
    assert answer.status_code in (413, 502)  # Caddy 2.6 says 502


@pytest.mark.parametrize(
    "path",
    [
        *("/ajax-api/3.0/mlflow/assistant/config", "/ajax-api/3.0/mlflow/%61ssistant/config"),
        *("/ajax-api//3.0/mlflow/assistant/config", "/ajax-api/3.0/MLFLOW/assistant/config"),
        *("/ajax-api/2.0/mlflow/gateway-proxy", "/api/3.0/mlflow/gateway/secrets/list", "/ajax-api/3.0/jobs/1"),
        *("/ajax-api/2.0/mlflow/get-trace-artifact", "/ajax-api/3.0/mlflow/get-trace-artifact"),
        *("/ajax-api/3.0/mlflow/mcp-servers", "/gateway/x/mlflow/invocations", "/metrics", "/docs", "/v1/traces"),
        *("/openapi.json", "/api/../metrics", "/static-files/../metrics", "/api/3.0/mlflow/server-info"),
    ],
)
def test_what_nobody_needs_is_closed_even_to_the_admin(proxy: Proxy, path: str) -> None:
    assert proxy.get(path).status_code in (403, 404)


def test_health_is_open_and_nothing_else_is(proxy: Proxy) -> None:
    def status(path: str) -> int:
        return requests.get(f"{proxy.uri}{path}", verify=proxy.authority, timeout=30).status_code

    assert status("/health") == 200
    assert {status(path) for path in ("/", "/version", "/api/2.0/mlflow/experiments/search", "/graphql")} == {401}
    assert requests.get(f"http://127.0.0.1:{proxy.health}/health", timeout=30).text == "ok"


def test_headers_are_set_once_and_programs_are_not_named(proxy: Proxy) -> None:
    headers = proxy.get("/").headers
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "Server" not in headers


def test_other_names_get_no_answer(proxy: Proxy) -> None:
    assert proxy.get("/health", Host="evil.example").status_code == 421
    with pytest.raises(ssl.SSLError), socket.create_connection(("127.0.0.1", proxy.port), 10) as plain:
        ssl.create_default_context(cafile=proxy.authority).wrap_socket(plain, server_hostname="evil.example")


def test_passwords_are_not_in_its_log(proxy: Proxy) -> None:
    assert proxy.get("/health").ok
    log = (proxy.server.folder / "caddy.log").read_text()
    assert re.search(r'"Authorization":\[("REDACTED")?\]', log)
    assert not any(secret in log for secret in proxy.server.secrets)
