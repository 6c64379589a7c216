"""The whole step: what is checked, in which order, and what is left out after a failure.

Nothing here imports MLflow before it is known that this can be done.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from steps import commands
from steps.check import dry_run, installation, store, table
from steps.check.checklist import CheckError, Checklist
from steps.check.recording import CALL_SECONDS, LOG, OPEN, RECORD, check_store, mark
from steps.check.table import DRY_RUN
from steps.configuration import Check
from steps.system.project import ROOT
from steps.system.quiet import standard_error_to
from steps.tracking.store.tracking_uri import show_uri

# The names that other checks need.
_PACKAGES, _IMPORTS, _STORE = "packages", "imports", "tracking store"
_PLACES = "places of artifacts"
_IMPORT_SECONDS = 120.0  # TensorFlow from a cold disk
_IMPATIENT_SECONDS = 5.0  # so that a server that is down is reported before TensorFlow has been imported
# MLflow by itself waits two minutes for an answer, seven times; and it announces every run on a server.
_CALLS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def check(configuration: Check) -> bool:
    """Try out the study of a source, where one is named, else test the installation; returns whether nothing failed."""
    return try_out(configuration) if dry_run.is_asked_for(configuration.given) else self_test(configuration)


def try_out(configuration: Check) -> bool:
    """Try out a study, and print what was found; returns whether nothing failed."""
    given = os.environ.pop("MLFLOW_RUN_ID", None)
    checks = Checklist(show_uri)
    with table.progress() as checks.announce, _quiet():
        dry_run.dry_run(checks, configuration.given)
    table.show(checks.outcomes, title=DRY_RUN)
    if given:
        mark(checks, given, DRY_RUN)
    return not checks.failed


def self_test(configuration: Check) -> bool:
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
                _reach(checks, uri, configuration.timeout)
            is_down = checks.failed
            _check_installation(checks, imports, _IMPATIENT_SECONDS if is_down else _IMPORT_SECONDS)
            if checks.ok(_IMPORTS) and not is_down and not store.is_server(uri):
                uri = _absolute_uri()
                _reach(checks, uri, configuration.timeout)
            if checks.ok(_IMPORTS, _STORE) and uri.startswith("sqlite"):
                checks.run(_PLACES, lambda: _places(uri, configuration.mend), mend=LOG, limit=CALL_SECONDS)
            if checks.ok(_IMPORTS, _STORE) and not checks.failed_among(_PLACES):
                hint = check_store(checks, uri, configuration.timeout)
            else:
                checks.skip(RECORD, f"needs: {checks.first_failed(_IMPORTS, _STORE, _PLACES)}")
            if given and checks.ok(OPEN):
                mark(checks, given)
    except Exception as error:  # a bug in this code must not hide the outcomes so far
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
    checks.run("GPU", lambda: installation.gpus_text(imports.gpus), mend=use, limit=5, needs=[_IMPORTS])


def _memory() -> str:
    from steps.system.capacity import MIB, available_mib, usable_cores  # psutil may be missing

    return installation.check_memory(available_mib() * MIB, usable_cores())


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


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what libraries print on standard error inside the block: it would bury the table of outcomes."""
    with Path(os.devnull).open("wb") as nowhere, standard_error_to(nowhere):
        yield
