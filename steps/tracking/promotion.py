"""Who is the champion, and the audit trail of how it became that.

Every decision is an entry: a tag of the registered version, ``promotion/<time>-<run>``. An entry is written once, never
changed and never removed, refusals as well; whoever may only read a server cannot write one. An entry is written before
the alias it speaks of is moved: a process that is killed in between leaves an entry too many (`Trail.broken_off`), but
never an alias that nobody accounts for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from pydantic import BaseModel, ConfigDict, ValidationError

from steps.commands import command
from steps.errors import UserError, shown
from steps.tracking.models.registry import CHAMPION
from steps.tracking.promotion_lock import only_one
from steps.tracking.spool import current, not_registered_yet
from steps.tracking.store.paging import pages
from steps.tracking.store.tracking_uri import show_uri
from steps.tracking.store.trouble import FAILURES, failed, is_forbidden, probe, trouble_with

PROMOTED, REFUSED, ROLLED_BACK = "promoted", "refused", "rolled back"
_PREFIX: Final = "promotion/"
_LONGEST: Final = 4900  # characters of a tag; PostgreSQL takes 5000


class GateEntry(BaseModel):
    """One gate, as an entry holds it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    gate: str
    outcome: str
    value: float | None = None
    limit: float | None = None


class Entry(BaseModel):
    """A decision.

    Attributes:
        action: what was decided.
        version: of the registered model, what was decided about; of a rollback, the one that is the champion again.
        before: the champion's version before; "" where there was none.
        by: who: the account at the server, else the user of the machine.
        at: when, UTC, ISO 8601, to the millisecond: the trail is sorted by it.
        commit: of the code that decided; "" where unknown.
        run_id: of the run of `promote`, with all numbers.
        report: URI of the study's report.
        dataset_digest: of the data that the numbers are of.
        gates: each with its number and limit.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    action: Literal["promoted", "refused", "rolled back"]
    version: str
    before: str
    by: str
    at: str
    commit: str = ""
    run_id: str
    report: str = ""
    dataset_digest: str = ""
    gates: list[GateEntry] = []

    @property
    def key(self) -> str:
        """Name of its tag: sorts by time, and no two runs share one."""
        return f"{_PREFIX}{self.at.replace(':', '')}-{self.run_id[:8]}"


@dataclass(frozen=True)
class Trail:
    """All decisions about a registered model, oldest first, and who is the champion now.

    Attributes:
        entries: the decisions.
        champion: version that the alias names; "" where there is none.
    """

    entries: tuple[Entry, ...]
    champion: str

    def made_champion(self, version: str) -> Entry | None:
        """The newest entry by which a version was promoted."""
        return next((one for one in reversed(self.entries) if one.action == PROMOTED and one.version == version), None)

    def withdrawn(self, version: str) -> Entry | None:
        """The newest entry by which a version stopped being the champion by a rollback."""
        return next(
            (one for one in reversed(self.entries) if one.action == ROLLED_BACK and one.before == version), None
        )

    @property
    def broken_off(self) -> Entry | None:
        """The newest entry that moved the alias, if the alias is not where that put it."""
        moved = [one for one in self.entries if one.action != REFUSED]
        return moved[-1] if moved and moved[-1].version != self.champion else None


def trail(name: str) -> Trail:
    """The audit trail of a registered model, in the store in use, or on its server.

    Raises:
        UserError: an entry was changed by hand, so that it cannot be read; or the server fails.
    """
    with _asked() as client:
        return _trail(client, name)


def refuse_unregistered(name: str) -> None:
    """Refuse to decide while versions of this study have not been copied to the server.

    Raises:
        UserError: there are some.
    """
    spool = current()
    if spool is not None and (waiting := not_registered_yet(spool, name)):
        raise UserError(
            f"version {waiting[0]} of {name} is in the spool and not on {show_uri(spool.target)} yet, so the server's "
            f"challenger is another one; first run: {command('sync')}"
        )


def refuse_unreachable(uri: str) -> None:
    """Refuse to begin while the server does not answer: a decision is made there, or not at all.

    Raises:
        UserError: it does not.
    """
    if trouble := probe(uri):
        raise UserError(f"{failed(show_uri(uri), trouble)}; nothing was decided")


def note(name: str, entry: Entry) -> None:
    """Add a refusal to the trail.

    Raises:
        UserError: the server fails, or does not let us.
    """
    with _asked() as client:
        _write(client, name, entry)


def appoint(name: str, entry: Entry) -> None:
    """Make a version the champion; of several processes at once, one does.

    Args:
        name: of the registered model.
        entry: what goes into the trail before; ``before`` is the champion that was judged against.

    Raises:
        UserError: another process is at it, the champion is another one by now, or the server fails; the message says
            whether anything was changed.
    """
    with _asked() as client, only_one(client, name, {"by": entry.by, "run_id": entry.run_id}) as check_time:
        champion = champion_of(client, name)
        if champion != entry.before:
            raise UserError(
                f"the champion of {name} is {_version(champion)} by now, it was {_version(entry.before)} when this "
                "began: nothing was changed; run it again"
            )
        _write(client, name, entry)
        check_time()
        client.set_registered_model_alias(name, CHAMPION, entry.version)
        if (champion := champion_of(client, name)) != entry.version:
            raise UserError(
                f"somebody else set the alias {CHAMPION} of {name} at the same time, to {_version(champion)}; see who, "
                "and run it again"
            )


def champion_of(client: MlflowClient, name: str) -> str:
    """Version of the champion; "" where there is none."""
    return str(client.get_registered_model(name).aliases.get(CHAMPION, ""))


@contextmanager
def _asked() -> Iterator[MlflowClient]:
    """The store that decides: the server, where there is one. What it refuses is said in one line."""
    spool = current()
    try:
        yield spool.target_client() if spool else MlflowClient()
    except FAILURES as error:
        if spool is None:
            raise
        undecided = "; nothing was decided" if is_forbidden(error) else ""
        raise UserError(failed(show_uri(spool.target), trouble_with(error)) + undecided) from error


def _trail(client: MlflowClient, name: str) -> Trail:
    versions: Sequence[ModelVersion] = list(pages(partial(client.search_model_versions, f"name = '{name}'")))
    found = {}
    for version in versions:
        for key, text in version.tags.items():
            if key.startswith(_PREFIX):
                entry = _parsed(text, key, f"{name}/{version.version}")
                # A version that was copied from another store has brought entries along, with the numbers of that one.
                if str(version.version) in _holders(entry):
                    found[key] = entry
    return Trail(tuple(found[key] for key in sorted(found)), champion_of(client, name))


def _holders(entry: Entry) -> list[str]:
    """The versions whose tags hold an entry."""
    return [entry.version, *([entry.before] if entry.action == ROLLED_BACK else [])]


def _parsed(text: str, key: str, of: str) -> Entry:
    try:
        return Entry.model_validate_json(text)
    except ValidationError as error:
        raise UserError(
            f"tag {key} of models:/{of} is no entry of an audit trail (found {shown(text)}): somebody has changed it; "
            "restore it from a copy of the store, or from the run it names"
        ) from error


def _write(client: MlflowClient, name: str, entry: Entry) -> None:
    text = json.dumps(entry.model_dump(exclude_none=True))
    if len(text) > _LONGEST:
        raise ValueError(f"an entry of {len(text)} characters is too long for a tag")
    for version in _holders(entry):
        if entry.key in client.get_model_version(name, version).tags:  # never overwritten
            raise UserError(f"models:/{name}/{version} has the entry {entry.key} already; nothing was changed")
        client.set_model_version_tag(name, version, entry.key, text)


def _version(number: str) -> str:
    return f"version {number}" if number else "none"
