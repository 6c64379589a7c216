"""One process at a time moves the champion's alias: a lock that every store of MLflow can keep.

MLflow has no compare-and-swap for aliases and tags: the last one to write wins. What it does have is that a registered
model's name is there once: of two processes that make it at the same time, one fails, in SQLite, in PostgreSQL and
through a server. So the lock is a registered model, ``<name>.promoting``, that is deleted a moment later. One that was
left by a process that was killed is passed by, with a number behind the name: at once where that process was one of
this machine, else after ten minutes. Nobody deletes somebody else's lock while it might be held.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

from mlflow import MlflowClient
from mlflow.entities.model_registry import RegisteredModel
from mlflow.exceptions import MlflowException

from steps.errors import UserError
from steps.tracking.left_running import is_gone, process_tags
from steps.tracking.store.trouble import FAILURES, is_forbidden

_LEASE_S: Final = 600.0
_MOST: Final = 100  # locks that killed processes have left
_UNTIL: Final = "until"
_PURPOSE: Final = "A lock, not a model: somebody is moving the champion's alias. It is deleted when that is done."


@contextmanager
def only_one(client: MlflowClient, name: str, who: Mapping[str, str]) -> Iterator[Callable[[], None]]:
    """Inside the block this process is the only one that moves the alias of a registered model.

    Args:
        client: of the store.
        name: of the registered model.
        who: ``by`` and ``run_id``, for those who come second.

    Yields:
        A function that raises `UserError` once half of the time is over: others may soon take this process for killed.

    Raises:
        UserError: another process is at it.
    """
    started = time.monotonic()
    tags = {**process_tags(), **who, _UNTIL: f"{time.time() + _LEASE_S:.0f}"}
    mine = _take(client, name, tags)

    def check_time() -> None:
        if time.monotonic() - started > _LEASE_S / 2:
            raise UserError(f"the store was too slow to move the alias of {name} safely; it is unchanged, run it again")

    try:
        others = [lock for lock in _locks(client, name) if lock.name != mine]
        if held := next((lock for lock in others if _is_held(lock)), None):
            raise _busy(name, held)
        yield check_time
        for lock in others:  # that killed processes have left; mine goes last
            with suppress(*FAILURES):
                client.delete_registered_model(lock.name)
    finally:
        with suppress(*FAILURES):
            client.delete_registered_model(mine)


def _take(client: MlflowClient, name: str, tags: Mapping[str, str]) -> str:
    for number in range(1, _MOST):
        lock = f"{name}.promoting" + (f".{number}" if number > 1 else "")
        try:
            client.create_registered_model(lock, tags=dict(tags), description=_PURPOSE)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        else:
            return lock
        try:
            held = client.get_registered_model(lock)
        except MlflowException as error:
            if is_forbidden(error):
                raise UserError(
                    _one_winner(name, "is being made by another account at this moment")
                    + f"; where that was killed, that account or an admin deletes the registered model {lock}"
                ) from error
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise UserError(_one_winner(name, "was just made by another process")) from error
        if _is_held(held):
            raise _busy(name, held)
    raise UserError(f"there are {_MOST} registered models {name}.promoting…, left by killed processes; delete them")


def _locks(client: MlflowClient, name: str) -> list[RegisteredModel]:
    return list(client.search_registered_models(f"name LIKE '{name}.promoting%'"))


def _is_held(lock: RegisteredModel) -> bool:
    """Whether somebody may be at work; a lock without our tags is somebody's who knows why."""
    until = lock.tags.get(_UNTIL, "")
    return not is_gone(lock.tags) and (not until.isdecimal() or time.time() < float(until))


def _busy(name: str, lock: RegisteredModel) -> UserError:
    by, host, pid = (lock.tags.get(key, "?") for key in ("by", "host", "pid"))
    until = lock.tags.get(_UNTIL, "")
    end = f", at {time.strftime('%H:%M:%S', time.localtime(float(until)))} at the latest" if until.isdecimal() else ""
    return UserError(_one_winner(name, f"is being made by {by} (process {pid} on {host}) at this moment") + end)


def _one_winner(name: str, what: str) -> str:
    return f"a decision about {name} {what}: nothing was changed; run it again when that is done"
