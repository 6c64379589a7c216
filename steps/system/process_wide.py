"""Everything that a command changes in its whole process, and undoes when it returns."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from steps.errors import UserError, shown
from steps.system.private_files import owner_alone
from steps.system.scratch import temporary_files

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def process_of_a_command(
    folder: str, environment: Mapping[str, str], loggers: Mapping[str, logging.Filter]
) -> Iterator[None]:
    """Inside the block the process is a command's; afterwards it is as before, whatever the command changed itself.

    That is: the environment and the working directory; SIGINT and SIGTERM, which raise KeyboardInterrupt inside, once;
    the umask, so that what is made is the owner's alone; where temporary files go; what libraries log; how often Python
    searches for reference cycles.

    Args:
        folder: the working directory inside.
        environment: variables that libraries read; what the user has set stays.
        loggers: names of loggers that only warn inside -> a filter of theirs.

    Raises:
        UserError: there is no such folder.
    """
    environment_before = dict(os.environ)
    folder_before = _working_directory()
    garbage_before = gc.get_threshold()
    handlers_before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        os.chdir(folder)
    except OSError as error:
        raise UserError(f"cwd is {shown(folder)}: {error.strerror}, expected a folder") from error
    try:
        # Nearly all that is made while libraries are imported stays. Searching through it, and again when the process
        # ends, took 2.1 s of CPU instead of 1.3 s in each of a study's processes.
        gc.set_threshold(100_000, 50, 100)
        atexit.register(gc.freeze)
        for name, value in environment.items():
            os.environ.setdefault(name, value)
        # Python ends on SIGTERM without unwinding, which would leave runs that seem to be running for ever.
        for number in _SIGNALS:
            signal.signal(number, _stop)
        # Files made from recordings of people, also by MLflow and by child processes, are the owner's alone.
        with _only_warning(loggers), owner_alone(), temporary_files():
            yield
    finally:
        gc.set_threshold(*garbage_before)
        for number, handler in handlers_before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        os.environ.clear()
        os.environ.update(environment_before)
        if folder_before:
            with suppress(OSError):  # gone meanwhile
                os.chdir(folder_before)


def _working_directory() -> Path | None:
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None


def _stop(_signal: int, _frame: object) -> None:
    """Unwind, once: Ctrl-C reaches parent and child, and then the parent ends the child, which is unwinding already."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextmanager
def _only_warning(loggers: Mapping[str, logging.Filter]) -> Iterator[None]:
    levels = {name: logging.getLogger(name).level for name in loggers}
    for name, one_line in loggers.items():
        logging.getLogger(name).setLevel(logging.WARNING)
        logging.getLogger(name).addFilter(one_line)
    try:
        yield
    finally:
        for name, one_line in loggers.items():
            logging.getLogger(name).setLevel(levels[name])
            logging.getLogger(name).removeFilter(one_line)
