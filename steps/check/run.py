"""The whole step: what is checked, in which order, and what is left out after a failure.

Nothing here imports MLflow before it is known that this can be done.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steps import commands
from steps.check import installation, store, table
from steps.check.checklist import CheckError, Checklist
from steps.system.project import ROOT
from steps.tracking.store.tracking_uri import show_uri

if TYPE_CHECKING:
    from steps.check.exercise import Exercise

# The names that other checks need.
_PACKAGES, _IMPORTS, _STORE, _OPEN = "packages", "imports", "tracking store", "experiment of the studies"
_PLACES = "places of artifacts"
_RECORD = "what a study records"
_MADE_EXPERIMENT, _MADE_RUN, _MADE_MODEL = "throw-away experiment", "run", "model logged"
_IMPORT_SECONDS = 120.0  # TensorFlow from a cold disk
_IMPATIENT_SECONDS = 5.0  # nobody should have to wait for TensorFlow to hear that the server is down
_CALL_SECONDS = 60.0  # only for what hangs; every request of MLflow has its own limit
# MLflow by itself waits two minutes for an answer, seven times; and it announces every run on a server.
_CALLS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_LOG = "look into the server's log; on a local store, free disk space and permissions of the folder"


def self_test(parameters: Mapping[str, Any]) -> bool:
    """Check the installation and the tracking store, and print what was found; returns whether all is fine."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    # The run that `mlflow run` has made is marked at the end; nothing here may be recorded in it.
    given = os.environ.pop("MLFLOW_RUN_ID", None)
    commands.remember({} if given else None)
    for name, value in _CALLS.items():
        os.environ.setdefault(name, value)
    checks = Checklist(show_uri)
    imports = installation.Imports()
    hint = ""
    try:
        with table.progress() as checks.announce, _quiet():
            if uri and (store.is_server(uri) or not store.is_usable(uri)):  # first, without MLflow, which takes seconds
                _reach(checks, uri, parameters["timeout"])
            is_down = checks.failed
            _check_installation(checks, imports, _IMPATIENT_SECONDS if is_down else _IMPORT_SECONDS)
            if checks.ok(_IMPORTS) and not is_down and not store.is_server(uri):
                uri = _absolute_uri()
                _reach(checks, uri, parameters["timeout"])
            if checks.ok(_IMPORTS, _STORE) and uri.startswith("sqlite"):
                checks.run(_PLACES, lambda: _places(uri, parameters["mend"]), mend=_LOG, limit=_CALL_SECONDS)
            if checks.ok(_IMPORTS, _STORE) and not checks.failed_among(_PLACES):
                hint = _check_store(checks, uri, parameters["timeout"])
            else:
                checks.skip(_RECORD, f"needs: {checks.first_failed(_IMPORTS, _STORE, _PLACES)}")
            if given and checks.ok(_OPEN):
                _mark(checks, given)
    except Exception as error:  # a mistake of ours must not hide what was found
        checks.fail("self-test", error, "please report it, with what is printed here")
    finally:
        imports.stop()
    table.show(checks.outcomes)
    if hint:
        print(show_uri(hint))
    return not checks.failed


def _check_installation(checks: Checklist, imports: installation.Imports, patience: float) -> None:
    conda = (ROOT / "conda.yaml").read_text(encoding="utf-8")
    use = installation.use_the_environment()
    checks.run("Python", lambda: installation.check_python(conda), mend=use, limit=5)
    checks.run(_PACKAGES, lambda: installation.check_packages(conda), mend=use, limit=30)
    checks.run("disk", lambda: installation.check_disk(Path.cwd()), mend="look at the disk: df -h .", limit=5)
    if patience >= _IMPORT_SECONDS or imports.done(patience):
        checks.run(_IMPORTS, imports.check, mend=use, limit=patience)
    else:
        checks.skip(_IMPORTS, f"not done after {patience:g} s; mend the {_STORE} first")
    checks.run("code", installation.check_code, mend="install git", limit=30)
    checks.run("memory and cores", _memory, mend=use, limit=5)
    checks.run("GPU", lambda: installation.gpus_in_words(imports.gpus), mend=use, limit=5, needs=[_IMPORTS])


def _memory() -> str:
    return installation.check_memory(installation.available_memory(), installation.usable_cores())


def _reach(checks: Checklist, uri: str, timeout: float) -> None:
    checks.run(
        _STORE,
        lambda: store.reach(uri, timeout),
        mend="start the server, or correct MLFLOW_TRACKING_URI",
        limit=2 * timeout + 2,
    )


def _places(uri: str, mend: bool) -> str:
    """Whether a store's artifacts are where it says; with ``mend``, puts that right first."""
    from steps.errors import UserError
    from steps.system.sqlite_store import sqlite_path
    from steps.tracking.store import moved
    from steps.tracking.store.mend import mend_all

    database = sqlite_path(uri)
    try:
        done = mend_all(database) if mend else []
        if displaced := moved.displaced(database):
            raise CheckError(displaced.sentence(), f"{moved.how_to_mend()} (a copy of the store is kept)")
    except UserError as error:
        raise CheckError(str(error), "look at both folders") from error
    return "; ".join(done) or "where the store says"


