"""Start a tracking server with log-in, from environment variables alone.

    python deploy/serve.py

It checks what it is given, writes the settings of MLflow's log-in into a private folder and becomes ``mlflow server``.
It needs nothing of this project: MLflow 3 with its extra ``auth``, psycopg2 for PostgreSQL, boto3 for S3.

Secrets come from variables, or from files named by ``NAME_FILE``, as containers hand them over. None is on a command
line, and none in an address or in the settings that are written: PostgreSQL's password goes to its own library by
``PGPASSWORD``.

| variable | | |
|---|---|---|
| ``MLFLOW_BACKEND_STORE_URI`` | required | ``postgresql+psycopg2://mlflow@database:5432/mlflow``, or ``sqlite:////…`` |
| ``PGPASSWORD``, ``…_FILE`` | for PostgreSQL | password of that user |
| ``MLFLOW_AUTH_DATABASE_URI`` | the same | where users and permissions are; MLflow's tables get along in one database |
| ``MLFLOW_ARTIFACTS_DESTINATION`` | required | ``s3://bucket/folder``, or a folder |
| ``MLFLOW_S3_ENDPOINT_URL`` | Amazon's | address of the S3 store |
| ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``…_FILE`` | with an endpoint | keys of the S3 store |
| ``MLFLOW_AUTH_ADMIN_PASSWORD``, ``…_FILE`` | required | of the first account; read only when it is made |
| ``MLFLOW_AUTH_ADMIN_USERNAME`` | ``admin`` | its name |
| ``MLFLOW_FLASK_SERVER_SECRET_KEY``, ``…_FILE`` | required | signs the form that makes users; stays the same |
| ``MLFLOW_HOST``, ``MLFLOW_PORT``, ``MLFLOW_WORKERS`` | 127.0.0.1, 5000, 4 | |
| ``MLFLOW_SERVER_ALLOWED_HOSTS`` | beyond loopback | names that clients call it by, with a port that is not 443 |
| ``MLFLOW_SERVER_CORS_ALLOWED_ORIGINS`` | ``https://`` and these | where its pages are opened |
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import urlsplit

_SECRETS: Final = (
    "PGPASSWORD",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "MLFLOW_AUTH_ADMIN_PASSWORD",
    "MLFLOW_FLASK_SERVER_SECRET_KEY",
)
_MAKE_ONE: Final = "make one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
_DATABASES: Final = "postgresql+psycopg2://user@host:5432/database or sqlite:////folder/file.db"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
# Whatever else the environment says: everything asks who you are, and what no rule allows is refused.
_ALWAYS: Final = {
    "MLFLOW_SERVE_ARTIFACTS": "true",
    "MLFLOW_BASIC_AUTH_FAIL_CLOSED": "true",
    "MLFLOW_SERVER_ENABLE_GRAPHQL_AUTH": "true",
    "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "false",
    # A version of one's own that says its files are somebody else's in the S3 store: MLflow would fetch them with the
    # server's keys. Of these addresses it asks who may read what they name.
    "MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX": "^(mlflow-artifacts|models|runs):/",
}
# Telemetry tells others; jobs are for language models, and seven processes more.
_UNLESS_SAID: Final = {
    "MLFLOW_HOST": "127.0.0.1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


class ConfigurationError(Exception):
    """What is missing or cannot be used, in one line."""


def settle(environment: MutableMapping[str, str]) -> str:
    """Turn the variables this file is given into those that MLflow reads.

    Args:
        environment: changed in place; secrets from files are in it afterwards.

    Returns:
        The text of the settings of MLflow's log-in, without a secret.

    Raises:
        ConfigurationError: something is missing, or cannot be used.
    """
    _, users = settle_stores(environment)
    _check_strength(environment, "MLFLOW_AUTH_ADMIN_PASSWORD", 16)
    _check_strength(environment, "MLFLOW_FLASK_SERVER_SECRET_KEY", 32)
    _need("flask_wtf", "mlflow[auth]", "users log in")
    environment.update(_ALWAYS)
    for name, value in _UNLESS_SAID.items():
        environment[name] = environment.get(name) or value
    environment.pop("MLFLOW_DEFAULT_ARTIFACT_ROOT", None)  # clients would be sent to the store itself
    _name_hosts(environment)
    _check_origins(environment)
    return _settings(users, environment.get("MLFLOW_AUTH_ADMIN_USERNAME") or "admin")


def settle_stores(environment: MutableMapping[str, str]) -> tuple[str, str]:
    """Read the secrets and say where rows are kept: what a backup needs to know, too.

    Args:
        environment: changed in place, as by `settle`.

    Returns:
        The addresses of the database of runs and of the one of users, without a password.

    Raises:
        ConfigurationError: something is missing, or cannot be used.
    """
    for name in _SECRETS:
        _read_secret(environment, name)
    runs = _database(environment, "MLFLOW_BACKEND_STORE_URI")
    environment["MLFLOW_AUTH_DATABASE_URI"] = environment.get("MLFLOW_AUTH_DATABASE_URI") or runs
    users = _database(environment, "MLFLOW_AUTH_DATABASE_URI")
    _check_artifacts(environment)
    return runs, users


def _read_secret(environment: MutableMapping[str, str], name: str) -> None:
    file = environment.pop(f"{name}_FILE", "")
    if not file:
        return
    if environment.get(name):
        raise ConfigurationError(f"{name} and {name}_FILE are both set; unset one of them")
    try:
        secret = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConfigurationError(f"{name}_FILE names {file}, which cannot be read: {reason}") from error
    if not secret:
        raise ConfigurationError(f"{name}_FILE names {file}, which is empty")
    environment[name] = secret


def _database(environment: MutableMapping[str, str], name: str) -> str:
    uri = environment.get(name) or ""
    if not uri:
        raise ConfigurationError(f"{name} is not set; expected {_DATABASES}")
    try:
        parts = urlsplit(uri)
        parts.port  # noqa: B018 - read for its error
    except ValueError as error:
        raise ConfigurationError(f"{name} is no address; expected {_DATABASES}") from error
    if parts.scheme == "sqlite":
        return uri
    if parts.scheme not in ("postgresql", "postgresql+psycopg2") or not parts.hostname or not parts.path.strip("/"):
        raise ConfigurationError(f"{name} is an address of {parts.scheme or 'nothing'}; expected {_DATABASES}")
    if parts.password is not None or "password=" in parts.query:
        raise ConfigurationError(
            f"{name} has a password in it, which logs would show; take it out, and set PGPASSWORD or PGPASSWORD_FILE"
        )
    if not environment.get("PGPASSWORD"):
        raise ConfigurationError("PGPASSWORD (or PGPASSWORD_FILE) is not set; expected the password of PostgreSQL")
    _need("psycopg2", "psycopg2-binary", f"{name} is PostgreSQL")
    # Of `postgresql://`, SQLAlchemy makes another driver.
    environment[name] = parts._replace(scheme="postgresql+psycopg2").geturl()
    return environment[name]


def _check_artifacts(environment: MutableMapping[str, str]) -> None:
    place = environment.get("MLFLOW_ARTIFACTS_DESTINATION") or ""
    if not place:
        raise ConfigurationError("MLFLOW_ARTIFACTS_DESTINATION is not set; expected s3://bucket/folder or a folder")
    if not place.startswith("s3://"):
        return
    _need("boto3", "boto3", "MLFLOW_ARTIFACTS_DESTINATION is S3")
    if environment.get("MLFLOW_S3_ENDPOINT_URL"):  # Amazon's may come from a machine's role
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            if not environment.get(name):
                raise ConfigurationError(f"{name} (or {name}_FILE) is not set; expected a key of the S3 store")


def _check_strength(environment: MutableMapping[str, str], name: str, length: int) -> None:
    secret = environment.get(name) or ""
    if not secret:
        raise ConfigurationError(f"{name} (or {name}_FILE) is not set; {_MAKE_ONE}")
    if len(secret) < length:
        raise ConfigurationError(f"{name} has {len(secret)} characters, expected at least {length}; {_MAKE_ONE}")
    if len(set(secret)) < 8 or any(word in secret.lower() for word in ("password", "changeme", "change-me")):
        raise ConfigurationError(f"{name} is easily guessed; {_MAKE_ONE}")


def _name_hosts(environment: MutableMapping[str, str]) -> None:
    """MLflow answers nobody who calls it by another name, and no page that was opened elsewhere."""
    hosts = [host.strip() for host in (environment.get("MLFLOW_SERVER_ALLOWED_HOSTS") or "").split(",") if host.strip()]
    if not hosts:
        if environment["MLFLOW_HOST"] not in _LOOPBACK:
            raise ConfigurationError(
                f"MLFLOW_HOST is {environment['MLFLOW_HOST']} and MLFLOW_SERVER_ALLOWED_HOSTS is not set; expected the "
                "names that clients call this server by, separated by commas, such as mlflow.example.org"
            )
        return
    if everybody := [host for host in hosts if _fits_all(host)]:
        raise ConfigurationError(
            f"MLFLOW_SERVER_ALLOWED_HOSTS has {everybody[0]}, which lets every page in; expected names"
        )
    origins = ",".join(f"https://{host}" for host in hosts)
    environment.setdefault("MLFLOW_SERVER_CORS_ALLOWED_ORIGINS", origins)


def _check_origins(environment: MutableMapping[str, str]) -> None:
    """MLflow's pages may not be read by every page that somebody with a password has open."""
    for origin in (environment.get("MLFLOW_SERVER_CORS_ALLOWED_ORIGINS") or "").split(","):
        if origin.strip() and _fits_all(origin.strip().rpartition("://")[2]):
            raise ConfigurationError(
                f"MLFLOW_SERVER_CORS_ALLOWED_ORIGINS has {origin.strip()}, which lets every page in; expected "
                "addresses such as https://mlflow.example.org"
            )


