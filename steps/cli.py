"""The door of a step: options from the parameter table, one clear line for a user's mistake."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import click

from steps.errors import UserError
from steps.parameters import options
from steps.private_files import owner_alone

USER_ERROR = 2


def _stop(_signal: int, _frame: object) -> None:
    """Unwind, once: Ctrl-C reaches parent and child, and then the parent ends the child, which is unwinding already."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _seldom_collect_garbage() -> None:
    """Let Python search for reference cycles rarely, and not at the end.

    Nearly all that is made while TensorFlow and MLflow are imported stays: searching through it takes a sixth to a
    quarter of the time, and half a second more when the process ends and everything goes anyway.
    """
    gc.set_threshold(100_000, 50, 100)
    atexit.register(gc.freeze)


def _take_turns_quickly() -> None:
    """Let a thread that only hands work to another process wait for Python's lock for half a millisecond, not five."""
    sys.setswitchinterval(0.0005)


def _set_defaults() -> None:
    """Settings of libraries that read them when they are imported; what the user has set stays."""
    for name, value in {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # a bar for every small file
        "MLFLOW_DISABLE_TELEMETRY": "true",  # of a clinic's studies nothing is told to anybody, not even their number
        # Processes are our way to use the cores. OpenBLAS's threads would spin from the start, waiting for work.
        "OPENBLAS_NUM_THREADS": "1",
    }.items():
        os.environ.setdefault(name, value)


def door(entry_point: str) -> Callable[[Callable[..., None]], click.Command]:
    """Make a click command of a function that takes the parameters of ``entry_point`` as a mapping.

    The command first goes to the folder the user typed it in (``cwd``), so that relative paths, the default
    store and its artifacts all mean that folder. What it makes, whatever the umask, its owner alone may read, until it
    returns. A ``UserError`` is printed as one line, exit status 2. What takes long
    to import is best imported by the function.
    """

    def decorate(function: Callable[[dict[str, Any]], None]) -> click.Command:
        @click.command(entry_point, help=function.__doc__, context_settings={"max_content_width": 110})
        @options(entry_point)
        def command(**parameters: Any) -> None:
            _seldom_collect_garbage()
            _take_turns_quickly()
            try:
                os.chdir(parameters["cwd"])
            except OSError as error:
                raise click.BadParameter(f"cwd={parameters['cwd']!r}: {error.strerror}") from error
            # Libraries announce every migration and every missing GPU driver.
            for name in ("alembic", "mlflow.store.db.utils", "mlflow.system_metrics.system_metrics_monitor"):
                logging.getLogger(name).setLevel(logging.WARNING)
            _set_defaults()
            # Python ends on SIGTERM without unwinding, which would leave runs that seem to be running for ever.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, _stop)
            try:
                with owner_alone():  # what is made of recordings of people, by MLflow and by processes that are started
                    function(parameters)
            except UserError as error:
                click.echo(f"error: {error}", err=True)
                sys.exit(USER_ERROR)

        return command

    return decorate
