"""deploy/compose.yaml keeps what docs/deploy.md promises. No container is run here: the file itself is read."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import serve
from tests.conftest import ROOT
from tests.test_project import LOCK, pins

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
RUNNING = {name: service for name, service in SERVICES.items() if "profiles" not in service}
# What those images read; of serve.py, everything is asked for below.
OF_OTHERS = {
    "proxy": {"XDG_DATA_HOME", "XDG_CONFIG_HOME"},
    "database": {"POSTGRES_PASSWORD_FILE", "POSTGRES_INITDB_ARGS"},
    "store": {"VGW_HEALTH"},
    "server": {"TMPDIR", "AWS_DEFAULT_REGION"},
    "backup": {"AWS_DEFAULT_REGION"},
}


def defaults_filled_in(text: str) -> str:
    """``${NAME:-default}`` as compose reads it where nothing is set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_may_do_as_little_as_possible(name: str) -> None:
    service = SERVICES[name]
    assert service["user"].startswith("${MLFLOW_UID:?")
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "proxy" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "network_mode", "pid", "ipc", "devices"} & set(service)
    assert not any("docker.sock" in volume for volume in service["volumes"])
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    assert service["restart"] == ("no" if name == "backup" else "unless-stopped")


def test_one_port_is_published_on_this_machine_alone_unless_said() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert list(ports) == ["proxy"]
    assert [defaults_filled_in(port) for port in ports["proxy"]] == ["127.0.0.1:443:8443"]
    assert "MLFLOW_PUBLISH=127.0.0.1:443\n" in (DEPLOY / ".env.example").read_text()


def test_only_the_proxy_has_a_way_out_and_it_cannot_reach_database_and_store() -> None:
    networks = COMPOSE["networks"]
    inside = {name for name, network in networks.items() if network.get("internal")}
    assert {name for name, service in SERVICES.items() if not inside.issuperset(service["networks"])} == {"proxy"}
    reached = {name for name, other in SERVICES.items() if set(other["networks"]) & set(SERVICES["proxy"]["networks"])}
    assert reached == {"proxy", "server"}


def test_every_image_is_pinned() -> None:
    for name, service in SERVICES.items():
        assert re.fullmatch(r"[a-z0-9/-]+:v?\d+[\w.-]*", service["image"]), name
    base = re.findall(r"^FROM (\S+)", (DEPLOY / "server/Dockerfile").read_text(), re.MULTILINE)
    assert base == ["python:3.11-slim-trixie"]
    assert SERVICES["server"]["image"] == f"fear-mlflow-server:{LOCK['mlflow']}"


def test_the_servers_packages_are_those_of_the_project_with_hashes() -> None:
    text = (DEPLOY / "server/requirements.txt").read_text()
    pinned = pins(text)
    assert {"mlflow", "flask-wtf", "psycopg2-binary", "boto3"} <= set(pinned)
    assert {name: LOCK.get(name) for name in pinned} == pinned, "run `make lock`"
    for entry in re.split(r"\n(?=[a-z])", text)[1:]:
        assert "--hash=sha256:" in entry, entry.splitlines()[0]
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text)


def test_what_runs_is_watched_and_waits_for_what_it_needs() -> None:
    for name, service in RUNNING.items():
        assert service["healthcheck"]["test"][0] == "CMD", name
    needs = {name: set(service.get("depends_on", {})) for name, service in SERVICES.items()}
    assert needs == {
        "proxy": {"server"},
        "server": {"database", "store"},
        "backup": {"database", "store"},
        "database": set(),
        "store": set(),
    }
    for service in SERVICES.values():
        assert all(how == {"condition": "service_healthy"} for how in service.get("depends_on", {}).values())


def test_secrets_are_files_and_go_to_who_needs_them() -> None:
    for name, secret in COMPOSE["secrets"].items():
        assert secret == {"file": f"./secrets/{name}"}
    assert {name: set(service.get("secrets", [])) for name, service in SERVICES.items()} == {
        "proxy": set(),
        "server": {"database_password", "store_key", "store_secret", "admin_password", "session_key"},
        "database": {"database_superuser_password", "database_password"},
        "store": {"store_key", "store_secret"},
        "backup": {"database_password", "store_key", "store_secret"},
    }
    for name, service in SERVICES.items():
        for variable, value in service["environment"].items():
            if re.search("PASSWORD|SECRET|KEY", variable):
                assert variable.endswith("_FILE"), (name, variable)
                assert Path(value).parent == Path("/run/secrets")
                assert Path(value).name in service["secrets"]


def test_each_service_is_told_what_it_reads_and_nothing_else() -> None:
    assert serve.__doc__ is not None
    read = set(re.findall(r"\b(?:MLFLOW|AWS|PG)\w+", serve.__doc__))
    of_server = read | {f"{name}_FILE" for name in read}
    of_proxy = set(re.findall(r"\{\$(\w+):", (DEPLOY / "Caddyfile").read_text()))
    assert {"MLFLOW_NAME", "MLFLOW_UPSTREAM"} <= of_proxy
    for name, service in SERVICES.items():
        known = {"server": of_server, "backup": of_server, "proxy": of_proxy}.get(name, set()) | OF_OTHERS[name]
        assert set(service["environment"]) <= known, name
    example = set(re.findall(r"^(\w+)=", (DEPLOY / ".env.example").read_text(), re.MULTILINE))
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    assert asked == example


