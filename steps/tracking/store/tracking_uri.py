"""The tracking URI: whether it can be used, and what of it may be written down or shown.

It may hold a password or a token. Those are for the server alone: what is kept goes through `without_credentials` (one
URI) or `without_credentials_in` (a text), what is printed through `show_uri`. Imports no MLflow, as `check` is there
for when nothing else works.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
from urllib.parse import parse_qsl, unquote, urlsplit

from steps.errors import UserError
from steps.system.signatures import without_signatures

TRACKING_URI = "MLFLOW_TRACKING_URI"
# The server that a redirected process and its children record for. Never logged: it may hold a password.
TARGET = "FEAR_TRACKING_TARGET"
DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_LOCAL_SCHEMES = ("", "file", "sqlite")
_HTTP = ("http", "https")
_OWN_SCHEMES = (*_LOCAL_SCHEMES, *_HTTP, *DATABASE_PORTS, "databricks", "databricks-uc", "uc")
# In these an @ is part of a name (a folder, a bucket's key, a container).
_NAMES_WITH_AT = (
    *("sqlite", "file", "s3", "s3a", "r2", "gs", "gcs", "az", "abfs", "abfss", "wasb", "wasbs", "dbfs", "hdfs"),
    *("models", "runs"),
)
# What in a database's URI tells one database from another, or how to reach it, and is no secret.
_HARMLESS = {
    *("host", "hostaddr", "port", "dbname", "database", "service", "unix_socket", "driver", "charset", "options"),
    *("sslmode", "sslrootcert", "ssl_ca", "ssl_mode", "encrypt", "trustservercertificate", "application_name"),
    *("connect_timeout", "keepalives", "tcp_user_timeout", "target_session_attrs"),
    *("run_id", "experiment_id", "path", "workflowtype"),  # of MLflow's addresses
    *("mode", "cache", "timeout", "uri", "vfs", "nolock", "immutable", "check_same_thread", "versionid"),
}
_DIGEST = re.compile(r"sha256=[0-9A-Fa-f]{64}")  # what a source is expected to have
_SECRETS = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
# Shorter secrets are hidden in URIs only: elsewhere they occur in unrelated text.
_SHORTEST_SECRET = 4
_EXPECTED = (
    "http://host:5000, https://…, sqlite:///file.db, postgresql+psycopg2://…, mysql+pymysql://… or mssql+pyodbc://…"
)
_ENCODE = (
    "percent-encode the password (/ is %2F, ? is %3F, # is %23, @ is %40), or give it in MLFLOW_TRACKING_USERNAME and "
    "MLFLOW_TRACKING_PASSWORD"
)


def scheme_of(uri: str) -> str:
    """``postgresql`` for ``postgresql+psycopg2://…``; empty for a path."""
    return uri.partition(":")[0].partition("+")[0].lower() if ":" in uri else ""


def is_remote(uri: str) -> bool:
    """Whether a tracking URI means a server (HTTP or a database server) rather than files of this machine."""
    return uri.partition(":")[0] in ("databricks", "databricks-uc") or scheme_of(uri) not in _LOCAL_SCHEMES


def without_credentials(uri: str) -> str:
    """A URI without user name, password, and whatever in its query or fragment may be a secret.

    A URI whose password should have been percent-encoded has more than one reading; all that may be password goes.
    The same server gives the same text whoever asks and with whatever password.
    """
    scheme, mark, rest = uri.partition("://")
    if not mark or _plain(scheme) == "file":
        return uri
    if _plain(scheme) in _NAMES_WITH_AT:
        credentials, at, _ = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")
        rest = rest[len(credentials) + 1 :] if at and ":" in credentials else rest
    else:
        rest = rest.rpartition("@")[2]
    before, _, fragment = rest.partition("#")
    place, _, query = before.partition("?")
    page, _, options = fragment.partition("?")
    page = f"#{page}" if page and ("=" not in page or _DIGEST.fullmatch(page)) else ""
    return f"{scheme}://{place}{_harmless(query)}{page}{_harmless(options)}"


def _harmless(query: str) -> str:
    kept = "&".join(part for part in query.split("&") if part.partition("=")[0].lower() in _HARMLESS)
    return f"?{kept}" if kept else ""


