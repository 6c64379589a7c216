"""The store of this process: which one it is, and opening it for the first time."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
from filelock import FileLock

from steps.system.scratch import common_folder
from steps.tracking.store.tracking_uri import TRACKING_URI, usable

_SAMPLING_S = "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"


def pin_tracking_uri() -> None:
    """Make the tracking URI absolute and hand it to every child process through the environment.

    A relative SQLite path means the folder the command was typed in; a child that runs elsewhere would
    resolve it again and lose the run.

    Raises:
        UserError: it cannot be used.
    """
    uri = os.environ.get(TRACKING_URI) or mlflow.get_tracking_uri()
    os.environ[TRACKING_URI] = absolute_uri(usable(uri), Path.cwd())
    # MLflow prints the address of every run that ends, with the password that the tracking URI may hold.
    os.environ.setdefault(_SAMPLING_S, "5")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")


def absolute_uri(uri: str, folder: Path) -> str:
    """``sqlite:///mlflow.db`` with the path resolved against ``folder``; any other URI unchanged."""
    match = re.fullmatch(r"(sqlite(?:\+\w+)?:///)(?!/|:memory:)([^?]+)(\?.*)?", uri)
    if not match:
        return uri
    return f"{match[1]}{folder.resolve() / match[2]}{match[3] or ''}"


@contextmanager
def making(uri: str) -> Iterator[None]:
    """To be held while a SQLite store is opened for the first time.

    MLflow makes the tables of a tracking store without a lock: of two processes that do it at once, one fails.
    """
    if not uri.startswith("sqlite"):
        yield
        return
    name = f"fear-store-{os.getuid()}-{hashlib.sha256(uri.encode()).hexdigest()[:16]}.lock"
    with FileLock(common_folder() / name):
        yield
