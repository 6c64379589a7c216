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
from steps.tracking.replicator import FAILURES
from steps.tracking.session import pin_tracking_uri
from steps.tracking.spool import Spool, bounded_patience, spools
from steps.tracking.tracking_uri import TRACKING_URI, is_remote, without_credentials
from steps.tracking.trouble import Trouble, probe, trouble_with

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
    return Spool(given, spool.folder) if is_remote(given) and without_credentials(given) == spool.target else spool


def _sync(spool: Spool, prune: bool) -> list[str]:
    shown = without_credentials(spool.target)
    push = Push(spool)
    if trouble := probe(spool.target):
        return [_not_copied(shown, trouble, push)]
    try:
        with bounded_patience(), spool.lock.acquire(timeout=_LOCK_S):
            waiting = push.pending()
            passed = push.once(thorough=True)
            left = push.pending()
    except FAILURES as error:
        return [_not_copied(shown, trouble_with(error), push)]
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


def _not_copied(shown: str, trouble: Trouble, push: Push) -> str:
    """One line: what is the matter, what to do, what is missing."""
    todo = f"{trouble.mend}, then sync again" if trouble.mend else "try again later"
    return f"{shown}: {trouble.found}; {todo} (runs not there yet: {push.pending()})"
