"""Is a tracking server there? Asked without MLflow, which would retry a silent one for minutes."""

from __future__ import annotations

import os
import re
import socket

from steps.tracking.store.tracking_uri import DATABASE_PORTS

CERTIFICATE_MEND = (
    "set MLFLOW_TRACKING_SERVER_CERT_PATH to the server's certificate, or use http:// where it speaks no TLS"
)


def get(url: str, timeout: float) -> tuple[int, str]:
    """Status and text of a GET, with the certificates and the identity MLflow would use."""
    import requests

    verify: bool | str = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("1", "true"):
        verify = False
    user, password = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_PASSWORD")
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    answer = requests.get(
        url,
        timeout=timeout,
        verify=verify,
        auth=(user, password) if user and password else None,
        headers={"Authorization": f"Bearer {token}"} if token else None,
        cert=os.environ.get("MLFLOW_TRACKING_CLIENT_CERT_PATH"),
    )
    return answer.status_code, answer.text


def certificate_problem(text: str) -> str:
    """What an error says about certificates; empty where it is about something else."""
    if match := re.search(r"Could not find the TLS [^:]*: \S+|invalid path: \S+", text):
        return f"a certificate's file is missing ({match[0]})"
    if match := re.search(r"certificate verify failed[^'\"()]*", text):
        return f"its certificate is not trusted ({match[0].strip().lower()})"
    return "it speaks no TLS" if "WRONG_VERSION_NUMBER" in text else ""


def connect_once(uri: str) -> None:
    """Raise at once what MLflow would raise after two minutes of attempts: a wrong password, a missing database."""
    import sqlalchemy
    from sqlalchemy.pool import NullPool

    engine = sqlalchemy.create_engine(uri, poolclass=NullPool)
    engine.connect().close()
    engine.dispose()


def knock_at_database(uri: str, timeout: float) -> str:
    """Connect to the port, or the socket, of a database server; returns where that is.

    A server that only its driver knows to find is taken to be there.

    Raises:
        OSError: nobody is there.
    """
    from sqlalchemy.engine import make_url  # it parses these addresses in its own way

    url = make_url(uri)
    port = url.port or int(str(url.query.get("port") or DATABASE_PORTS[url.get_backend_name()]))
    host = url.host or str(url.query.get("host") or url.query.get("unix_socket") or "")
    if host.startswith("/"):
        path = f"{host}/.s.PGSQL.{port}" if url.get_backend_name() == "postgresql" else host
        with socket.socket(socket.AF_UNIX) as local:
            local.settimeout(timeout)
            local.connect(path)
        return path
    if host:
        socket.create_connection((host, port), timeout).close()
        return f"{host}:{port}"
    return "of the driver's choice"
