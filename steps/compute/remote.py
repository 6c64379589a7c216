"""What a worker of a cluster does with a piece of work."""

from __future__ import annotations

import importlib.metadata
import pickle
import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from distributed import get_worker
from distributed.worker import thread_state

from steps.compute.process import work_for
from steps.errors import UserError
from steps.system.scratch import temporary_files

TOPIC = "fear-classification"
# Packages whose versions can change results.
_DECISIVE = ("tensorflow", "keras", "numpy", "scipy", "scikit-learn", "pandas", "pyarrow", "mlflow")


class NotWantedError(Exception):
    """Whoever handed out this work has given it up."""


@cache
def versions() -> dict[str, str]:
    """Interpreter and packages of this process that decide results."""
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in _DECISIVE}}


def call(pool: str, expected: Mapping[str, str], payload: bytes) -> bytes:
    """Do what ``payload`` holds, pickled: a function and its arguments; its result, pickled.

    Args:
        pool: name of the pool it belongs to.
        expected: what `versions` says where the work comes from.
        payload: the work.

    Raises:
        UserError: this worker has other versions.
        Exception: whatever the function raised.
    """
    worker, key = get_worker(), thread_state.key
    if differing := [f"{name} {version}" for name, version in versions().items() if expected.get(name) != version]:
        wanted = ", ".join(f"{name} {version}" for name, version in expected.items() if versions().get(name) != version)
        raise UserError(
            f"worker {worker.address} ({platform.node()}) has {', '.join(differing)}, expected {wanted} as on this "
            "side: results would differ; start workers in an environment made from the same conda.yaml"
        )

    def send(event: Any) -> None:
        task = worker.state.tasks.get(key)
        if task is None or task.state == "cancelled":
            raise NotWantedError(key)
        worker.log_event(TOPIC, {"pool": pool, "event": pickle.dumps(event)})

    with temporary_files():
        work_for(pool, send, Path(worker.local_directory))
        function, arguments = pickle.loads(payload)  # noqa: S301 - from the scheduler, who may run anything here
        return pickle.dumps(function(*arguments))
