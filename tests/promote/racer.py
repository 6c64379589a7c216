"""A process of its own that appoints champions, at set times; at last it is killed while it does.

python -m tests.promote.racer <version> <rounds>   (when to start is read from standard input)
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

from mlflow import MlflowClient

from steps.errors import UserError
from steps.tracking.promotion import Entry, appoint

INTERVAL_S = 0.25


def entry(version: str, run_id: str, before: str = "") -> Entry:
    """A promotion."""
    return Entry(
        action="promoted", version=version, before=before, by="somebody", at="2026-11-28T12:00:00Z", run_id=run_id
    )


def race(version: str, rounds: int) -> None:
    """Appoint a version of model after model, each at its time; a line says what came of it."""
    MlflowClient().search_registered_models()
    print("ready", flush=True)
    start = float(sys.stdin.readline())
    for number in range(rounds):
        time.sleep(max(0.0, start + number * INTERVAL_S - time.time()))
        try:
            appoint(f"m{number}", entry(version, f"{version}" * 32))
            print("won", flush=True)
        except UserError as error:
            print(error, flush=True)


def killed(version: str) -> None:
    """Die right before the alias is moved."""

    def die(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    MlflowClient.set_registered_model_alias = die
    appoint(f"killed{version}", entry(version, "c" * 32))


if __name__ == "__main__":
    race(sys.argv[1], int(sys.argv[2]))
    killed(sys.argv[1])