def secrets_in(uri: str) -> set[str]:
    """What of a URI must not be shown, as it stands there and decoded."""
    scheme, mark, rest = uri.partition("://")
    if not mark or _plain(scheme) in _NAMES_WITH_AT:
        return set()
    credentials, _, place = rest.rpartition("@")
    user, colon, password = credentials.partition(":")
    secrets = {password if colon else user}  # https://token@host
    query = place.partition("?")[2].partition("#")[0]
    secrets |= {value for name, value in parse_qsl(query) if name.lower() not in _HARMLESS}
    return {form for secret in secrets for form in (secret, unquote(secret)) if form}


def show_uri(text: str) -> str:
    """A URI, or a text with URIs in it (an error's), fit for printing.

    Also without the password and the token of the tracking server, wherever in the text they stand.
    """
    uris = [uri for name in (TARGET, TRACKING_URI) if (uri := os.environ.get(name))]
    for uri in uris:
        text = text.replace(uri, without_credentials(uri))
    secrets = {secret for uri in uris for secret in secrets_in(uri)} | {os.environ.get(name, "") for name in _SECRETS}
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return without_credentials_in(text)


def without_credentials_in(text: str) -> str:
    """`without_credentials` for every URI in a text, and no signature; a URI ends where there is a blank."""
    text = without_signatures(text)
    return "".join(without_credentials(word) for word in re.split(r"(\s+)", text)) if "://" in text else text


def usable(uri: str) -> str:
    """The tracking URI, if MLflow can make something of it here.

    Raises:
        UserError: it is mistyped, has more than one reading, or needs a package that is missing. The message names no
            secret.
    """
    try:
        problem = _problem(uri)
        shown = without_credentials(uri if "://" in uri else f"http://{uri}").removeprefix(
            "" if "://" in uri else "http://"
        )
    except ValueError:  # a URI that cannot be parsed may hold a password anywhere
        problem, shown = (
            f"not an address; expected {_EXPECTED}. If it holds a password, {_ENCODE}",
            f"{scheme_of(uri)}://…",
        )
    if problem:
        raise UserError(f"{TRACKING_URI} is {shown[:200]!r}: {problem}")
    return uri


def _problem(uri: str) -> str:
    scheme = scheme_of(uri)
    if scheme not in _OWN_SCHEMES and scheme not in _of_plugins():
        if "://" not in uri:
            return f"no scheme; did you mean {without_credentials(f'http://{uri}')[:200]}?"
        return f"{scheme} is no kind of tracking store; expected {_EXPECTED}"
    if scheme in _HTTP:
        return _problem_of_http(uri)
    return _problem_of_database(uri) if scheme in DATABASE_PORTS else ""


def _of_plugins() -> set[str]:
    return {entry.name for entry in importlib.metadata.entry_points(group="mlflow.tracking_store")}


def _problem_of_http(uri: str) -> str:
    if not re.match(r"https?://", uri, re.IGNORECASE) or re.search(r"[\s\x00-\x1f]", uri):
        return "not an address; expected http://host:5000 or https://host"
    parts = urlsplit(uri)
    if "@" in parts.path + parts.query + parts.fragment or parts.netloc.count("@") > 1:
        return f"where the password ends is unclear; {_ENCODE}"
    if parts.query or parts.fragment:
        return "MLflow cannot use what follows ? or #; expected http://host:5000, a token in MLFLOW_TRACKING_TOKEN"
    _ = parts.port  # or ValueError
    return "" if parts.hostname else "no host; expected http://host:5000"


def _problem_of_database(uri: str) -> str:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    try:
        url = make_url(uri)
        if "@" in f"{url.host}{url.database}":
            return "where the password ends is unclear; percent-encode it (@ is %40, / is %2F, ? is %3F, # is %23)"
        url.get_dialect().import_dbapi()
    except NoSuchModuleError:
        return f"no such driver; expected {_EXPECTED}"
    except ArgumentError as error:
        raise ValueError("not an address") from error
    except ImportError as error:
        return (
            f"its driver is missing ({error.name}); install it, or name one that is there, as postgresql+psycopg2://…"
        )
    return ""


def _plain(scheme: str) -> str:
    """The scheme at the end of what stands before ``://``, without a driver."""
    match = re.search(r"([a-z][a-z0-9.-]*)(\+[a-z0-9.+-]*)?$", scheme, re.IGNORECASE)
    return match[1].lower() if match else ""
