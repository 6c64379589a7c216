"""The whole step: the folds of a training, attributed in a pool and recorded."""

from __future__ import annotations

from functools import partial

import click

from steps.attribute import worker
from steps.attribute.worker import AttributionJob
from steps.compute import check_reachable
from steps.configuration import Attribute
from steps.core.attribution.asked import asked
from steps.core.attribution.faithfulness import spread_out
from steps.core.attribution.randomisation import FOLDS
from steps.core.attribution.results import Results, results, summary_lines, warnings
from steps.core.data.dataset import Dataset
from steps.core.figures.attribution import all_figures
from steps.tracking import datasets, record
from steps.tracking.export import check_output_dir, export_tables
from steps.tracking.session import step_run
from steps.tracking.store.ui import say_where
from steps.trained_folds import trained_folds
from steps.writing.markdown import bullets


def attribute_and_record(configuration: Attribute) -> None:
    """Attribute all folds of a training in a pool, and record what comes of it.

    Raises:
        UserError: there is no such training, or its folds cannot be attributed like this.
    """
    check_output_dir(configuration.output_dir)
    check_reachable(configuration.compute)
    settings = configuration.settings()
    with step_run("attribute", configuration.given, files=configuration.files) as run:
        run_id = run.info.run_id
        with trained_folds(run, configuration.train_run_id, configuration.compute) as trained:
            keys = [fold.key for fold in trained.folds]
            randomised = frozenset(keys[number] for number in spread_out(len(keys), FOLDS))
            dataset, explained = asked(trained.dataset, configuration.explained_class)
            job = AttributionJob(trained.place, settings, randomised, explained)
            attributed = trained.each(partial(worker.attribute, job))
        attribution = results(attributed, keys, dataset, settings)
        record.log(
            run_id,
            tags=trained.tags("attribute", configuration.given),
            metrics=attribution.metrics,
        )
        _log_files(run_id, attribution, dataset)
        exported = {name: attribution.tables[name] for name in ("feature_importance", "time_importance")}
        datasets.log_study(run_id, trained.train, trained.manifest, trained.uri, context="attribute")
        folder = export_tables(configuration.output_dir, run, exported)
        said = summary_lines(attribution)
        record.describe(run_id, bullets(said))
        for line in said:
            click.echo(line)
        for line in warnings(attribution):
            click.echo(f"warning: {line}", err=True)
        say_where(folder, run)


def _log_files(run_id: str, attribution: Results, dataset: Dataset) -> None:
    record.log_files(run_id, {f"{name}.csv": table for name, table in attribution.tables.items()})
    figures = all_figures(
        attribution.tables,
        dataset.time,
        time_unit=dataset.time_unit,
        label_names=dataset.label_names,
        truth=dataset.planted_truth,
        metrics=attribution.metrics,
    )
    record.log_figures(run_id, figures)
