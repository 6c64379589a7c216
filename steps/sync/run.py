"""The whole step: every spool of a folder to its server, or what else is asked for."""

from __future__ import annotations

import os
from pathlib import Path

import click

from steps.configuration import Sync
from steps.errors import UserError
from steps.parameter_values import NONE
from steps.tracking.carry import carry
from steps.tracking.spool import Push, Spool, SyncResult, remove, spools
from steps.tracking.store.opening import pin_tracking_uri
from steps.tracking.store.punctual import bounded_patience
from steps.tracking.store.tracking_uri import TRACKING_URI, is_remote, show_uri, without_credentials
from steps.tracking.store.trouble import FAILURES, Trouble, one_line, probe, trouble_with

_LOCK_S = 60.0
_NAMED = 3
_SHOWN = 120


def sync(configuration: Sync) -> None:
    """Copy what the spools of this folder still hold; doing it again changes nothing. Or do what else is asked for.

    Raises:
        UserError: something could not be copied, read, written or removed.
    """
    pin_tracking_uri()
    if configuration.to != NONE:
        carry.send(configuration.to, configuration.run_id)
    elif configuration.from_ != NONE:
        carry.receive(configuration.from_)
    elif configuration.delete != NONE:
        carry.delete(configuration.delete, configuration.confirm)
    else:
        _copy_spools(configuration.prune)


def _copy_spools(prune: bool) -> None:
    local_spools = [_with_password(spool) for spool in spools(Path.cwd())]
    if not local_spools:
        click.echo(f"nothing to do: no study in {Path.cwd()} was recorded for a tracking server")
        return
    problems = [problem for spool in local_spools for problem in _sync(spool, prune)]
    if problems:
        raise UserError("; ".join(problems))


def _with_password(spool: Spool) -> Spool:
    """The spool with the server's URI as the user gives it now: the spool keeps no passwords."""
    given = os.environ[TRACKING_URI]
    return Spool(given, spool.folder) if is_remote(given) and without_credentials(given) == spool.target else spool


def _sync(spool: Spool, prune: bool) -> list[str]:
    shown = without_credentials(spool.target)[:_SHOWN]
    push = Push(spool)
    try:
        push.pending()
    except FAILURES as error:
        raise UserError(
            f"{spool.folder / 'mlflow.db'}, a spool for {shown}, is damaged: {one_line(error)}; restore a copy of it"
        ) from error
    if trouble := probe(spool.target):
        return [_not_copied(shown, trouble, push)]
    try:
        with bounded_patience(), spool.lock.acquire(timeout=_LOCK_S):
            result = push.once(thorough=True)
            left = push.pending()
            _say(spool, result, left)
            if left or result.refused:
                reasons = result.reasons() or ["runs are still being recorded"]
                return [f"{shown}: {reason}" for reason in reasons]
            return _prune(spool, push) if prune else []
    except FAILURES as error:
        return [_not_copied(shown, trouble_with(error), push)]


def _say(spool: Spool, result: SyncResult, left: int) -> None:
    for line in result.notes:
        click.echo(f"note: {line}", err=True)
    click.echo(result.sentence(show_uri(spool.target), left))


def _prune(spool: Spool, push: Push) -> list[str]:
    """Remove a spool, if its server hands out everything that is in it; returns what stands against that."""
    lacking = push.unverified()
    if lacking:  # copy once more what the server lacks
        _say(spool, push.once(thorough=True), push.pending())
        lacking = push.unverified()
    if lacking:
        more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
        return [
            f"not removed, because {show_uri(spool.target)} does not hold all of {spool.folder}: "
            f"{'; '.join(lacking[:_NAMED])}{more}; if nobody needs that, remove the folder yourself"
        ]
    remove(spool)
    click.echo(f"{spool.folder} removed: all of it was read back from {show_uri(spool.target)}")
    return []


def _not_copied(shown: str, trouble: Trouble, push: Push) -> str:
    """One line: the problem, what to do, and what is missing."""
    todo = f"{trouble.mend}, then sync again" if trouble.mend else "try again later"
    return f"{shown}: {trouble.reason}; {todo} (runs not there yet: {push.pending()})"
