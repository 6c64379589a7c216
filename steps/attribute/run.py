"""The step, from the run it opens to what it leaves there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from steps.attribute import worker
from steps.attribute.worker import AttributionJob, FoldToAttribute
from steps.compute import Pool, check_compute, open_pool
from steps.compute.pool import is_local
from steps.compute.progress import counting
from steps.core.attribution.faithfulness import spread_out
from steps.core.attribution.fold import FoldResult
from steps.core.attribution.randomisation import FOLDS
from steps.core.attribution.results import Results, in_words, results, warnings
from steps.core.attribution.settings import Settings
from steps.core.data.dataset import Dataset
from steps.core.figures.attribution import all_figures
from steps.tracking import datasets, lookup, record, reuse
from steps.tracking.addresses import dataset_place
from steps.tracking.export import check_output_dir, export_tables
from steps.tracking.models import reading
from steps.tracking.session import step_run
from steps.tracking.store import digests
from steps.tracking.store.ui import say_where
from steps.writing.markdown import bullets

_PROCESS_MIB = 600.0


def attribute_and_record(parameters: Mapping[str, Any], settings: Settings) -> None:
    """Attribute all folds of a training in a pool, and record what comes of it.

    Raises:
        UserError: there is no such training, or its folds cannot be attributed like this.
    """
    check_output_dir(parameters["output_dir"])
    check_compute(parameters["scheduler"], parameters["workers"])
    with step_run("attribute", parameters) as run, tempfile.TemporaryDirectory() as scratch:
        run_id = run.info.run_id
        train = lookup.find_run("train", parameters["train_run_id"], run.info.experiment_id)
        dataset, uri = datasets.dataset_and_uri_of(train)
        folds = lookup.fold_runs(train.info.run_id)
        if note := digests.unchecked_note(fold.run for fold in folds):
            click.echo(f"note: {note}")
        job = AttributionJob(
            dataset_place(dataset, uri, Path(scratch), shared=is_local(parameters["scheduler"])), settings
        )
        with open_pool(parameters["scheduler"], parameters["workers"], len(folds), process_mib=_PROCESS_MIB) as pool:
            click.echo(f"{len(folds)} folds in {pool.where}")
            attributed = _attribute(pool, job, folds)
        found = results(attributed, [(fold.name, fold.test_number) for fold in folds], dataset, settings)
        record.log(
            run_id,
            tags={
                "train_run_id": train.info.run_id,
                "dataset_digest": train.data.tags["dataset_digest"],
                **reuse.Identity.of("attribute", parameters, train.info.run_id).tags(),
            },
            metrics=found.metrics,
        )
        _log_files(run_id, found, dataset)
        exported = {name: found.tables[name] for name in ("feature_importance", "time_importance")}
        datasets.log_study(run_id, train, dataset, uri, context="attribute")
        folder = export_tables(parameters["output_dir"], run, exported)
        said = in_words(found)
        record.describe(run_id, bullets(said))
        for line in said:
            click.echo(line)
        for line in warnings(found):
            click.echo(f"warning: {line}", err=True)
        say_where(folder, run)


def _attribute(pool: Pool, job: AttributionJob, folds: Sequence[lookup.FoldRun]) -> list[FoldResult]:
    """Every fold's result, in the order of the folds."""
    attributed = {}
    with counting(len(folds), "fold") as count:
        for fold, result in pool.each(partial(worker.attribute, job), _with_networks(folds)):
            attributed[fold.name, fold.test_number] = result
            count()
    return [attributed[fold.name, fold.test_number] for fold in folds]


def _with_networks(folds: Sequence[lookup.FoldRun]) -> Iterator[FoldToAttribute]:
    """The folds with their networks, which are read when their turn has come."""
    randomised = set(spread_out(len(folds), FOLDS).tolist())
    for number, fold in enumerate(folds):
        yield FoldToAttribute(
            name=fold.name,
            test_number=fold.test_number,
            training=tuple(fold.split["training"]),
            test=tuple(fold.split["test"]),
            network=reading.read_network(fold.run),
            randomise=number in randomised,
        )


def _log_files(run_id: str, found: Results, dataset: Dataset) -> None:
    record.log_files(run_id, {f"{name}.csv": table for name, table in found.tables.items()})
    figures = all_figures(
        found.tables,
        dataset.time,
        time_unit=dataset.time_unit,
        label_names=dataset.label_names,
        truth=dataset.planted_truth,
        metrics=found.metrics,
    )
    record.log_figures(run_id, figures)
