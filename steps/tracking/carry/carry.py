"""What `sync` does with finished studies: to a file, from a file, to a server, out of a store."""

from __future__ import annotations

import os
import shlex
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
from mlflow import MlflowClient
from mlflow.entities import ViewType

from steps.commands import command
from steps.errors import UserError, one_line, shown, shown_path
from steps.system.private_files import private_file
from steps.system.untrusted_files import size
from steps.tracking.carry import removal, rows, tables
from steps.tracking.carry.pack import pack
from steps.tracking.carry.studies import ALL, LATEST, Studies, ended
from steps.tracking.carry.unpack import unpack
from steps.tracking.experiments import DEFAULT_ID, experiment_named
from steps.tracking.models.registry import CHAMPION
from steps.tracking.session import ENTRY_POINT_TAG
from steps.tracking.spool import Push, Spool, is_deleted, noted_files, recognise, server_id, spools
from steps.tracking.store import trouble
from steps.tracking.store.moved import database_of, reading, refuse_displaced
from steps.tracking.store.opening import making
from steps.tracking.store.punctual import bounded_patience, punctual_client
from steps.tracking.store.tracking_uri import TRACKING_URI, is_remote, show_uri, usable, without_credentials

_SUFFIX: Final = ".zip"
_NAMED = 3


@dataclass(frozen=True)
class _Source:
    """A store whose studies are sent.

    Attributes:
        database: its SQLite file.
        uri: of the store.
        target: of a spool, the server it is for; else "".
    """

    database: Path
    uri: str
    target: str = ""

    @property
    def noted(self) -> Mapping[str, set[str]]:
        """Files that were ever logged, where that is known."""
        return noted_files(self.database.parent)


