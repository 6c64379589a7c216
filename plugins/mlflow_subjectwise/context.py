"""What a run is part of, as tags of every run: study, task, device, site, and a pseudonym of who operates.

From the environment (``MLFLOW_STUDY``, ``MLFLOW_TASK``, ``MLFLOW_DEVICE``, ``MLFLOW_SITE``, ``MLFLOW_OPERATOR``), or
from a file: ``mlflow-context.yaml`` in the working directory, or the one that ``MLFLOW_CONTEXT_FILE`` names, with a
line ``name: value`` for each. The environment wins.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import warnings
from pathlib import Path

import yaml
from mlflow.tracking.context.abstract_context import RunContextProvider

NAMES = ("study", "task", "device", "site", "operator")
FILE, FILE_VARIABLE, KEY_VARIABLE = "mlflow-context.yaml", "MLFLOW_CONTEXT_FILE", "MLFLOW_OPERATOR_KEY"
_LONGEST = 250
_LARGEST = 64 << 10  # bytes of a file
_DIGITS = 12


class StudyContext(RunContextProvider):
    """MLflow asks it when ``mlflow.start_run`` makes a run."""

    def in_context(self) -> bool:
        """Whether anything is known."""
        return bool(_given())

    def tags(self) -> dict[str, str]:
        """``study``, ``task``, ``device``, ``site`` and ``operator``, those that are known.

        The operator is a keyed hash (HMAC-SHA256, 12 digits): the same person has the same pseudonym wherever the same
        key is, ``MLFLOW_OPERATOR_KEY``, and nobody can tell who it is without that. Without a key there is no tag: a
        hash of a name alone is guessed by trying names.
        """
        given = _given()
        operator = given.pop("operator", "")
        if operator and (key := os.environ.get(KEY_VARIABLE, "")):
            digest = hmac.new(key.encode(), operator.strip().casefold().encode(), hashlib.sha256).hexdigest()
            given["operator"] = digest[:_DIGITS]
        elif operator:
            warnings.warn(f"the operator is not recorded: set {KEY_VARIABLE} to a secret of your site", stacklevel=2)
        return given


def _given() -> dict[str, str]:
    of_file = _of_file()
    values = {name: os.environ.get(f"MLFLOW_{name.upper()}") or of_file.get(name, "") for name in NAMES}
    return {name: value[:_LONGEST] for name, value in values.items() if value}


def _of_file() -> dict[str, str]:
    """What the file says; a file that cannot be used is a warning, as a run must not fail for want of a tag."""
    named = os.environ.get(FILE_VARIABLE)
    path = Path(named or FILE)
    if not named and not path.is_file():
        return {}
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("it is too large")
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict):
            raise ValueError("it holds no lines 'name: value'")
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:200]
        warnings.warn(f"{path}: {reason}; expected some of {', '.join(NAMES)}, one in a line", stacklevel=2)
        return {}
    if unknown := sorted(str(name) for name in document if name not in NAMES):
        warnings.warn(f"{path}: {unknown[0]!r} is none of {', '.join(NAMES)}, and not recorded", stacklevel=2)
    return {name: str(document[name]) for name in NAMES if document.get(name) is not None}