def _fits_all(host: str) -> bool:
    """Whether a host, perhaps with a port, is a pattern for any: MLflow reads ``*`` and ``?`` as a shell does."""
    return "*" in host and not re.search(r"[^*?.\[\]]", host.rpartition(":")[0] or host)


def _need(module: str, package: str, why: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise ConfigurationError(f"{why}, and {module} is not installed; pip install '{package}'")


def _settings(database_uri: str, admin: str) -> str:
    """Who owns nothing and was given nothing sees nothing: sharing is said, by the owner or an admin."""
    values = {
        "default_permission": "NO_PERMISSIONS",
        "database_uri": database_uri,
        "admin_username": admin,
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
        # A password is hashed at every request otherwise, which takes 0.07 s. A changed or removed account is
        # known to the other workers of the server after as many seconds.
        "auth_cache_ttl_seconds": "60",
    }
    if odd := [value for value in values.values() if not value.isprintable()]:
        raise ConfigurationError(f"{odd[0]!r} has a line break in it or the like; expected printable characters")
    return "\n".join(["[mlflow]", *(f"{name} = {value.replace('%', '%%')}" for name, value in values.items()), ""])


def _written(settings: str) -> Path:
    try:
        path = Path(tempfile.mkdtemp(prefix="mlflow-login-")) / "basic_auth.ini"  # nobody else may enter the folder
        path.touch(mode=0o600)
        path.write_text(settings, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"no settings can be written among temporary files ({error}); set TMPDIR") from error
    return path


def main() -> NoReturn:
    """Check, write the settings, and become the server."""
    try:
        os.environ["MLFLOW_AUTH_CONFIG_PATH"] = str(_written(settle(os.environ)))
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth"])  # noqa: S606


if __name__ == "__main__":
    main()