def send(to: str, run_id: str) -> None:
    """Write studies of this folder's store or spool to a file, or copy them to a server.

    Args:
        to: path of a file, ``….zip``, or address of a server.
        run_id: a run, ``latest`` for the newest finished study, or ``all``.

    Raises:
        UserError: that cannot be done, or not all of it.
    """
    is_server = "://" in to and is_remote(to)
    if is_server and without_credentials(to) != to:
        raise UserError(
            f"to holds a password or a token, which is recorded with the command; give {without_credentials(to)[:100]} "
            "and MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        )
    if not is_server and not to.endswith(_SUFFIX):
        raise UserError(f"to is {shown(to)}, expected a file, such as record{_SUFFIX}, or a server, http://host:5000")
    path = Path(to).resolve()
    if is_server:
        usable(to)
        if problem := trouble.probe(to):
            raise UserError(_failed(to, problem))
    elif path.exists():
        raise UserError(f"to is {shown(to)}, which exists; remove it, or name another file")
    elif not path.parent.is_dir():
        raise UserError(f"to is {shown(to)}: there is no folder {path.parent}")
    source, named, runs = _chosen(run_id, _sources(to if is_server else ""))
    click.echo(f"from {source.database}: {_named_runs(named)}")
    with reading(source.database) as connection:
        if is_server:
            _send_to_server(source, connection, runs, to)
            return
        packed = pack(path, connection, source.uri, runs, source.noted)
    click.echo(
        f"{path}: {packed.runs} runs, {packed.models} models, {packed.versions} registered versions, "
        f"{len(packed.files)} files, {size(path.stat().st_size)}; SHA-256 of its list {packed.sha256}"
    )
    click.echo("on another machine, with MLFLOW_TRACKING_URI as there:")
    click.echo(f"  mlflow run . --env-manager uv -e sync -P from={path.name}")


def _sources(target: str) -> Iterator[_Source]:
    """The stores of this folder: the one in use, MLflow's default one, spools but for the one of ``target``."""
    stores = [os.environ[TRACKING_URI], f"sqlite:///{Path.cwd() / 'mlflow.db'}"]
    for uri in dict.fromkeys(stores):
        database = database_of(uri)
        if database and database.is_file():
            refuse_displaced(uri)
            yield _Source(database, uri)
    for spool in spools(Path.cwd()):
        if spool.target != without_credentials(target):
            yield _Source(spool.folder / "mlflow.db", spool.uri, spool.target)


def _chosen(run_id: str, sources: Iterator[_Source]) -> tuple[_Source, list[str], list[str]]:
    """The first store that has what is named; the names of its studies, and all runs that belong together."""
    looked = []
    for source in sources:
        looked.append(str(source.database))
        studies = Studies.of(MlflowClient(source.uri, source.uri))
        if found := studies.find(run_id):
            runs, going = ended(studies, studies.together(found), run_id)
            if going:
                more = f" and {len(going) - _NAMED} more" if len(going) > _NAMED else ""
                left = f"{', '.join(going[:_NAMED])}{more}"
                click.echo(f"note: left out, still being recorded or cut off: {left}", err=True)
            mains = [run for run in runs if studies.runs[run].data.tags.get(ENTRY_POINT_TAG) == "main"]
            return source, [f"{studies.runs[run].info.run_name} ({run})" for run in mains or found], runs
    wanted = {LATEST: "a finished study", ALL: "anything that was recorded"}.get(run_id, f"run {shown(run_id)}")
    where = f"in {' or '.join(looked)}" if looked else f"no store and no spool in {Path.cwd()}"
    raise UserError(f"nothing to copy: expected {wanted} {where}; go to the folder of the study, or set {TRACKING_URI}")


def _named_runs(named: Sequence[str]) -> str:
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return f"{', '.join(named[:_NAMED])}{more}"


def _send_to_server(source: _Source, connection: sqlite3.Connection, runs: list[str], target: str) -> None:
    """Copy runs by way of a spool that has their rows only, so that nothing is noted in the user's own store."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        database = private_file(folder / "mlflow.db")
        _make_store(folder)
        with closing(sqlite3.connect(database)) as own, own:
            own.execute("DELETE FROM experiments")
            for table, these in rows.read(connection, rows.select(connection, runs)):
                rows.write(own, table, these, _where_it_is(connection))
        _push(Spool(target, folder, {}))


def _make_store(folder: Path) -> None:
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    with making(uri):
        MlflowClient(uri, uri).search_experiments(max_results=1)


def _where_it_is(connection: sqlite3.Connection) -> tables.PlaceOf:
    """Artifacts stay where they are; a version's are those of its model."""

    def place_of(table: str, row: tables.Row) -> str:
        if table == "model_versions":
            query = "SELECT artifact_location FROM logged_models WHERE model_id = ?"
            return str(connection.execute(query, (row["source"],)).fetchone()[0])
        return str(row[tables.TABLES[table].places[0]])

    return place_of


def receive(path: str) -> None:
    """Copy the studies of a file into the store or server in use, exactly once.

    Args:
        path: of the file.

    Raises:
        UserError: the file is refused, or not all of it could be copied.
    """
    target = os.environ[TRACKING_URI]
    if is_remote(target) and (problem := trouble.probe(target)):
        raise UserError(_failed(target, problem))
    if not is_remote(target):
        refuse_displaced(target)
        with making(target):
            MlflowClient(target, target).get_experiment(DEFAULT_ID)
    with tempfile.TemporaryDirectory() as scratch:
        record = unpack(Path(path), Path(scratch))
        click.echo(f"{shown_path(path)}: {len(record.runs)} runs, whole; SHA-256 of its list {record.sha256}")
        _push(Spool(target, Path(scratch), record.before))


def _push(spool: Spool) -> None:
    """Copy what the target does not have."""
    address = show_uri(spool.target)
    push = Push(spool)
    try:
        with ExitStack() as stack:
            stack.enter_context(bounded_patience())
            if not is_remote(spool.target):  # as a step would make them
                for experiment in spool.client().search_experiments():
                    if experiment.experiment_id != DEFAULT_ID:
                        experiment_named(experiment.name)
            recognise(spool)
            result = push.once(thorough=True)
            left = push.pending()
    except trouble.FAILURES as error:
        raise UserError(_failed(spool.target, trouble.trouble_with(error))) from error
    for line in result.notes:
        click.echo(f"note: {line}", err=True)
    click.echo(result.sentence(address, left))
    if left or result.refused:
        raise UserError(
            "; ".join(f"{address}: {reason}" for reason in result.reasons() or ["not everything was taken"])
        )
    names, studies = push.names().identifiers, Studies.of(spool.client())
    goes = "" if spool.target == os.environ[TRACKING_URI] else f"{TRACKING_URI}={shlex.quote(address)} "
    for run_id, run in studies.runs.items():
        if run.data.tags.get(ENTRY_POINT_TAG) == "main" and run_id in names and not is_deleted(run):
            again = command("reproduce", run_id=names[run_id])
            click.echo(f"{run.info.run_name}: run {names[run_id]}; again: {goes}{again}")


def _failed(target: str, problem: trouble.Trouble) -> str:
    return f"{trouble.failed(show_uri(target), problem)}; nothing is lost, give the same command again"


def delete(run_id: str, confirm: str) -> None:
    """Show what removing a study would remove; remove it once that is confirmed.

    Args:
        run_id: of the study, or ``latest``.
        confirm: what was shown as the confirmation, or ``none``.

    Raises:
        UserError: there is no such study, or it could not be removed, or something else is confirmed.
    """
    uri = os.environ[TRACKING_URI]
    is_server = is_remote(uri)
    if is_server and (problem := trouble.probe(uri)):
        raise UserError(_failed(uri, problem))
    if not is_server:
        refuse_displaced(uri)
        if (database := database_of(uri)) is None or not database.is_file():
            raise UserError(f"there is no store {show_uri(uri)}; type the command in the folder of the study")
    client = punctual_client(uri) if is_server else MlflowClient(uri, uri)
    try:
        with bounded_patience():
            plan = removal.plan(client, run_id, ViewType.ACTIVE_ONLY if is_server else ViewType.ALL)
            for line in plan.lines():
                click.echo(line)
            _check_confirmed(plan, run_id, confirm)
            if confirm == _UNCONFIRMED:
                return
            if is_server:
                removal.remove_on_server(plan, client)
                problems = []
            else:
                problems = removal.remove_for_good(plan, client)
    except trouble.FAILURES as error:
        raise UserError(_failed(uri, trouble.trouble_with(error))) from error
    if problems:
        more = f" and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        raise UserError(f"not all was removed: {'; '.join(one_line(each, 300) for each in problems[:_NAMED])}{more}")
    click.echo(f"removed from {show_uri(uri)}")
    for line in _what_others_hold(plan, is_server):
        click.echo(f"note: {line}", err=True)


_UNCONFIRMED: Final = "none"


def _check_confirmed(plan: removal.Removal, run_id: str, confirm: str) -> None:
    named = plan.study.info.run_id
    if plan.is_champion:
        click.echo(
            f"  attention: one of these versions is the {CHAMPION}, which predictions are made with; give "
            "the alias to another version first, unless that is meant"
        )
    line = command("sync", delete=named, confirm=plan.token)
    if confirm == _UNCONFIRMED:
        click.echo(f"nothing was removed; to remove it:\n  {line}")
    elif confirm != plan.token:
        raise UserError(
            f"confirm is {shown(confirm)}, expected {plan.token} for what would be removed now (shown above); nothing "
            "was removed"
        )


def _what_others_hold(plan: removal.Removal, is_server: bool) -> Iterator[str]:
    """What is left of a study elsewhere, and who can remove it."""
    if is_server:
        runs, models = sorted(plan.selection.runs), sorted(plan.selection.models)
        yield (
            "runs, models and their files are hidden now and can be restored until the server's owner removes them "
            f"for good: mlflow gc --backend-store-uri <the server's database> --run-ids {','.join(runs)}"
            + (f" --logged-model-ids {','.join(models)}" if models else "")
        )
        for spool in spools(Path.cwd()):
            copies = {server_id(run) or "" for run in Studies.of(spool.client()).runs.values()}
            if plan.selection.runs & copies:
                yield f"{spool.folder} still holds a copy; if nobody needs it, remove the folder"
    yield "tables that steps exported (output_dir), records (.zip) and copies of the store are no part of it"
