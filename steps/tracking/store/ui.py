"""How to open what was recorded."""

from __future__ import annotations

import shlex
from pathlib import Path
from urllib.parse import unquote

import click
import mlflow
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from steps.commands import called
from steps.tracking.store.tracking_uri import show_uri, without_credentials

# Without it MLflow may open an experiment on its pages for language models.
WORKFLOW = "?workflowType=machine_learning"


def ui_hint(page: str = "") -> str:
    """The address, or the command and the address, that show ``page`` of the current store, in one line.

    Args:
        page: what follows the address, such as ``#/experiments/1``.
    """
    *command, address = page_lines(page)
    return f"see it at {address}" if not command else f"see it with: {command[0]}   then {address}"


def run_page(run: Run) -> list[str]:
    """How to open a run's page: a line with its address, below one with a command where no server is running."""
    return page_lines(run_fragment(run))


def run_fragment(run: Run) -> str:
    """What follows the address of a server on the page of a run."""
    return f"#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}{WORKFLOW}"


def page_lines(page: str) -> list[str]:
    """How to open a page of the current store; the lines are as for `run_page`."""
    uri = mlflow.get_tracking_uri()
    if uri.startswith("http"):
        return [f"{show_uri(uri).rstrip('/')}/{page}"]
    folder = Path.cwd()
    is_default = unquote(uri) == f"sqlite:///{folder / 'mlflow.db'}"
    option = "" if is_default else f" --backend-store-uri {shlex.quote(without_credentials(uri))}"
    return [
        f"cd {shlex.quote(str(folder))} && {shlex.quote(called().mlflow)} ui{option}",
        f"http://127.0.0.1:5000/{page}",
    ]


def say_where(folder: Path | None, run: Run) -> None:
    """Print where the output of a step that was started alone lies; inside a study the driver says it.

    Args:
        folder: of its tables beside MLflow, if any were written.
        run: of the step.
    """
    if MLFLOW_PARENT_RUN_ID in run.data.tags:
        return
    if folder:
        click.echo(f"tables: {folder}")
    click.echo(ui_hint(run_fragment(run)))
