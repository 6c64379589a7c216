"""How to open what was recorded."""

from __future__ import annotations

import shlex
from pathlib import Path
from urllib.parse import unquote

import mlflow

from steps.tracking.spool import show_uri


def ui_hint(page: str = "") -> str:
    """The address, or the command and the address, that show ``page`` of the current store.

    Args:
        page: what follows the address, such as ``#/experiments/1``.
    """
    uri = mlflow.get_tracking_uri()
    if uri.startswith("http"):
        return f"see it at {show_uri(uri).rstrip('/')}/{page}"
    folder = Path.cwd()
    is_default = unquote(uri) == f"sqlite:///{folder / 'mlflow.db'}"
    option = "" if is_default else f" --backend-store-uri {shlex.quote(show_uri(uri))}"
    return f"see it with: cd {shlex.quote(str(folder))} && mlflow ui{option}   then http://127.0.0.1:5000/{page}"
