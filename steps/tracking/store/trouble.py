"""What is the matter with a tracking server, and whether waiting helps.

A server that is down, slow or full comes back. One that does not trust us, that we do not trust, or that is too old
does not; then only doing something helps, and what to do is said at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import requests
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from steps.system.deadline import line_to
from steps.tracking.store.cloud import StoreError
from steps.tracking.store.knock import CERTIFICATE_MEND, certificate_problem, get, knock_at_database
from steps.tracking.store.tracking_uri import DATABASE_PORTS, scheme_of, show_uri

# What MLflow's clients raise when a server fails. Any other exception is a bug.
FAILURES = (MlflowException, requests.RequestException, SQLAlchemyError, OSError)
_PROBE_S = 2.0
_AWAY = "the server does not answer"
_STATUS_OF = {"UNAUTHENTICATED": 401, "CUSTOMER_UNAUTHORIZED": 401, "PERMISSION_DENIED": 403, "ENDPOINT_NOT_FOUND": 404}
# Servers and proxies that answer in JSON of their own: MLflow drops the status.
_STATUS_IN_WORDS = {"unauthorized": 401, "not authenticated": 401, "forbidden": 403, "'detail': 'not found'": 404}
_LONGEST_WORDS = 100
_IDENTITY = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD (or MLFLOW_TRACKING_TOKEN)"
# The drivers of PostgreSQL, MySQL and SQL Server agree on nothing but English.
_REFUSED = re.compile(
    "authentication failed|no password supplied|access denied|login failed|no pg_hba.conf entry|permission denied|"
    "command denied|role .* does not exist"
)
# Of what is behind it, a server passes on that it failed and no more.
_NOT_FOR_FILES = re.compile(r"/mlflow-artifacts/.*too many (5\d\d) error responses", re.DOTALL)
# Of a large file; the status is that of a cloud's store.
_PARTS = re.compile(r"Failed to upload at least one part of \S*?([^/\s]+)\. Errors:")
_PART_STATUS = re.compile(r"\b([45]\d\d) (?:Server|Client) Error")
_SENT_ON = re.compile(r"error code (30[12378]) != 200")
_SUMMARY = "The following failures occurred"
_NO_DATABASE = re.compile("database .* does not exist|unknown database|cannot open database")


@dataclass(frozen=True)
class Trouble:
    """Why a server cannot be worked with.

    Attributes:
        reason: one line, without secrets.
        mend: what to do, one line; empty where waiting helps.
    """

    reason: str
    mend: str = ""


def probe(uri: str, timeout_s: float = _PROBE_S) -> Trouble | None:
    """Ask a server whether it is there, for twice ``timeout_s`` at the most; None when it is.

    It does not tell what this account may do there.
    """
    try:
        line_to(uri).within(2 * timeout_s, lambda: _knock(uri, timeout_s))
    except (requests.RequestException, OSError) as error:
        problem = certificate_problem(str(error))
        return Trouble(problem, CERTIFICATE_MEND) if problem else Trouble(_AWAY)
    except ValueError:  # urllib3 on an address that is none, such as one of a damaged record
        return Trouble("this is no address of a server", "correct MLFLOW_TRACKING_URI")
    return None


def reachable(uri: str, timeout_s: float = _PROBE_S) -> bool:
    """Whether the server answers, as far as `probe` tells."""
    return probe(uri, timeout_s) is None


def _knock(uri: str, timeout_s: float) -> None:
    scheme = scheme_of(uri)
    if scheme in ("http", "https"):
        status, _ = get(f"{uri.rstrip('/')}/health", timeout_s)
        if status >= 500:
            raise ConnectionError(f"HTTP {status}")
    elif scheme in DATABASE_PORTS:
        knock_at_database(uri, timeout_s)


def trouble_with(error: BaseException) -> Trouble:
    """What an exception of MLflow's client, requests or SQLAlchemy says about the server."""
    if isinstance(error, StoreError):
        return Trouble(error.reason, error.mend)
    text = str(error)
    status, words = _status(error), text.lower()
    if problem := certificate_problem(text):
        return Trouble(problem, CERTIFICATE_MEND)
    if status == 401:
        return Trouble(
            "the server asks who you are, or does not know this name and password (HTTP 401)",
            f"set {_IDENTITY} as for an account there; a spool keeps no password",
        )
    if status == 403:
        return Trouble(
            "the server does not let this account do that (HTTP 403)",
            "ask the server's owner for permission to write (an experiment and a registered model belong to who made "
            f"them), or set {_IDENTITY} to an account that has it",
        )
    if sent_on := _SENT_ON.search(text):
        return Trouble(
            f"the server sends us on to another address (HTTP {sent_on[1]})",
            "set MLFLOW_TRACKING_URI to that address, perhaps https:// instead of http://",
        )
    if status == 404:
        return Trouble(
            f"the server is too old, or none of MLflow's (HTTP 404: {one_line(error).partition('. Response body')[0]})",
            "use a server of MLflow 3, or correct MLFLOW_TRACKING_URI",
        )
    if status == 413:
        return Trouble(
            f"a file is larger than the server takes ({one_line(error).removeprefix('413 Client Error: ')})",
            "ask the server's owner to take larger ones (MLFLOW_MAX_ARTIFACT where it is this project's deploy/)",
        )
    if isinstance(error, OSError):
        return Trouble(one_line(error))
    if failing := _NOT_FOR_FILES.search(text):
        return Trouble(
            f"the server answers, but not for files (HTTP {failing[1]}): where it keeps them, S3 or a disk, is away, "
            "full, or refuses it"
        )
    if part := _PARTS.search(text):
        answer = _PART_STATUS.search(text)
        what = f"answers HTTP {answer[1]}" if answer else "cannot be reached"
        return Trouble(f"the store that it sends us to for {part[1]} {what}")
    if _REFUSED.search(words):
        return Trouble(
            f"the database refuses this account ({one_line(error)})",
            "set MLFLOW_TRACKING_URI with the name and password of an account that may write there; a spool keeps none",
        )
    if _NO_DATABASE.search(words):
        return Trouble(one_line(error), "make the database, or correct MLFLOW_TRACKING_URI")
    return Trouble(one_line(error))


def is_forbidden(error: BaseException) -> bool:
    """Whether the server knows who we are and does not let us."""
    return _status(error) == 403


def failed(server: str, trouble: Trouble) -> str:
    """What is the matter with a server, and what to do about it if waiting does not help."""
    return f"tracking server {server} failed ({trouble.reason})" + (f": {trouble.mend}" if trouble.mend else "")


def _status(error: BaseException) -> int | None:
    """The HTTP status behind an exception, where it says who may do what or that something is not there."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return int(error.response.status_code)
    if not isinstance(error, MlflowException):
        return None
    if error.error_code in _STATUS_OF:
        return _STATUS_OF[error.error_code]
    words = str(error).lower()
    if error.error_code != "INTERNAL_ERROR" or len(words) > _LONGEST_WORDS:
        return None
    return next((status for word, status in _STATUS_IN_WORDS.items() if word in words), None)


def one_line(error: BaseException) -> str:
    """The first line of what went wrong, without passwords."""
    lines = show_uri(str(error)).strip().splitlines()
    if len(lines) > 2 and lines[0].startswith(_SUMMARY):  # then the name of a file, and what is wrong with it
        lines = [f"{lines[1].strip('# ')}: {lines[2]}"]
    return (lines[0] if lines else type(error).__name__)[:400]