def _absolute_uri() -> str:
    """The tracking URI as every step sets it."""
    from steps.tracking.store.opening import pin_tracking_uri

    pin_tracking_uri()
    return os.environ["MLFLOW_TRACKING_URI"]


def _check_store(checks: Checklist, uri: str, timeout: float) -> str:
    """Exercise the store; returns how to open it, or nothing where it cannot be opened."""
    import mlflow

    from steps.check import study_place
    from steps.check.exercise import Exercise, study_experiment
    from steps.tracking.store.ui import WORKFLOW, ui_hint

    logging.getLogger("mlflow").setLevel(logging.CRITICAL)  # after its import, which sets it
    if store.is_server(uri):
        checks.run(
            "server version",
            lambda: store.server_version(uri, timeout, mlflow.__version__),
            mend="correct MLFLOW_TRACKING_URI",
            limit=2 * timeout + 2,
        )
    chosen = (os.environ.get("MLFLOW_EXPERIMENT_NAME"), os.environ.get("MLFLOW_EXPERIMENT_ID"))
    experiments: list[str] = []

    def find_experiment() -> str:
        experiment_id, text = study_experiment(*chosen)
        experiments.extend([experiment_id] if experiment_id else [])
        return text

    checks.run(_OPEN, _told(find_experiment), mend=_open_mend(uri), limit=_CALL_SECONDS)
    if not checks.ok(_OPEN):
        checks.skip(_RECORD, f"needs: {_OPEN}")
        return ""
    looks: list[tuple[str, Callable[[], str]]] = [
        (
            "Default experiment",
            lambda: study_place.default_experiment(any(one not in (None, "", "0") for one in chosen)),
        )
    ]
    if experiments and store.is_server(uri):
        looks.append(("writing to it", lambda: study_place.may_write(experiments[0])))
    if experiments:
        looks.append(("files of the studies", lambda: study_place.artifacts_there(experiments[0])))
    for name, look in looks:
        checks.run(name, _told(look), mend=_LOG, limit=_CALL_SECONDS)
    exercise = Exercise()
    try:
        _exercise(checks, exercise)
    finally:
        mend = f"delete experiment {exercise.name} yourself: mlflow experiments delete"
        checks.run("clean-up", exercise.clean_up, mend=mend, limit=2 * _CALL_SECONDS)
    return ui_hint(f"#/experiments/{experiments[0]}{WORKFLOW}" if experiments else "")


def _open_mend(uri: str) -> str:
    if store.is_server(uri):
        return "the server answers, but not as MLflow should: look into its log, or correct MLFLOW_TRACKING_URI"
    if not uri.startswith(store.DATABASES):
        return "record in a database: MLFLOW_TRACKING_URI=sqlite:///mlflow.db, or on a server"
    return "a store of an older MLflow: mlflow db upgrade <its URI>; a broken one: move it away, or restore a copy"


def _exercise(checks: Checklist, exercise: Exercise) -> None:
    steps: tuple[tuple[str, Callable[[], str], list[str]], ...] = (
        (_MADE_EXPERIMENT, exercise.create_experiment, []),
        (_MADE_RUN, exercise.create_run, [_MADE_EXPERIMENT]),
        ("parameter", exercise.parameter, [_MADE_RUN]),
        ("metric", exercise.metric, [_MADE_RUN]),
        ("tag", exercise.tag, [_MADE_RUN]),
        ("text artifact", exercise.text_artifact, [_MADE_RUN]),
        ("binary artifact", exercise.binary_artifact, [_MADE_RUN]),
        ("dataset input", exercise.dataset_input, [_MADE_RUN]),
        (_MADE_MODEL, exercise.log_model, [_MADE_RUN]),
        ("model loaded", exercise.load_model, [_MADE_MODEL]),
        ("model registry", exercise.register_model, [_MADE_MODEL]),
    )
    for name, probe, needs in steps:
        limit = 2 * _CALL_SECONDS if name == _MADE_MODEL else _CALL_SECONDS
        checks.run(name, _told(probe), mend=_LOG, limit=limit, needs=needs)


def _told(probe: Callable[[], str]) -> Callable[[], str]:
    """The same, but a server that refuses is told from one that is broken."""
    from steps.tracking.store.trouble import FAILURES, trouble_with

    def asked() -> str:
        try:
            return probe()
        except FAILURES as error:
            trouble = trouble_with(error)
            if trouble.mend:
                raise CheckError(trouble.found, trouble.mend) from error
            raise

    return asked


def _mark(checks: Checklist, run_id: str) -> None:
    from steps.check.exercise import mark_as_check

    verdict = "failed" if checks.failed else "ok"
    note = table.markdown(checks.outcomes)
    checks.run("this run", lambda: _marked(run_id, mark_as_check, verdict, note), mend=_LOG, limit=_CALL_SECONDS)


def _marked(run_id: str, mark: Any, verdict: str, note: str) -> str:
    mark(run_id, verdict, note)
    return f"{run_id}, made by mlflow run, says that it is a check"


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what libraries print on standard error, which would bury the table; what matters is in the outcomes."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
