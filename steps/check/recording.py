"""Whether a store takes and gives back what a study records: which probes, in which order. MLflow is imported late."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from steps.check import store, table
from steps.check.checklist import CheckError, Checklist

if TYPE_CHECKING:
    from steps.check.exercise import Exercise

# The names that other checks need.
OPEN, RECORD = "experiment of the studies", "what a study records"
_MADE_EXPERIMENT, _MADE_RUN, _MADE_MODEL = "throw-away experiment", "run", "model logged"
CALL_SECONDS = 60.0  # only for what hangs; every request of MLflow has its own limit
LOG = "look into the server's log; on a local store, free disk space and permissions of the folder"


def check_store(checks: Checklist, uri: str, timeout: float) -> str:
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

    checks.run(OPEN, _told(find_experiment), mend=_open_mend(uri), limit=CALL_SECONDS)
    if not checks.ok(OPEN):
        checks.skip(RECORD, f"needs: {OPEN}")
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
        looks.append(("files of the studies", lambda: study_place.look_for_artifacts(experiments[0])))
    for name, look in looks:
        checks.run(name, _told(look), mend=LOG, limit=CALL_SECONDS)
    exercise = Exercise()
    try:
        _exercise(checks, exercise)
    finally:
        mend = f"delete experiment {exercise.name} yourself: mlflow experiments delete"
        checks.run("clean-up", exercise.clean_up, mend=mend, limit=2 * CALL_SECONDS)
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
        limit = 2 * CALL_SECONDS if name == _MADE_MODEL else CALL_SECONDS
        checks.run(name, _told(probe), mend=LOG, limit=limit, needs=needs)


def _told(probe: Callable[[], str]) -> Callable[[], str]:
    """The same probe; if a server refuses a request, its failure says what to do about that."""
    from steps.tracking.store.trouble import FAILURES, trouble_with

    def asked() -> str:
        try:
            return probe()
        except FAILURES as error:
            trouble = trouble_with(error)
            if trouble.mend:
                raise CheckError(trouble.reason, trouble.mend) from error
            raise

    return asked


def mark(checks: Checklist, run_id: str, title: str = table.SELF_TEST) -> None:
    """Say on the run that ``mlflow run`` has made what this self-test, or dry run, found."""
    from steps.check.exercise import mark_as_check

    verdict = "failed" if checks.failed else "ok"
    note = table.markdown(checks.outcomes, title)
    checks.run("this run", lambda: mark_as_check(run_id, verdict, note), mend=LOG, limit=CALL_SECONDS)
