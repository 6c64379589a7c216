"""What `deploy/serve.py` takes, and what it refuses in one line; that the server runs is in `tests/test_server.py`."""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.serve import ConfigurationError, settle
from tests.conftest import ROOT

PASSWORD, KEY = "kBq7w-Zf0.LmT2_xPq", "9f0c1b2a3d4e5f60718293a4b5c6d7e8f9"
GIVEN = {
    "MLFLOW_BACKEND_STORE_URI": "postgresql+psycopg2://mlflow@database:5432/mlflow",
    "PGPASSWORD": "of the database",
    "MLFLOW_ARTIFACTS_DESTINATION": "s3://studies/artifacts",
    "MLFLOW_S3_ENDPOINT_URL": "http://store:9000",
    "AWS_ACCESS_KEY_ID": "an identifier",
    "AWS_SECRET_ACCESS_KEY": "a secret of the store",
    "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
    "MLFLOW_FLASK_SERVER_SECRET_KEY": KEY,
}


def settings(text: str) -> dict[str, str]:
    parsed = configparser.ConfigParser()
    parsed.read_string(text)
    return dict(parsed["mlflow"])


def test_settings_give_nobody_anything_and_hold_no_secret() -> None:
    environment = dict(GIVEN)
    text = settle(environment)
    written = settings(text)
    assert written["default_permission"] == "NO_PERMISSIONS"
    assert written["database_uri"] == GIVEN["MLFLOW_BACKEND_STORE_URI"]
    assert written["admin_username"] == "admin"
    assert not [
        secret for secret in (PASSWORD, KEY, GIVEN["PGPASSWORD"], GIVEN["AWS_SECRET_ACCESS_KEY"]) if secret in text
    ]
    assert environment["MLFLOW_HOST"] == "127.0.0.1"
    assert environment.items() >= GIVEN.items()


