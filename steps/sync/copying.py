"""The whole step: every spool of a folder, to its server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from steps.errors import UserError
from steps.tracking.push import Push
from steps.tracking.replicator import FAILURES, one_line
from steps.tracking.session import pin_tracking_uri
from steps.tracking.spool import TRACKING_URI, Spool, bounded_patience, is_remote, reachable, show_uri, spools

_LOCK_S = 60.0


def sync(parameters: Mapping[str, Any]) -> None:
    """Copy what the spools of this folder still hold; doing it again changes nothing.

    Raises:
        UserError: something could not be copied.
    """
    pin_tracking_uri()
    found = [_with_password(spool) for spool in spools(Path.cwd())]
    if not found:
        click.echo(f"nothing to do: no study in {Path.cwd()} was recorded for a tracking server")
        return
    problems = [problem for spool in found for problem in _sync(spool, parameters["prune"])]
    if problems:
        raise UserError("; ".join(problems))


def _with_password(spool: Spool) -> Spool:
    """The spool with the server's URI as the user gives it now: the spool keeps no passwords."""
    given = os.environ[TRACKING_URI]
    return Spool(given, spool.folder) if is_remote(given) and show_uri(given) == spool.target else spool


def _sync(spool: Spool, prune: bool) -> list[str]:
    shown = show_uri(spool.target)
    push = Push(spool)
    if not reachable(spool.target):
        return [f"{shown} does not answer; try again when it does (runs not there yet: {push.pending()})"]
    try:
        with bounded_patience(), spool.lock.acquire(timeout=_LOCK_S):
            waiting = push.pending()
            passed = push.once(thorough=True)
            left = push.pending()
    except FAILURES as error:
        return [f"{shown}: {one_line(error)}; try again (runs not there yet: {push.pending()})"]
    click.echo(
        f"{shown}: {passed.runs} of {waiting} runs, {passed.models} models and {passed.versions} registered versions "
        f"copied and checked; {passed.doubles} doubles removed; {left} runs left"
    )
    if left or passed.refused:
        return [f"{shown}: {reason}" for reason in passed.refused or ["runs are still being recorded"]]
    if prune:
        shutil.rmtree(spool.folder)
        click.echo(f"{spool.folder} removed: the server has everything")
    return []