def prepare(folder: Path, user: int = 12345) -> subprocess.CompletedProcess[str]:
    """Run prepare.sh in a copy of the folder, as an account of this number as far as it can tell."""
    deploy, programs = folder / "deploy", folder / "programs"
    for made in (deploy, programs):
        made.mkdir(exist_ok=True)
    for name in ("prepare.sh", ".env.example"):
        shutil.copy(DEPLOY / name, deploy / name)
    (programs / "id").write_text(f"#!/bin/sh\necho {user}\n")
    (programs / "id").chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    return subprocess.run(["sh", "deploy/prepare.sh"], cwd=folder, env={"PATH": path}, capture_output=True, text=True)


def test_the_server_takes_what_compose_tells_it(tmp_path: Path) -> None:
    """Only where the secrets are is another place."""
    assert prepare(tmp_path).returncode == 0
    environment = {
        name: value.replace("/run/secrets", str(tmp_path / "deploy/secrets")).replace("${MLFLOW_NAME:?}", "lab.example")
        for name, value in SERVICES["server"]["environment"].items()
    }
    settings = serve.settle(environment)
    assert "default_permission = NO_PERMISSIONS" in settings
    assert environment["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] == "https://lab.example,https://lab.example:*"
    secrets = {path.read_text() for path in (tmp_path / "deploy/secrets").iterdir()}
    assert not any(secret in settings for secret in secrets)


def test_prepare_makes_what_compose_mounts_for_the_owner_alone(tmp_path: Path) -> None:
    done = prepare(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    deploy = tmp_path / "deploy"
    secrets = {path.name: path.read_text() for path in (deploy / "secrets").iterdir()}
    assert set(secrets) == set(COMPOSE["secrets"])
    assert all(re.fullmatch("[A-Za-z0-9]{40}", secret) for secret in secrets.values())
    assert len(set(secrets.values())) == len(secrets)
    assert not any(secret in done.stdout for secret in secrets.values())
    private = [deploy / "secrets", deploy / "data", *(deploy / "secrets").iterdir(), *(deploy / "data").iterdir()]
    assert not any(stat.S_IMODE(path.stat().st_mode) & 0o077 for path in [*private, deploy / ".env"])
    folders = {f"./{path.relative_to(deploy)}" for path in (deploy / "data").iterdir()}
    mounted = {defaults_filled_in(volume).split(":")[0] for each in SERVICES.values() for volume in each["volumes"]}
    assert folders == {folder for folder in mounted if folder.startswith("./data/")}
    assert "MLFLOW_UID=12345\nMLFLOW_GID=12345\n" in (deploy / ".env").read_text()


def test_prepare_changes_nothing_that_is_there(tmp_path: Path) -> None:
    prepare(tmp_path)
    deploy = tmp_path / "deploy"
    (deploy / "secrets/store_key").unlink()
    before = {path: path.read_text() for path in [*(deploy / "secrets").iterdir(), deploy / ".env"]}
    assert prepare(tmp_path).stdout == "made: store_key\n"
    assert prepare(tmp_path).stdout == "made: nothing, all is there\n"
    assert {path: path.read_text() for path in before} == before


def test_root_is_refused(tmp_path: Path) -> None:
    done = prepare(tmp_path, user=0)
    assert done.returncode == 2
    assert done.stderr.startswith("error: this is root; run it as the account")
    assert not (tmp_path / "deploy/secrets").exists()


def test_the_proxys_settings_are_valid() -> None:
    caddy = shutil.which("caddy")
    if caddy is None:
        pytest.skip("Caddy is not installed (no program `caddy`), so its settings are not tried")
    done = subprocess.run([caddy, "validate", "--config", str(DEPLOY / "Caddyfile")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Valid configuration" in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["mlflow.service", "mlflow-backup.service"])
def test_a_unit_hands_over_the_secrets_that_its_program_reads(name: str) -> None:
    text = (DEPLOY / name).read_text()
    handed = dict(re.findall(r"^Environment=(\w+)_FILE=%d/(\w+)$", text, re.MULTILINE))
    loaded = re.findall(r"^LoadCredential=(\w+):/etc/fear-mlflow/secrets/(\w+)$", text, re.MULTILINE)
    assert loaded == [(secret, secret) for secret in handed.values()]
    of_compose = SERVICES["server" if name == "mlflow.service" else "backup"]["environment"]
    asked = {variable: Path(value).name for variable, value in of_compose.items() if variable.endswith("_FILE")}
    assert {f"{variable}_FILE": secret for variable, secret in handed.items()} == asked
    assert "NoNewPrivileges=yes" in text
    assert "User=mlflow" in text


def test_secrets_and_data_stay_out_of_git_and_of_the_image() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"deploy/.env", "deploy/secrets/", "deploy/data/"} <= set(ignored)
    assert (DEPLOY / ".dockerignore").read_text().splitlines()[1:] == ["*", "!server/requirements.txt", "!*.py"]
