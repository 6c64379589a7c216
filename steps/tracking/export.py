"""Tables beside MLflow: a folder per run under ``output_dir``, for people who open CSV files."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from mlflow.entities import Run

from steps.errors import UserError, shown, shown_path
from steps.system.private_files import private_folder, write_private
from steps.writing.spreadsheet import to_csv

NOWHERE = "none"


def export_tables(
    output_dir: str, run: Run, tables: Mapping[str, pd.DataFrame], pages: Mapping[str, str] | None = None
) -> Path | None:
    """Write tables as CSV, and pages, into ``output_dir/<run name>-<first characters of the run's ID>``.

    They are the owner's alone.

    Args:
        output_dir: a folder, made when missing, or ``none``.
        run: whose tables they are.
        tables: by file name without suffix.
        pages: text by file name.

    Returns:
        The folder; None for ``none``.

    Raises:
        UserError: the folder cannot be written to.
    """
    if output_dir == NOWHERE:
        return None
    folder = Path(output_dir).resolve() / f"{plain_name(run.info.run_name)}-{run.info.run_id[:8]}"
    try:
        private_folder(folder)
        texts = {f"{name}.csv": to_csv(table) for name, table in tables.items()}
        for name, text in {**texts, **(pages or {})}.items():
            write_private(folder / name, text.encode())
    except OSError as error:
        place = shown_path(str(folder))
        raise UserError(
            f"output_dir={shown(output_dir)}: {error.strerror} ({place}), expected a folder to write to"
        ) from error
    return folder


def check_output_dir(output_dir: str) -> None:
    """Refuse early what `export_tables` would refuse after minutes of work.

    Raises:
        UserError: it is a file, or cannot be written to.
    """
    folder = Path(output_dir)
    try:
        nearest = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    except (OSError, RuntimeError) as error:  # a name longer than any; links that go round
        reason = getattr(error, "strerror", None) or "links that lead nowhere"
        raise UserError(f"output_dir={shown(output_dir)}: {reason}, expected a folder or 'none'") from error
    if output_dir != NOWHERE and not nearest.is_dir():
        raise UserError(
            f"output_dir={shown(output_dir)}: {shown_path(str(nearest))} is a file, expected a folder or 'none'"
        )
    if output_dir != NOWHERE and not os.access(nearest, os.W_OK):
        raise UserError(
            f"output_dir={shown(output_dir)}: {shown_path(str(nearest))} cannot be written to, expected "
            "another folder or 'none'"
        )


def plain_name(name: str) -> str:
    """A run's name as part of a path, whatever is in it."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._-")[:60] or "run"
