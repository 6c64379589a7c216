"""A study folder that was moved or copied: its SQLite store still names artifacts where they were.

MLflow writes absolute places into a store, so that after ``mv`` it would make the old folder again and write there, and
in a copy it would write into the original. `displaced` sees that, and `steps.tracking.store.mend` gives the places
their new beginning. Artifacts that somebody keeps apart from the store on purpose are no such case: none of theirs lie
beside the store.
"""

from __future__ import annotations

import re
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from steps.commands import command
from steps.errors import UserError
from steps.system.sqlite_store import sqlite_path

# Where a store was when it made an experiment; on the experiment.
PLACE_TAG = "store_place"
LOCATIONS = "SELECT experiment_id, artifact_location FROM experiments"
LOCK_S = 30.0
# So many runs of an experiment are looked for where its artifacts may be now.
_SAMPLE = 50


def how_to_mend() -> str:
    """The command that mends it."""
    return f"to mend that: {command('check', mend=True)}"


@dataclass(frozen=True)
class Displaced:
    """A store whose artifacts are not where it says.

    Attributes:
        database: the store's file.
        old: folder that the store names.
        new: folder in which the artifacts are now.
        is_copy: whether the old one is still there.
    """

    database: Path
    old: Path
    new: Path
    is_copy: bool

    def sentence(self) -> str:
        """What happened, in one line."""
        how = "copied" if self.is_copy else "moved"
        name = self.database.name
        return f"this study was {how} from {self.old} to {self.new}, but its store {name} still names artifacts there"


def database_of(uri: str) -> Path | None:
    """The file of an absolute SQLite URI; None for any other store."""
    if not re.match(r"sqlite(\+\w+)?:///", uri) or ":memory:" in uri:
        return None
    return sqlite_path(uri)


def place_tags(uri: str) -> dict[str, str]:
    """Tags of an experiment that the store at ``uri`` makes."""
    database = database_of(uri)
    return {PLACE_TAG: str(database.resolve())} if database else {}


def refuse_displaced(uri: str) -> None:
    """Refuse to record in a store that was moved or copied, before anything is written to the old place.

    Raises:
        UserError: it was; the message says how to mend it.
    """
    database = database_of(uri)
    if database and (study := displaced(database)):
        raise UserError(f"{study.sentence()}; {how_to_mend()} (a copy of the store is kept)")


def displaced(database: Path) -> Displaced | None:
    """Where the artifacts of a store were, and are; None where everything is in its place.

    Raises:
        UserError: the store was copied without its artifacts.
    """
    if not database.is_file():
        return None
    home = database.resolve().parent
    with reading(database) as connection:
        for experiment_id, location in connection.execute(LOCATIONS):
            place = local_path(location)
            if place is None or (place.is_relative_to(home) and place.is_dir()):
                continue
            tag = connection.execute(
                "SELECT value FROM experiment_tags WHERE key = ? AND experiment_id = ?", (PLACE_TAG, experiment_id)
            ).fetchone()
            runs = [
                run_id
                for (run_id,) in connection.execute(
                    "SELECT run_uuid FROM runs WHERE experiment_id = ? ORDER BY start_time DESC LIMIT ?",
                    (experiment_id, _SAMPLE),
                )
            ]
            if study := _where(database.resolve(), place, Path(tag[0]) if tag else None, runs):
                return study
    return None


def _where(database: Path, place: Path, was: Path | None, runs: list[str]) -> Displaced | None:
    """What became of one experiment's artifacts.

    Args:
        database: the store's file.
        place: where the store says the artifacts are.
        was: where the store was when it made the experiment, if it noted that.
        runs: some of the experiment's runs.
    """
    home = database.parent
    if was and place.is_relative_to(was.parent) and not is_same(was, database):
        # Made beside the store, so they belong together.
        new_place = home / place.relative_to(was.parent)
        if new_place.is_dir() or not place.is_dir():
            return None if is_same(place, new_place) else Displaced(database, was.parent, home, was.exists())
        if was.exists():
            raise UserError(
                f"{database} is a copy of {was} without its artifacts, which are in {place}; copy the whole folder, or "
                f"record there: MLFLOW_TRACKING_URI={shlex.quote(f'sqlite:///{was}')}"
            )
        return None  # the store alone was moved, and finds them
    beside = [home] if was is None else []  # an older version noted no place
    candidates = beside if place.is_dir() else [*beside, Path.cwd()]
    for folder in candidates:
        for parts in range(len(place.parts) - 1, 0, -1):
            new_place = folder.joinpath(*place.parts[-parts:])
            if any((new_place / run_id).is_dir() for run_id in runs) and not is_same(place, new_place):
                old = place.parents[parts - 1]
                return Displaced(database, old, folder, place.is_dir())
    return None


def local_path(location: str | None) -> Path | None:
    """The folder that an artifact location means; None where it is no folder of this machine."""
    if location and location.startswith("/"):
        return Path(location)
    if location and location.startswith("file:///"):
        return Path(unquote(location.removeprefix("file://")))
    return None


def is_same(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same file or folder: another name, a link, a second mount."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def _undo_what_was_cut_off(database: Path) -> None:
    """Let SQLite undo the transaction of a process that was killed: who only reads may not."""
    journal = database.with_name(f"{database.name}-journal")
    if journal.exists() and journal.stat().st_size:
        with closing(sqlite3.connect(database, timeout=LOCK_S)) as connection:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()


@contextmanager
def reading(database: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a SQLite store that only reads; nothing comes of a store that is still empty."""
    try:
        _undo_what_was_cut_off(database)
        address = f"{database.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=LOCK_S)) as connection:
            yield connection
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):  # an empty store, made a moment ago
            raise UserError(f"cannot read the store {database}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise UserError(
            f"{database} is no SQLite store, or damaged: {error}; restore it from a copy, or move it away"
        ) from error
