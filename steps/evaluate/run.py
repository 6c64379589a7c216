"""The step, from the run it opens to what it leaves there."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import pandas as pd

from steps.compute import Pool, check_compute, open_pool
from steps.compute.pool import is_local
from steps.compute.progress import counting
from steps.core.baselines.predict import Split, fits_of
from steps.core.data.dataset import Dataset
from steps.core.figures.evaluation import all_figures
from steps.core.metrics import export
from steps.core.metrics.chunks import Chunked
from steps.core.metrics.decision_curve import decision_curve
from steps.core.metrics.decisions import with_votes
from steps.core.metrics.flat_metrics import flat_metrics
from steps.core.metrics.fold import EvaluatedFold
from steps.core.metrics.in_fold_threshold import in_fold_table
from steps.core.metrics.method_comparison import (
    baseline_metrics,
    baseline_results,
    baselines_summary,
    baselines_table,
    methods_table,
)
from steps.core.metrics.names import LEVELS
from steps.core.metrics.predictions import FoldPrediction, results_table, subjects_table
from steps.core.metrics.repeats import repeats_table
from steps.core.metrics.summary import summary
from steps.core.metrics.text import level_text
from steps.evaluate import worker
from steps.evaluate.in_pool import in_pool
from steps.evaluate.worker import EvaluationJob, FoldToEvaluate
from steps.report.content import answer_beside_simpler
from steps.tracking import datasets, lookup, record, reuse
from steps.tracking.addresses import dataset_place
from steps.tracking.export import check_output_dir, export_tables
from steps.tracking.models import reading
from steps.tracking.session import step_run
from steps.tracking.store import digests
from steps.tracking.store.ui import say_where
from steps.writing.markdown import plain

_PROCESS_MIB = 600.0


def evaluate_and_record(
    parameters: Mapping[str, Any], thresholds: tuple[float, ...], baselines: tuple[str, ...]
) -> None:
    """Evaluate all folds of a training in a pool, and record what comes of it.

    Raises:
        UserError: there is no such training, or its models cannot be used.
    """
    check_output_dir(parameters["output_dir"])
    check_compute(parameters["scheduler"], parameters["workers"])
    seed = parameters["seed"]
    with step_run("evaluate", parameters) as run, tempfile.TemporaryDirectory() as scratch:
        run_id = run.info.run_id
        train = lookup.find_run("train", parameters["train_run_id"], run.info.experiment_id)
        dataset, uri = datasets.dataset_and_uri_of(train)
        folds = lookup.fold_runs(train.info.run_id)
        if note := digests.unchecked_note(fold.run for fold in folds):
            click.echo(f"note: {note}")
        job = EvaluationJob(
            dataset_place(dataset, uri, Path(scratch), shared=is_local(parameters["scheduler"])), thresholds, seed
        )
        splits = [Split.of(fold.split, fold.test_number) for fold in folds]
        with open_pool(parameters["scheduler"], parameters["workers"], len(folds), process_mib=_PROCESS_MIB) as pool:
            click.echo(f"{len(folds)} folds in {pool.where}")
            evaluated = _evaluate(pool, job, folds)
            results = results_table(
                [
                    FoldPrediction(dataset.of_subjects(fold.split["test"]), fold.test_number, found.probabilities)
                    for fold, found in zip(folds, evaluated, strict=True)
                ],
                thresholds,
            )
            in_fold = in_fold_table(
                (fold.name, fold.test_number, fold.split["test"], found.own)
                for fold, found in zip(folds, evaluated, strict=True)
            )
            chunked = Chunked(in_pool(pool))
            outcome = summary(results, thresholds, seed=seed, in_fold=in_fold, chunked=chunked)
            fitting = {fit: pool.submit(worker.fit_baseline, job, fit) for fit in fits_of(baselines, splits)}
            # Drawing takes about as long as fitting does over there.
            histories = [lookup.load_history(fold) for fold in folds]
            record.log_figures(run_id, all_figures(results, outcome, histories, dataset.label_names, in_fold))
            fitted = {fit: task.result() for fit, task in fitting.items()}
            compared = baseline_results(baselines, dataset, splits, thresholds, fitted)
            outcome["baselines"] = baselines_summary(results, compared, thresholds, seed=seed, chunked=chunked)
        record.log(
            run_id,
            tags={
                "train_run_id": train.info.run_id,
                "dataset_digest": train.data.tags["dataset_digest"],
                **reuse.Identity.of("evaluate", parameters, train.info.run_id).tags(),
            },
            metrics={
                **flat_metrics(outcome),
                **baseline_metrics(outcome),
                "inference_ms_per_trial": statistics.median(
                    found.metrics["inference_ms_per_trial"] for found in evaluated
                ),
            },
        )
        tables = _tables(results, in_fold, outcome, compared, dataset, seed)
        record.log_files(
            run_id,
            {
                **{f"{name}.csv": table for name, table in tables.items()},
                "summary.json": outcome,
                "export.parquet": export.as_parquet(tables["export"]),
            },
        )
        datasets.log_study(run_id, train, dataset, uri, context="evaluate")
        record.describe(run_id, "\n\n".join(map(plain, answer_beside_simpler(outcome, dataset.label_names))))
        folder = export_tables(parameters["output_dir"], run, {name: tables[name] for name in ("results", "subjects")})
        for level in LEVELS:
            click.echo(level_text(outcome, level))
        say_where(folder, run)


def _evaluate(pool: Pool, job: EvaluationJob, folds: Sequence[lookup.FoldRun]) -> list[EvaluatedFold]:
    """Every fold's result, in the order of the folds; its metrics are added to its run."""
    runs = {(fold.name, fold.test_number): fold.run for fold in folds}
    evaluated = {}
    with counting(len(folds), "fold") as count:
        for fold, found in pool.each(partial(worker.evaluate, job), _with_networks(folds)):
            key = (fold.name, fold.test_number)
            record.update_metrics(runs[key], found.metrics)
            evaluated[key] = found
            count()
    return [evaluated[key] for key in runs]


def _with_networks(folds: Sequence[lookup.FoldRun]) -> Iterator[FoldToEvaluate]:
    """The folds with their networks, which are read when their turn has come."""
    for fold in folds:
        yield FoldToEvaluate(
            name=fold.name,
            test_number=fold.test_number,
            validation=tuple(fold.split["validation"]),
            test=tuple(fold.split["test"]),
            network=reading.read_network(fold.run),
        )


def _tables(
    results: pd.DataFrame,
    in_fold: pd.DataFrame,
    outcome: Mapping[str, Any],
    compared: Mapping[str, pd.DataFrame],
    dataset: Dataset,
    seed: int,
) -> dict[str, pd.DataFrame]:
    """By the name of their file, without ``.csv``."""
    thresholds = outcome["thresholds"]
    tables = {
        "results": results,
        "subjects": with_votes(subjects_table(results, thresholds), results, thresholds),
        "in_fold_thresholds": in_fold,
        "decision_curve": decision_curve(results, seed=seed),
        "export": export.export_table(results, thresholds, in_fold, dataset.label_names),
        "codebook": export.codebook_table(dataset.label_names),
    }
    if "per_test_number" in outcome:
        tables["test_numbers"] = repeats_table(outcome)
    if compared:
        tables |= {"baselines": baselines_table(compared), "methods": methods_table(outcome)}
    return tables
