"""The whole step: every batch of a model, compared and recorded."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
import pandas as pd
from mlflow.entities import Run

from steps.commands import command
from steps.configuration import Monitor
from steps.core.drift.batch import Batch
from steps.core.drift.later_labels import read_labels
from steps.core.drift.monitoring import Monitored, monitor
from steps.core.figures.monitoring import trend
from steps.errors import UserError, shown_path
from steps.parameter_values import NONE
from steps.report.monitoring import description, headline, lines, monitoring_html
from steps.system.untrusted_files import read_regular
from steps.tracking import documents, lookup, record
from steps.tracking.models import loading, registry
from steps.tracking.session import step_run
from steps.tracking.store.artifact_places import holds
from steps.tracking.store.ui import say_where

_INPUTS, _PREDICTIONS, _TABLE = "inputs_by_subject.csv", "predictions.csv", "monitoring.csv"
_MOST = 1000  # batches that are fetched from a server, to which other machines send theirs
_TEXT = ("subject", "trial", "group", "feature", "answer")


def monitor_and_record(configuration: Monitor) -> bool:
    """Look at every batch of a model; returns whether one that is new, or the newest, is an alarm.

    Raises:
        UserError: there is no such model or no batch of it, or a table is damaged.
    """
    with step_run("monitor", configuration.given) as run:
        model = loading.fetch(registry.resolve(configuration.model_uri))
        trained, uri = model.training, model.reference.uri
        if trained.by_subject is None:
            raise UserError(
                f"{uri} was made before models kept what their subjects' recordings are like (by_subject in "
                f"training.json); train and register it again: {command('main')}"
            )
        labels = None
        if configuration.labels != NONE:
            path = Path(configuration.labels)
            raw = read_regular(path, shown_path(str(path)))
            labels = read_labels(raw, shown_path(path.name), trained.labels, trained.labelling)
        experiment_id = run.info.experiment_id
        batches, without = _batches(uri, experiment_id, trained.features)
        seen = _seen(uri, experiment_id)
        fresh = [batch.name for batch in batches if batch.name not in seen] or [batches[-1].name]
        found = monitor(batches, trained, configuration.alarm, configuration.seed, labels)
        _record(run, found, fresh, uri, configuration.alarm)
        click.echo(headline(found, fresh))
        for line in lines(found, fresh):
            click.echo(f"- {line}")
        if without:
            click.echo(f"note: {without} scorings of before have no {_INPUTS}; predict again to include them", err=True)
        if labels is not None:
            _say_unmatched(labels["subject"], batches)
        say_where(None, run)
    return any(name in found.alarms for name in fresh)


def _batches(uri: str, experiment_id: str, features: list[str]) -> tuple[list[Batch], int]:
    """Every scoring by the model, oldest first, the same recordings once; how many have no table."""
    runs = list(lookup.finished("predict", experiment_id, f" and tags.model_uri = '{uri}'", most=_MOST))
    newest: dict[str, Run] = {}
    for run in runs:  # newest first
        newest.setdefault(run.data.tags.get("dataset_digest", run.info.run_id), run)
    usable = [run for run in newest.values() if holds(run, _INPUTS)]
    batches = [_batch(run, features) for run in sorted(usable, key=lambda run: run.info.start_time)]
    batches = [batch for batch in batches if batch.subjects]
    if not batches:
        some = "of people that the model was not trained on " if usable else ""
        raise UserError(
            f"{uri} has scored no batch {some}in this experiment; first run: {command('predict', source='new.csv')}"
        )
    return batches, len(newest) - len(usable)


def _batch(run: Run, features: list[str]) -> Batch:
    when = datetime.fromtimestamp(run.info.start_time / 1000, UTC).strftime("%Y-%m-%d %H:%M")
    tables = [documents.text_table_of(run, name) for name in (_INPUTS, _PREDICTIONS)]
    try:
        inputs, predictions = (
            table.assign(**{str(name): pd.to_numeric(table[name]) for name in table if name not in _TEXT})
            for table in tables
        )
        return Batch.of(run.info.run_id, when, inputs, predictions, features)
    except (ValueError, KeyError) as error:
        raise documents.damaged(run, _INPUTS, str(error)) from error


def _seen(uri: str, experiment_id: str) -> set[str]:
    """Batches that the last run of this step for the model has looked at."""
    before = next(lookup.finished("monitor", experiment_id, f" and tags.model_uri = '{uri}'"), None)
    if before is None or not holds(before, _TABLE):
        return set()
    return set(documents.text_table_of(before, _TABLE)["batch"])


def _record(run: Run, found: Monitored, fresh: list[str], uri: str, level: float) -> None:
    run_id = run.info.run_id
    newest = found.batches.iloc[-1]
    names = ("p_training", "p_earlier", "unusual", "dont_know", "expected_accuracy", "expected_auc", "auc", "brier")
    measured = {name: float(newest[name]) for name in names if name in newest and newest.notna()[name]}
    record.log(
        run_id,
        tags={"model_uri": uri, "alarm": str(any(name in found.alarms for name in fresh)).lower()},
        metrics={"batches": len(found.batches) - 1, "alarms": len(found.alarms), "new_batches": len(fresh), **measured},
    )
    figure = trend(found.batches, level)
    tables = {_TABLE: found.batches, "drift.csv": found.drift, "drift_by_subject.csv": found.subjects}
    page = monitoring_html(found, fresh, uri, figure, level).encode()
    record.log_files(run_id, {**tables, "monitoring.html": page})
    record.log_figures(run_id, {"trend": figure})
    record.describe(run_id, description(found, fresh, uri))


def _say_unmatched(named: object, batches: list[Batch]) -> None:
    known = {subject for batch in batches for subject in batch.subjects}
    lost = sorted(set(named) - known)  # type: ignore[call-overload]
    if lost:
        more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
        click.echo(f"note: labels of people that no batch holds: {', '.join(lost[:3])}{more}", err=True)
