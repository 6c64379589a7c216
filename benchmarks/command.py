"""The command line that every part has: ``--quick``, ``--output``."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from benchmarks.report import Result, machine_in_words, write


def part(description: str | None) -> Callable[[Callable[..., Result]], click.Command]:
    """Make a click command of a function that measures; it prints a table and may write it."""

    def decorate(measure: Callable[..., Result]) -> click.Command:
        @click.command(help=(description or "").split("\n", 1)[0])
        @click.option("--quick", is_flag=True, help="a miniature, to see whether it works; its figures mean little")
        @click.option("--output", type=click.Path(path_type=Path), help="write <output>.md and <output>.json")
        def command(output: Path | None, **options: Any) -> None:
            # Both sides' libraries announce every migration and every missing GPU driver.
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
            os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
            machine = machine_in_words()
            result = measure(**options)
            write(result, _typed(measure.__module__), machine, output)

        # Options of the part itself; click collects them on the function, last one first.
        command.params += reversed(getattr(measure, "__click_params__", []))
        return command

    return decorate


def _typed(module: str) -> str:
    """The command as it was typed."""
    spec = sys.modules[module].__spec__
    name = spec.name.removesuffix(".__main__") if spec else module
    return shlex.join(["python", "-m", name, *sys.argv[1:]])