def test_unsafe_settings_of_the_environment_do_not_count() -> None:
    unsafe = {"MLFLOW_BASIC_AUTH_FAIL_CLOSED": "false", "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "true"}
    environment = GIVEN | unsafe | {"MLFLOW_DEFAULT_ARTIFACT_ROOT": "s3://studies"}
    settle(environment)
    assert environment["MLFLOW_BASIC_AUTH_FAIL_CLOSED"] == "true"
    assert environment["MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE"] == "false"
    assert "MLFLOW_DEFAULT_ARTIFACT_ROOT" not in environment


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    environment = dict(GIVEN)
    for name in ("PGPASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MLFLOW_AUTH_ADMIN_PASSWORD"):
        (tmp_path / name).write_text(f"{environment.pop(name)}\n")
        environment[f"{name}_FILE"] = str(tmp_path / name)
    settle(environment)
    assert environment.items() >= GIVEN.items()
    assert not [name for name in environment if name.endswith("_FILE")]


def test_users_may_have_a_database_of_their_own() -> None:
    own = "postgresql://m%40x@database/users?sslmode=verify-full&sslrootcert=%2Fca.pem"
    written = settings(settle(GIVEN | {"MLFLOW_AUTH_DATABASE_URI": own}))
    assert written["database_uri"] == own.replace("postgresql:", "postgresql+psycopg2:")


def test_a_small_one_needs_neither_postgresql_nor_s3(tmp_path: Path) -> None:
    environment = {name: value for name, value in GIVEN.items() if name.startswith("MLFLOW_")}
    del environment["MLFLOW_S3_ENDPOINT_URL"]
    environment |= {
        "MLFLOW_BACKEND_STORE_URI": "sqlite:////srv/mlflow.db",
        "MLFLOW_ARTIFACTS_DESTINATION": "/srv/files",
    }
    assert settings(settle(environment))["database_uri"] == "sqlite:////srv/mlflow.db"


def test_variables_that_are_set_to_nothing_are_not_set() -> None:
    environment = GIVEN | {"MLFLOW_HOST": "", "MLFLOW_AUTH_DATABASE_URI": ""}
    assert settings(settle(environment))["database_uri"] == GIVEN["MLFLOW_BACKEND_STORE_URI"]
    assert environment["MLFLOW_HOST"] == "127.0.0.1"


def test_names_of_one_place_may_hold_a_pattern() -> None:
    environment = GIVEN | {"MLFLOW_SERVER_ALLOWED_HOSTS": "lab.example.org,lab.example.org:*,*.example.org"}
    settle(environment)
    assert "https://lab.example.org:*" in environment["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"]


def test_behind_a_proxy_the_name_of_the_server_is_said_once() -> None:
    environment = GIVEN | {"MLFLOW_HOST": "0.0.0.0", "MLFLOW_SERVER_ALLOWED_HOSTS": "lab.example.org, lab:8443"}  # noqa: S104
    settle(environment)
    assert environment["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] == "https://lab.example.org,https://lab:8443"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"MLFLOW_BACKEND_STORE_URI": ""}, "MLFLOW_BACKEND_STORE_URI is not set; expected postgresql"),
        ({"MLFLOW_BACKEND_STORE_URI": "mysql://a@b/c"}, "MLFLOW_BACKEND_STORE_URI is an address of mysql; expected"),
        ({"MLFLOW_BACKEND_STORE_URI": "postgresql://database"}, "expected postgresql+psycopg2://user@host:5432/database"),
        ({"MLFLOW_BACKEND_STORE_URI": "postgresql://me:hidden@b/c"}, "has a password in it, which logs would show"),
        ({"MLFLOW_AUTH_DATABASE_URI": "postgresql://b/c?password=hidden"}, "has a password in it, which logs"),
        ({"PGPASSWORD": ""}, "PGPASSWORD (or PGPASSWORD_FILE) is not set"),
        ({"PGPASSWORD_FILE": "/run/secrets/database"}, "PGPASSWORD and PGPASSWORD_FILE are both set"),
        ({"PGPASSWORD": "", "PGPASSWORD_FILE": "/nowhere"}, "names /nowhere, which cannot be read: No such file"),
        ({"PGPASSWORD": "", "PGPASSWORD_FILE": "/dev/null"}, "names /dev/null, which is empty"),
        ({"MLFLOW_ARTIFACTS_DESTINATION": ""}, "MLFLOW_ARTIFACTS_DESTINATION is not set; expected s3://"),
        ({"AWS_SECRET_ACCESS_KEY": ""}, "AWS_SECRET_ACCESS_KEY (or AWS_SECRET_ACCESS_KEY_FILE) is not set"),
        ({"MLFLOW_AUTH_ADMIN_PASSWORD": ""}, "MLFLOW_AUTH_ADMIN_PASSWORD (or MLFLOW_AUTH_ADMIN_PASSWORD_FILE) is not"),
        ({"MLFLOW_AUTH_ADMIN_PASSWORD": "kBq7w-Zf0"}, "has 9 characters, expected at least 16; make one: python3 -c"),
        ({"MLFLOW_AUTH_ADMIN_PASSWORD": "password12345678"}, "MLFLOW_AUTH_ADMIN_PASSWORD is easily guessed"),
        ({"MLFLOW_AUTH_ADMIN_PASSWORD": "adminadminadminadmin"}, "MLFLOW_AUTH_ADMIN_PASSWORD is easily guessed"),
        ({"MLFLOW_FLASK_SERVER_SECRET_KEY": "short"}, "MLFLOW_FLASK_SERVER_SECRET_KEY has 5 characters"),
        ({"MLFLOW_HOST": "192.0.2.1"}, "MLFLOW_HOST is 192.0.2.1 and MLFLOW_SERVER_ALLOWED_HOSTS is not set"),
        ({"MLFLOW_BACKEND_STORE_URI": "postgresql://me:hidden@[::1/c"}, "MLFLOW_BACKEND_STORE_URI is no address"),
        ({"MLFLOW_BACKEND_STORE_URI": "postgresql://me@b:five/c"}, "MLFLOW_BACKEND_STORE_URI is no address; expected"),
        ({"MLFLOW_SERVER_ALLOWED_HOSTS": "*"}, "MLFLOW_SERVER_ALLOWED_HOSTS has *, which lets every page in"),
        ({"MLFLOW_SERVER_ALLOWED_HOSTS": "lab,*:*"}, "MLFLOW_SERVER_ALLOWED_HOSTS has *:*, which lets every page in"),
        ({"MLFLOW_SERVER_ALLOWED_HOSTS": "?*"}, "MLFLOW_SERVER_ALLOWED_HOSTS has ?*"),
        ({"MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": "*"}, "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS has *, which lets every"),
        ({"MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": "https://a.org,https://*"}, "ORIGINS has https://*, which lets every"),
        ({"MLFLOW_AUTH_ADMIN_USERNAME": "me\ndefault_permission = MANAGE"}, "has a line break in it"),
    ],
)  # fmt: skip
def test_what_is_missing_or_weak_is_refused_in_one_line(changed: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        settle(GIVEN | changed)
    text = str(refused.value)
    assert words in text
    assert "\n" not in text
    assert not [secret for secret in ("hidden", PASSWORD, KEY, changed.get("MLFLOW_AUTH_ADMIN_PASSWORD") or PASSWORD)
                if secret in text]  # fmt: skip


def test_a_refusal_is_one_line_and_exit_status_two() -> None:
    command = [sys.executable, str(ROOT / "deploy" / "serve.py")]
    done = subprocess.run(command, env={}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("error: MLFLOW_BACKEND_STORE_URI is not set; expected postgresql+psycopg2://")
    assert len(done.stderr.splitlines()) == 1
