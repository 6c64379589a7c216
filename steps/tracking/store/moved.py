"""A study folder that was moved or copied: its SQLite store still names artifacts where they were.

MLflow writes absolute places into a store, so that after ``mv`` it would make the old folder again and write there, and
in a copy it would write into the original. `displaced` sees that, and `mend` gives the places their new beginning.
Artifacts that somebody keeps apart from the store on purpose are no such case: none of theirs lie beside the store.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sqlite3
import time
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
# What of a store names a place.
_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("datasets", "dataset_source"),
    ("trace_tags", "value"),
)
_LOCATIONS = "SELECT experiment_id, artifact_location FROM experiments"
_LOCK_S = 30.0
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
    if database and (found := displaced(database)):
        raise UserError(f"{found.sentence()}; {how_to_mend()} (a copy of the store is kept)")


def displaced(database: Path) -> Displaced | None:
    """Where the artifacts of a store were, and are; None where everything is in its place.

    Raises:
        UserError: the store was copied without its artifacts.
    """
    if not database.is_file():
        return None
    home = database.resolve().parent
    with _reading(database) as connection:
        for experiment_id, location in connection.execute(_LOCATIONS):
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
            if found := _where(database.resolve(), place, Path(tag[0]) if tag else None, runs):
                return found
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
    if was and place.is_relative_to(was.parent) and not _same(was, database):
        # Made beside the store, so they belong together.
        here = home / place.relative_to(was.parent)
        if here.is_dir() or not place.is_dir():
            return None if _same(place, here) else Displaced(database, was.parent, home, was.exists())
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
            here = folder.joinpath(*place.parts[-parts:])
            if any((here / run_id).is_dir() for run_id in runs) and not _same(place, here):
                old = place.parents[parts - 1]
                return Displaced(database, old, folder, place.is_dir())
    return None


def mend(found: Displaced, *, noted: bool = True) -> str:
    """Give the places in a store their new beginning, in one transaction, after copying it; says what was done.

    A place is left alone where something is at the old one and nothing at the new one.

    Args:
        found: the store, and where its artifacts were and are.
        noted: whether its experiments are told where it is.

    Raises:
        UserError: the store cannot be written.
    """
    kept = found.database.with_name(f"{found.database.name}.before-mend-{time.strftime('%Y%m%d-%H%M%S')}")
    changed = 0
    try:
        with closing(sqlite3.connect(found.database, timeout=_LOCK_S, isolation_level=None)) as connection:
            with closing(sqlite3.connect(kept)) as copy:
                connection.backup(copy)
            shutil.copymode(found.database, kept)
            connection.execute("BEGIN IMMEDIATE")
            there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            for table, column in _COLUMNS:
                if table in there:
                    changed += _rewrite(connection, table, column, found)
            for experiment_id, location in connection.execute(_LOCATIONS).fetchall():
                place = local_path(location)
                if (
                    noted and place and place.is_relative_to(found.database.parent)
                ):  # made beside it, as it now turns out
                    connection.execute(
                        "INSERT OR REPLACE INTO experiment_tags (key, value, experiment_id) VALUES (?, ?, ?)",
                        (PLACE_TAG, str(found.database), experiment_id),
                    )
            connection.execute("COMMIT")
    except (sqlite3.Error, OSError) as error:
        raise UserError(f"{found.database} cannot be mended: {error}; nothing was changed in it") from error
    return f"{found.database}: {changed} places in {found.old} are now in {found.new}; as it was: {kept.name}"


def _rewrite(connection: sqlite3.Connection, table: str, column: str, found: Displaced) -> int:
    # Names of tables and columns are ours.
    values = [
        value
        for (value,) in connection.execute(f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL")  # noqa: S608
    ]
    pairs = [(new, value) for value in values if (new := _moved(str(value), found)) != value]
    cursor = connection.cursor()
    cursor.executemany(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", pairs)  # noqa: S608
    return max(cursor.rowcount, 0)


def _moved(value: str, found: Displaced) -> str:
    """A place, or JSON with a place, as it is after the move."""
    if value.startswith("{"):
        try:
            document = json.loads(value)
        except ValueError:
            return value
        if isinstance(document, dict) and isinstance(uri := document.get("uri"), str):
            return value if (new := _moved(uri, found)) == uri else json.dumps({**document, "uri": new})
        return value
    for old, new in (
        (str(found.old), str(found.new)),
        (found.old.as_uri(), found.new.as_uri()),
        (f"file://{found.old}", f"file://{found.new}"),
    ):
        if value == old or value.startswith(f"{old}/"):
            place = new + value[len(old) :]
            stays = _exists(value) and not _exists(place)
            return value if stays else place
    return value


def mend_all(database: Path) -> list[str]:
    """`mend` a store until everything is in its place; says what was done.

    Raises:
        UserError: that did not help, or the store cannot be written.
    """
    done: list[str] = []
    before = None
    while found := displaced(database):
        if found == before:
            raise UserError(f"{found.sentence()}, also after mending: {done[-1]}")
        done.append(mend(found))
        before = found
    return done


def mend_spool(database: Path) -> list[str]:
    """The same for a spool, whose artifacts always lie in its own folder; says what was done."""
    if not database.is_file():
        return []
    home = database.resolve().parent
    old: set[Path] = set()  # of a database that is still empty
    with _reading(database) as connection:
        places = {local_path(text) for (text,) in connection.execute("SELECT artifact_location FROM experiments")}
        old = {place.parents[1] for place in places if place and place.parent.name == "artifacts"} - {home}
    return [
        mend(Displaced(database.resolve(), was, home, was.exists()), noted=False)
        for was in sorted(old)
        if not _same(was, home)
    ]


def local_path(location: str | None) -> Path | None:
    """The folder that an artifact location means; None where it is no folder of this machine."""
    if location and location.startswith("/"):
        return Path(location)
    if location and location.startswith("file:///"):
        return Path(unquote(location.removeprefix("file://")))
    return None


def _exists(location: str) -> bool:
    path = local_path(location)
    return path is not None and path.exists()


def _same(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same file or folder: another name, a link, a second mount."""
    try:
        return one.samefile(other)
    except OSError:
        return False


@contextmanager
def _reading(database: Path) -> Iterator[sqlite3.Connection]:
    try:
        address = f"{database.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=_LOCK_S)) as connection:
            yield connection
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):  # an empty store, made a moment ago
            raise UserError(f"cannot read the store {database}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise UserError(
            f"{database} is no SQLite store, or damaged: {error}; restore it from a copy, or move it away"
        ) from error
