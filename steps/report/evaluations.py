"""Reading finished evaluations back: what was predicted of the folds of a training."""

from __future__ import annotations

from itertools import islice

import click
import pandas as pd
from mlflow.entities import Run

from steps.commands import command
from steps.core.metrics.comparable import Method
from steps.errors import UserError, shown
from steps.parameter_values import PREVIOUS
from steps.parameters import STEPS
from steps.tracking import documents, lookup, reuse
from steps.tracking.spool import server_id
from steps.tracking.store.artifact_places import holds


def find_training(token: str, experiment_id: str) -> Run:
    """The training named by ``token``: a run ID, ``latest``, or ``previous`` (the newest but one).

    Raises:
        UserError: there is none.
    """
    if token != PREVIOUS:
        return lookup.find_run("train", token, experiment_id)
    newest = list(islice(lookup.finished("train", experiment_id), 2))
    if len(newest) < 2:
        raise UserError(
            f"runs: 'previous' is the newest finished train run but one, and the experiment has {len(newest)}; "
            "train twice, or name two run IDs"
        )
    return newest[1]


def evaluations_of(train: Run) -> list[Run]:
    """The finished evaluations of a training, newest first.

    Raises:
        UserError: there are none.
    """
    return finished_after(train, "evaluate")


def finished_after(train: Run, entry_point: str) -> list[Run]:
    """The finished runs of a step that worked on a training, ``evaluate`` or ``attribute``, newest first.

    Raises:
        UserError: there are none.
    """
    run_id, experiment_id = train.info.run_id, train.info.experiment_id
    if on_server := server_id(train):  # fetches the newest, which then names the training as this store does
        lookup.finished(entry_point, experiment_id, f" and tags.train_run_id = '{on_server}'")
    finished = list(lookup.finished(entry_point, experiment_id, f" and tags.train_run_id = '{run_id}'"))
    if not finished:
        raise UserError(
            f"train run {run_id} has no finished {entry_point} run; first run: "
            f"{command(entry_point, experiment=lookup.other_experiment(train), train_run_id=run_id)}"
        )
    return finished


def network_predictions(train: Run) -> pd.DataFrame:
    """``results.csv`` of the newest evaluation of a training.

    Raises:
        UserError: there is none, or it is damaged.
    """
    return _predictions(evaluations_of(train)[0], "results.csv")


def baseline_predictions(train: Run, name: str) -> pd.DataFrame:
    """The predictions of baseline ``name`` in the newest evaluation of a training that has them.

    Raises:
        UserError: none has.
    """
    known: set[str] = set()
    for evaluation in evaluations_of(train):
        if not holds(evaluation, "baselines.csv"):  # evaluated without baselines
            continue
        table = _predictions(evaluation, "baselines.csv", "method")
        rows = table[table["method"] == name]
        if len(rows):
            return rows.drop(columns="method").reset_index(drop=True)
        known |= set(table["method"])
    again = command(
        "evaluate", experiment=lookup.other_experiment(train), train_run_id=train.info.run_id, baselines=name[:80]
    )
    raise UserError(
        f"runs: {shown(name)} is neither the ID of a run nor a baseline in an evaluation of train run "
        f"{train.info.run_id} "
        f"(those have: {', '.join(sorted(known)) or 'none'}); run: {again}"
    )


def method_of(train: Run, baseline: str = "") -> Method:
    """What is compared: the networks of a training, or a baseline on its folds.

    Args:
        train: run of the training.
        baseline: its name; "" for the networks.

    Raises:
        UserError: there is no evaluation, or something of it is damaged.
    """
    folds = {run.fold.key: frozenset(run.fold.test_subjects) for run in lookup.fold_runs(train.info.run_id)}
    run_id, tags = train.info.run_id, train.data.tags
    return Method(
        title=baseline or f"{tags.get('model', 'network')} ({run_id[:8]})",
        train_run_id=run_id,
        baseline=baseline,
        dataset_digest=documents.required_tag(train, "dataset_digest"),
        folds=folds,
        results=baseline_predictions(train, baseline) if baseline else network_predictions(train),
        parameters=training_parameters(train),
    )


def training_parameters(train: Run) -> dict[str, str]:
    """What a training was given, resolved, and what it ran on; empty where it did not record it."""
    try:
        identity = reuse.recorded_identity(train)
    except documents.DamagedError as error:
        click.echo(f"warning: {error}", err=True)
        identity = None
    if identity is None:
        return {}
    parameters = {name: str(value) for name, value in identity["parameters"].items()}
    return parameters | {"code and environment": str(identity["code"])[:12]}


def _predictions(evaluation: Run, path: str, *more: str) -> pd.DataFrame:
    return documents.table_of(evaluation, path, (*STEPS["evaluate"].tables["results.csv"], *more))
