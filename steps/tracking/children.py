"""Running a step as an MLflow Project run of this project, nested under the active run."""

from __future__ import annotations

import logging
import os
import pty
import re
import sys
import threading
import tty
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import ExecutionException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_PROJECT_ENTRY_POINT

from steps.errors import UserError
from steps.tracking.environment import ROOT

_TAIL_LINES = 15
# What TensorFlow's C++ says about missing GPUs would push the cause out of the last lines.
_NOISE = re.compile(rb"[IWE]\d{4} |WARNING: All log messages before absl")


def run_step(entry_point: str, parameters: Mapping[str, object], parent: Run) -> str:
    """Run an entry point of this project in this environment and return its run ID.

    Raises:
        UserError: the step failed; its last lines of output have been printed again.
    """
    values = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in parameters.items()}
    # It announces a temporary folder per step; importing mlflow.projects has reset the level.
    logging.getLogger("mlflow.projects.utils").setLevel(logging.WARNING)
    with tail_of_output(_TAIL_LINES) as tail:
        try:
            submitted = mlflow.projects.run(
                uri=str(ROOT),
                entry_point=entry_point,
                parameters=values,
                experiment_id=parent.info.experiment_id,
                run_name=entry_point,
                env_manager="local",  # the driver already runs in the project's environment
            )
        except ExecutionException:
            submitted = None
    if submitted is not None:
        return str(submitted.run_id)
    print(f"\nstep {entry_point} failed; its last lines:", file=sys.stderr)
    for line in tail:
        print(f"  | {line}", file=sys.stderr)
    raise UserError(f"step {entry_point} failed (run {_newest_child(entry_point, parent)}); the study stops here")


def _newest_child(entry_point: str, parent: Run) -> str:
    found = MlflowClient().search_runs(
        [parent.info.experiment_id],
        f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent.info.run_id}' "
        f"and tags.`{MLFLOW_PROJECT_ENTRY_POINT}` = '{entry_point}'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    return str(found[0].info.run_id) if found else "unknown"


@contextmanager
def tail_of_output(lines: int) -> Iterator[deque[str]]:
    """Pass on what this process and its children print, and keep the last lines of it.

    Works on file descriptors, because a crashing child writes to nothing else; a terminal stays a terminal
    (through a pseudo-terminal), so that progress bars still are bars.
    """
    tail: deque[str] = deque(maxlen=lines)
    sys.stdout.flush()
    sys.stderr.flush()
    with ExitStack() as stack:
        for descriptor in (1, 2):
            stack.enter_context(_copied(descriptor, tail))
        try:
            yield tail
        finally:
            sys.stdout.flush()
            sys.stderr.flush()


@contextmanager
def _copied(descriptor: int, tail: deque[str]) -> Iterator[None]:
    original = os.dup(descriptor)
    if os.isatty(descriptor):
        reader, writer = pty.openpty()
        tty.setraw(writer)
        _copy_window_size(original, writer)
    else:
        reader, writer = os.pipe()
    os.dup2(writer, descriptor)
    os.close(writer)
    thread = threading.Thread(target=_pump, args=(reader, original, tail), daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.dup2(original, descriptor)  # closes the last writer here; the reader sees the end
        thread.join(timeout=5)
        os.close(reader)
        os.close(original)


def _copy_window_size(source: int, target: int) -> None:
    import fcntl
    import termios

    fcntl.ioctl(target, termios.TIOCSWINSZ, fcntl.ioctl(source, termios.TIOCGWINSZ, b"\0" * 8))


def _pump(reader: int, original: int, tail: deque[str]) -> None:
    rest = b""
    while True:
        try:
            chunk = os.read(reader, 65536)
        except OSError:  # a pseudo-terminal without writers reports an input/output error
            chunk = b""
        if not chunk:
            break
        os.write(original, chunk)
        *complete, rest = (rest + chunk).split(b"\n")
        tail.extend(_text(line) for line in complete if line.strip() and not _NOISE.match(line))
    if rest.strip():
        tail.append(_text(rest))


def _text(line: bytes) -> str:
    # Of a progress bar only the last state counts.
    return line.decode(errors="replace").rstrip().rpartition("\r")[2]
