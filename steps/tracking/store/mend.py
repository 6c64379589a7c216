"""Giving the places in a store that was moved or copied their new beginning."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from steps.errors import UserError
from steps.tracking.store.moved import LOCATIONS, LOCK_S, PLACE_TAG, Displaced, displaced, is_same, local_path, reading

# Columns of a store's tables that name a place.
_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("datasets", "dataset_source"),
    ("trace_tags", "value"),
)


def mend(study: Displaced, *, noted: bool = True) -> str:
    """Give the places in a store their new beginning, in one transaction, after copying it; says what was done.

    A place is left alone where something is at the old one and nothing at the new one.

    Args:
        study: the store, and where its artifacts were and are.
        noted: whether its experiments are told where it is.

    Raises:
        UserError: the store cannot be written.
    """
    kept = study.database.with_name(f"{study.database.name}.before-mend-{time.strftime('%Y%m%d-%H%M%S')}")
    changed = 0
    try:
        with closing(sqlite3.connect(study.database, timeout=LOCK_S, isolation_level=None)) as connection:
            with closing(sqlite3.connect(kept)) as copy:
                connection.backup(copy)
            shutil.copymode(study.database, kept)
            connection.execute("BEGIN IMMEDIATE")
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            for table, column in _COLUMNS:
                if table in tables:
                    changed += _rewrite(connection, table, column, study)
            for experiment_id, location in connection.execute(LOCATIONS).fetchall():
                place = local_path(location)
                if noted and place and place.is_relative_to(study.database.parent):  # beside the store
                    connection.execute(
                        "INSERT OR REPLACE INTO experiment_tags (key, value, experiment_id) VALUES (?, ?, ?)",
                        (PLACE_TAG, str(study.database), experiment_id),
                    )
            connection.execute("COMMIT")
    except (sqlite3.Error, OSError) as error:
        raise UserError(f"{study.database} cannot be mended: {error}; nothing was changed in it") from error
    return f"{study.database}: {changed} places in {study.old} are now in {study.new}; as it was: {kept.name}"


def _rewrite(connection: sqlite3.Connection, table: str, column: str, study: Displaced) -> int:
    # Names of tables and columns are ours.
    values = [
        value
        for (value,) in connection.execute(f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL")  # noqa: S608
    ]
    pairs = [(new, value) for value in values if (new := _moved(str(value), study)) != value]
    cursor = connection.cursor()
    cursor.executemany(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", pairs)  # noqa: S608
    return max(cursor.rowcount, 0)


def _moved(value: str, study: Displaced) -> str:
    """A place, or JSON with a place, as it is after the move."""
    if value.startswith("{"):
        try:
            document = json.loads(value)
        except ValueError:
            return value
        if isinstance(document, dict) and isinstance(uri := document.get("uri"), str):
            return value if (new := _moved(uri, study)) == uri else json.dumps({**document, "uri": new})
        return value
    for old, new in (
        (str(study.old), str(study.new)),
        (study.old.as_uri(), study.new.as_uri()),
        (f"file://{study.old}", f"file://{study.new}"),
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
    while study := displaced(database):
        if study == before:
            raise UserError(f"{study.sentence()}, also after mending: {done[-1]}")
        done.append(mend(study))
        before = study
    return done


def mend_spool(database: Path) -> list[str]:
    """The same for a spool, whose artifacts always lie in its own folder; says what was done."""
    if not database.is_file():
        return []
    home = database.resolve().parent
    old: set[Path] = set()  # of a database that is still empty
    with reading(database) as connection:
        places = {local_path(text) for (text,) in connection.execute("SELECT artifact_location FROM experiments")}
        old = {place.parents[1] for place in places if place and place.parent.name == "artifacts"} - {home}
    return [
        mend(Displaced(database.resolve(), was, home, was.exists()), noted=False)
        for was in sorted(old)
        if not is_same(was, home)
    ]


def _exists(location: str) -> bool:
    path = local_path(location)
    return path is not None and path.exists()
