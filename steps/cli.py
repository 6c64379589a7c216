"""The command of a step: options from the parameter table, one clear line for a user's mistake."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import IO, Any

import click

from steps.configuration import CONFIGURATIONS, Configuration
from steps.errors import UserError, one_line
from steps.parameter_files import filled
from steps.parameters import options, without_older_names
from steps.system import storage_errors
from steps.system.process_wide import process_of_a_command

USER_ERROR = 2
_USAGE_LENGTH = 300
# Settings of libraries that read them when they are imported.
_ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # a bar for every small file
    "MLFLOW_DISABLE_TELEMETRY": "true",  # nothing about a clinic's studies leaves the machine
    # Cores are used by processes. OpenBLAS's threads would busy-wait from the start.
    "OPENBLAS_NUM_THREADS": "1",
}
# Libraries announce every migration and every missing GPU driver.
_CHATTER = ("alembic", "mlflow.pyfunc", "mlflow.store.db.utils", "mlflow.system_metrics.system_metrics_monitor")


def _show_everything() -> None:
    """Let output show names in any script, escaped where the terminal cannot: ``Müller`` must not end a training.

    Where even names of files cannot be in any script (LANG=C with PYTHONUTF8=0, an old Windows code page), this process
    begins again as Python begins everywhere else, in UTF-8.
    """
    if sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1" and not sys.flags.utf8_mode:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | {"PYTHONUTF8": "1"})  # noqa: S606
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class _Refusal(click.ClickException):
    """One line, as for any other mistake of the user."""

    exit_code = USER_ERROR

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it."""
        click.echo(f"error: {one_line(self.message, _USAGE_LENGTH)}", err=True)


class _Command(click.Command):
    """A command that refuses an option in one line."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> click.Context:
        """The options, read.

        Raises:
            click.ClickException: they cannot be used.
        """
        _show_everything()
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            # The message of a parameter's type already names the parameter.
            known = isinstance(error, click.BadParameter) and error.message
            raise _Refusal(error.message if known else error.format_message()) from error
        except UserError as error:  # of an option that does something else
            raise _Refusal(str(error)) from error


def command(entry_point: str, *instead: click.Option) -> Callable[[Callable[[Any], None]], click.Command]:
    """Make a click command of a function that takes the configuration of ``entry_point`` (`steps.configuration`).

    The command first goes to the folder the user typed it in (``cwd``), so that relative paths, the default
    store and its artifacts all mean that folder. What it changes in its process is undone when it returns
    (`steps.system.process_wide`). A ``UserError`` is printed as one line, exit status 2. What takes long
    to import is best imported by the function. Options ``instead`` do something else and end there; they are no
    parameters of a run.
    """

    def decorate(function: Callable[[Any], None]) -> click.Command:
        @click.command(entry_point, cls=_Command, help=function.__doc__, context_settings={"max_content_width": 110})
        @options(entry_point)
        def run(**given: Any) -> None:
            try:
                parameters = without_older_names(given)
                with process_of_a_command(
                    parameters["cwd"], _ENVIRONMENT, dict.fromkeys(_CHATTER, storage_errors.OneLine())
                ):
                    complete = filled(entry_point, parameters)
                    for note in complete.notes:
                        click.echo(note)
                    kind = CONFIGURATIONS.get(entry_point, Configuration)
                    function(kind.of(complete.given, complete.files))
            except UserError as error:
                click.echo(f"error: {error}", err=True)
                sys.exit(USER_ERROR)
            except Exception as error:
                if (line := storage_errors.in_one_line(error)) is None:
                    raise
                click.echo(f"error: {line}", err=True)
                sys.exit(USER_ERROR)

        run.params.extend(instead)
        return run

    return decorate
