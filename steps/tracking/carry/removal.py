"""A study out of its store: what belongs to it and to nobody else, shown first, then removed for good.

A step that another study took over stays, with what it needs, and so do its artifacts.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import LifecycleStage, Run, RunStatus, ViewType
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from steps.errors import UserError, shown
from steps.system.untrusted_files import size
from steps.tracking import left_running
from steps.tracking.carry import rows
from steps.tracking.carry.studies import LATEST, Studies
from steps.tracking.models.registry import CHAMPION
from steps.tracking.session import ENTRY_POINT_TAG
from steps.tracking.spool import model_of
from steps.tracking.store.artifact_places import repository
from steps.tracking.store.moved import LOCK_S, database_of, local_path
from steps.tracking.store.paging import pages
from steps.tracking.store.trouble import FAILURES, one_line

_POINTER = "study_run_id"
# What takes results over from other studies. Whoever only looked at them (`compare`, `predict`) keeps its own record.
_BUILDS_UPON = ("main", "prepare", "train", "evaluate", "attribute", "tune")
_NAMED = 5


@dataclass(frozen=True)
class Removal:
    """What would be removed of a store.

    Attributes:
        study: the run that was named.
        selection: what goes.
        kept: what stays although it belongs to the study, a line each.
        mentions: runs that stay and say something of what goes, a line each.
        runs: those that go.
        places: where their artifacts are, by run and model.
        versions: registered versions that go, with their aliases, a line each.
        is_champion: whether one of them is the champion.
        nested: kept runs that were nested in one that goes.
    """

    study: Run
    selection: rows.Selection
    runs: list[Run]
    places: dict[str, str]
    kept: list[str] = field(default_factory=list)
    mentions: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    is_champion: bool = False
    nested: list[str] = field(default_factory=list)

    @property
    def token(self) -> str:
        """What has to be given to remove it: other things have another one."""
        named = [sorted(self.selection.runs), sorted(self.selection.models), sorted(self.selection.versions)]
        digest = hashlib.sha256(repr([named, sorted(self.versions)]).encode()).hexdigest()[:8]
        return f"{digest}-{CHAMPION}" if self.is_champion else digest

    def lines(self) -> Iterator[str]:
        """What goes and what stays, for people."""
        kinds = Counter(run.data.tags.get(ENTRY_POINT_TAG, "pointer") for run in self.runs)
        counted = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
        yield f"study {self.study.info.run_name} ({self.study.info.run_id})"
        files = _files(self.places)
        what = f" and {len(files)} files of {size(sum(files))}" if files else ""
        yield f"  goes: {len(self.runs)} runs ({counted}), {len(self.selection.models)} models{what}"
        yield from (f"  goes: {line}" for line in self.versions)
        yield from (f"  stays: {line}" for line in self.kept)
        yield from (f"  stays: {line}" for line in self.mentions[:_NAMED])
        if len(self.mentions) > _NAMED:
            yield f"  stays: {len(self.mentions) - _NAMED} more runs that mention it"


def _files(places: dict[str, str]) -> list[int]:
    """Sizes of the files of this machine that are artifacts."""
    folders = [folder for place in places.values() if (folder := local_path(place))]
    return [path.lstat().st_size for folder in folders for path in folder.rglob("*") if not path.is_dir()]


def plan(client: MlflowClient, run_id: str, view: int = ViewType.ALL) -> Removal:
    """What would be removed of a study: its runs, models and registered versions that nothing else builds upon.

    Args:
        client: of a store.
        run_id: of the study, or ``latest``.
        view: whether runs that were deleted, but are still there, count.

    Raises:
        UserError: there is no such run, or it is still being recorded.
    """
    studies = Studies.of(client, view)
    found = studies.find(run_id)
    if not found:
        which = "which means the newest finished study, and there is none" if run_id == LATEST else "which is no run"
        raise UserError(f"delete is {shown(run_id)}, {which} in this store; expected a study's run ID, or 'latest'")
    below = set(studies.below(found[0]))
    below |= {one for one, run in studies.runs.items() if run.data.tags.get(_POINTER) in below}
    kept, why = _kept(studies, below, found[0])
    gone = below - kept
    runs = [studies.runs[one] for one in studies.runs if one in gone]
    for run in runs:
        is_going = not RunStatus.is_terminated(RunStatus.from_string(run.info.status))
        if is_going and run.info.lifecycle_stage == LifecycleStage.ACTIVE and not _is_left(run, studies):
            raise UserError(f"run {run.info.run_name} of this study is still being recorded; wait for its end")
    models = frozenset(model for model, maker in studies.makers.items() if maker in gone and model.startswith("m-"))
    versions, lines, is_champion = _versions(client, models)
    places = {run.info.run_id: run.info.artifact_uri for run in runs}
    places |= {model: client.get_logged_model(model).artifact_location for model in sorted(models)}
    return Removal(
        studies.runs[found[0]],
        rows.Selection(frozenset(gone), models, versions),
        runs,
        places,
        why,
        _mentions(studies, gone, kept),
        lines,
        is_champion,
        [one for one in kept if studies.runs[one].data.tags.get(MLFLOW_PARENT_RUN_ID) in gone],
    )


def _is_left(run: Run, studies: Studies) -> bool:
    """Whether nobody works on a run any more that has no end."""
    while not left_running.is_gone(run.data.tags):
        parent = studies.runs.get(run.data.tags.get(MLFLOW_PARENT_RUN_ID, ""))
        if parent is None:
            return False
        if RunStatus.is_terminated(RunStatus.from_string(parent.info.status)):
            return True
        run = parent
    return True


def _kept(studies: Studies, below: set[str], named: str) -> tuple[set[str], list[str]]:
    """Runs of the study that others build upon, with what these need; why, a line each."""
    kept: set[str] = set()
    why: list[str] = []
    waiting = [
        (one, run)
        for one, run in studies.runs.items()
        if one not in below
        and run.data.tags.get(ENTRY_POINT_TAG) in _BUILDS_UPON
        and run.info.lifecycle_stage == LifecycleStage.ACTIVE
    ]
    for user, run in waiting:  # grows
        for used in studies.mentioned(run):
            if used not in below or used == named or used in kept:
                continue
            if run.data.tags.get(MLFLOW_PARENT_RUN_ID) == used:
                continue
            one = studies.runs[used]
            kind = one.data.tags.get(ENTRY_POINT_TAG, "run")
            why.append(f"{kind} run {used}, on which {run.info.run_name} ({user}) builds")
            fresh = [each for each in studies.below(used) if each not in kept]
            kept.update(fresh)
            waiting += [(each, studies.runs[each]) for each in fresh]
    return kept, why


def _mentions(studies: Studies, gone: set[str], kept: set[str]) -> list[str]:
    return [
        f"{run.data.tags.get(ENTRY_POINT_TAG, 'run')} run {one}, which mentions what goes"
        for one, run in studies.runs.items()
        if one not in gone
        and one not in kept
        and run.info.lifecycle_stage == LifecycleStage.ACTIVE
        and gone.intersection(studies.mentioned(run))
    ]


def _versions(client: MlflowClient, models: frozenset[str]) -> tuple[frozenset[tuple[str, int]], list[str], bool]:
    versions, lines, is_champion = set(), [], False
    for registered in pages(client.search_registered_models):
        for version in pages(partial(client.search_model_versions, f"name = '{registered.name}'")):
            if model_of(version) in models:
                versions.add((str(registered.name), int(version.version)))
                aliases = sorted(a for a, number in registered.aliases.items() if int(number) == int(version.version))
                is_champion |= CHAMPION in aliases
                named = f" (alias {', '.join(aliases)})" if aliases else ""
                lines.append(f"version {version.version} of {registered.name}{named}")
    return frozenset(versions), sorted(lines), is_champion


def remove_for_good(removal: Removal, client: MlflowClient) -> list[str]:
    """Remove rows and files of a SQLite store; killed in between, it is completed by the same call again.

    Args:
        removal: what.
        client: of the store.

    Returns:
        What could not be removed, a line each.

    Raises:
        UserError: the store cannot be written.
    """
    uri, problems = client.tracking_uri, []
    database = database_of(uri)
    if database is None:
        raise UserError("delete removes studies of SQLite stores and of servers; this store is neither")
    for run in removal.runs:  # so that nobody uses what is half gone
        if run.info.lifecycle_stage == LifecycleStage.ACTIVE:
            client.delete_run(run.info.run_id)
    for owner, place in removal.places.items():
        if problem := _remove_artifacts(owner, place, uri):
            problems.append(problem)
    if problems:
        return problems
    try:
        with closing(sqlite3.connect(database, timeout=LOCK_S)) as connection:
            connection.execute("PRAGMA secure_delete = ON")  # what was deleted is overwritten
            with connection:
                for run_id in removal.nested:
                    connection.execute(
                        "DELETE FROM tags WHERE run_uuid = ? AND key = ?", (run_id, MLFLOW_PARENT_RUN_ID)
                    )
                rows.delete(connection, removal.selection)
    except sqlite3.Error as error:
        raise UserError(f"{database} cannot be written: {error}; give the same command again") from error
    return problems


def _remove_artifacts(owner: str, place: str, uri: str) -> str:
    """Remove the artifacts of a run or model; returns why that was not possible."""
    folder = local_path(place)
    try:
        if folder is None and owner not in place.split("/"):
            return f"{place} is not removed: it is not the place of {owner} alone; remove it yourself, and try again"
        if folder is None:
            repository(place, uri).delete_artifacts()
        elif owner not in folder.parts:
            return f"{folder} is not removed: it is not the folder of {owner} alone; remove it yourself, and try again"
        else:
            own = Path(*folder.parts[: folder.parts.index(owner) + 1])
            if own.is_symlink():
                return f"{own} is not removed: it is a link"
            if own.exists():
                shutil.rmtree(own)
    except FileNotFoundError:
        return ""
    except FAILURES as error:
        return f"{place} cannot be removed: {one_line(error)}"
    return ""


def remove_on_server(removal: Removal, client: MlflowClient) -> None:
    """Delete on a server what its users may: runs and models until its owner removes them, versions for good."""
    for name, number in sorted(removal.selection.versions):
        client.delete_model_version(name, str(number))
    for model in sorted(removal.selection.models):
        client.delete_logged_model(model)
    for run in removal.runs:
        if run.info.lifecycle_stage == LifecycleStage.ACTIVE:
            client.delete_run(run.info.run_id)
    for run_id in removal.nested:
        client.delete_tag(run_id, MLFLOW_PARENT_RUN_ID)
