"""Rows of a SQLite store: those of some runs read, written into another store, deleted.

Rows keep their identifiers, so that a run is known for the same one wherever it is copied to (tag ``synced_from``).
What a server calls them (tags ``sync.*``) and where the store was stay behind.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from steps.tracking.carry.tables import MODEL_ID, READY, TABLES, PlaceOf, Row, RowError, Table
from steps.tracking.spool import SYNC, origin_tags
from steps.tracking.store.moved import PLACE_TAG


@dataclass(frozen=True)
class Selection:
    """Which rows belong together.

    Attributes:
        runs: identifiers of runs.
        models: identifiers of the models they made.
        versions: registered versions of these models, as name and number.
    """

    runs: frozenset[str]
    models: frozenset[str]
    versions: frozenset[tuple[str, int]]


def select(connection: sqlite3.Connection, runs: Iterable[str]) -> Selection:
    """What belongs to runs: the finished models they made, and versions of these.

    Args:
        connection: to a SQLite store.
        runs: their identifiers.
    """
    chosen = frozenset(runs)
    made = connection.execute("SELECT model_id, source_run_id FROM logged_models WHERE status = ?", (READY,))
    models = frozenset(model for model, run in made if run in chosen)
    of_versions = connection.execute("SELECT name, version, source FROM model_versions WHERE status = 'READY'")
    versions = frozenset((name, number) for name, number, source in of_versions if _model_in(source) in models)
    return Selection(chosen, models, versions)


def read(connection: sqlite3.Connection, selection: Selection) -> Iterator[tuple[str, Iterator[Row]]]:
    """Each table with its rows, in an order that depends on them alone.

    Args:
        connection: to a SQLite store.
        selection: whose rows.
    """
    owners: dict[str, set[Any]] = {
        "run": set(selection.runs),
        "model": set(selection.models),
        "registered": {name for name, _ in selection.versions},
        "experiment": _experiments(connection, selection.runs),
    }
    owners["input"], owners["dataset"] = _inputs(connection, selection)
    for name, table in TABLES.items():
        if name == "tags":
            yield name, _tags(connection, sorted(owners["run"]))
        else:
            yield name, _rows(connection, name, table, owners[table.kind], selection)


def _rows(
    connection: sqlite3.Connection, name: str, table: Table, owners: set[Any], selection: Selection
) -> Iterator[Row]:
    names = ", ".join(table.columns)
    query = f"SELECT {names} FROM {name} WHERE {table.owner} = ? ORDER BY {names}"  # noqa: S608, names are ours
    for owner in sorted(owners):
        for values in connection.execute(query, (owner,)):
            row = dict(zip(table.columns, values, strict=True))
            if row.get("version") is not None and (row["name"], row["version"]) not in selection.versions:
                continue
            if name == "model_versions":
                row["source"] = _model_in(row["source"])
                row["run_id"] = row["run_id"] if row["run_id"] in selection.runs else None
            if name == "logged_model_metrics" and row["run_id"] not in selection.runs:
                continue
            if not _is_note(str(row.get("key", row.get("tag_key", "")))):
                yield row


def _is_note(key: str) -> bool:
    """Whether a tag says something of this store, or of a server's, and not of what it is on."""
    return key.startswith(SYNC) or key == PLACE_TAG


def _tags(connection: sqlite3.Connection, runs: Iterable[str]) -> Iterator[Row]:
    for run in runs:
        tags = dict(connection.execute("SELECT key, value FROM tags WHERE run_uuid = ?", (run,)))
        tags = {key: value for key, value in tags.items() if not _is_note(key)} | origin_tags(tags)
        for key in sorted(tags):
            yield {"run_uuid": run, "key": key, "value": tags[key]}


def _experiments(connection: sqlite3.Connection, runs: Iterable[str]) -> set[int]:
    query = "SELECT experiment_id FROM runs WHERE run_uuid = ?"
    return {int(connection.execute(query, (run,)).fetchone()[0]) for run in runs}


def _inputs(connection: sqlite3.Connection, selection: Selection) -> tuple[set[str], set[str]]:
    """What links the runs with datasets and models; the datasets."""
    links, datasets = set(), set()
    query = "SELECT input_uuid, source_type, source_id, destination_id FROM inputs WHERE {} = ?"
    for run in selection.runs:
        for link, kind, source, _ in connection.execute(query.format("destination_id"), (run,)):
            if kind == "DATASET":
                links.add(link)
                datasets.add(source)
        for link, _, _, model in connection.execute(query.format("source_id"), (run,)):
            if model in selection.models:
                links.add(link)
    return links, datasets


def _model_in(source: str | None) -> str:
    match = MODEL_ID.search(source or "")
    return match[0] if match else ""


def write(connection: sqlite3.Connection, table: str, rows: Iterable[Row], place_of: PlaceOf) -> None:
    """Insert rows.

    Args:
        connection: to a SQLite store, within a transaction.
        table: their table.
        rows: checked by `check_row`.
        place_of: of a table and a row, where its artifacts are; for a version, those of its model.

    Raises:
        RowError: the same row is there twice.
    """
    spec = TABLES[table]
    columns = [*spec.columns, *spec.constant]
    marks = ", ".join("?" * len(columns))
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608, names are ours
    places = ("source",) if table == "model_versions" else spec.places

    def values() -> Iterator[list[Any]]:
        for row in rows:
            placed = {**row, **{name: place_of(table, row) for name in places}, **spec.constant}
            yield [placed[name] for name in columns]

    try:
        connection.executemany(statement, values())
    except sqlite3.IntegrityError as error:
        raise RowError(f"rows of {table} contradict each other: {error}") from error


def delete(connection: sqlite3.Connection, selection: Selection) -> None:
    """Delete all rows of runs, models and versions, and datasets and registered models that nothing is left of.

    Args:
        connection: to a SQLite store, within a transaction.
        selection: whose rows.
    """
    links, datasets = _inputs(connection, selection)
    for model in selection.models:
        links |= {link for (link,) in connection.execute(
            "SELECT input_uuid FROM inputs WHERE destination_id = ?", (model,))}  # fmt: skip
    for name, number in selection.versions:
        for table in ("registered_model_aliases", "model_version_tags", "model_versions"):
            connection.execute(f"DELETE FROM {table} WHERE name = ? AND version = ?", (name, number))  # noqa: S608
    for name in {name for name, _ in selection.versions}:
        if not connection.execute("SELECT 1 FROM model_versions WHERE name = ?", (name,)).fetchone():
            for table in ("registered_model_tags", "registered_model_aliases", "registered_models"):
                connection.execute(f"DELETE FROM {table} WHERE name = ?", (name,))  # noqa: S608
    owners = {"run": selection.runs, "model": selection.models, "input": links}
    for table, spec in reversed(list(TABLES.items())):
        for owner in sorted(owners.get(spec.kind, ())):
            connection.execute(f"DELETE FROM {table} WHERE {spec.owner} = ?", (owner,))  # noqa: S608
    for run in selection.runs:
        connection.execute("DELETE FROM logged_model_metrics WHERE run_id = ?", (run,))
    for dataset in datasets:
        if not connection.execute("SELECT 1 FROM inputs WHERE source_id = ?", (dataset,)).fetchone():
            connection.execute("DELETE FROM datasets WHERE dataset_uuid = ?", (dataset,))
