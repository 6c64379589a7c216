"""The whole step: the folds of a training, evaluated in a pool and recorded."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import click
import pandas as pd

from steps.compute import check_reachable
from steps.configuration import Evaluate
from steps.core.audit import audit
from steps.core.baselines.choice import BASELINES
from steps.core.baselines.predict import fits_of
from steps.core.data.dataset import Dataset
from steps.core.data.fold import Fold
from steps.core.figures.evaluation import all_figures
from steps.core.figures.labels import label_figures
from steps.core.figures.learning_curve import learning_curve_figure
from steps.core.metrics import export
from steps.core.metrics.abstention import abstention, abstention_metrics, answers_table, curve_table
from steps.core.metrics.chunks import Chunked
from steps.core.metrics.decision_curve import decision_curve
from steps.core.metrics.decisions import with_votes
from steps.core.metrics.flat_metrics import flat_metrics
from steps.core.metrics.fold import EvaluatedFold
from steps.core.metrics.in_fold_threshold import in_fold_table
from steps.core.metrics.labels.predictions import LabelPrediction, label_results_table
from steps.core.metrics.labels.summary import label_metrics, label_metrics_table, label_summary
from steps.core.metrics.labels.text import label_text
from steps.core.metrics.learning_curve import curve_as_table, learning_curve
from steps.core.metrics.method_comparison import (
    baseline_metrics,
    baseline_results,
    baselines_summary,
    baselines_table,
    methods_table,
)
from steps.core.metrics.metrics import PRIMARY
from steps.core.metrics.names import LEVELS, SUBJECT
from steps.core.metrics.predictions import FoldPrediction, results_table, subjects_table
from steps.core.metrics.repeats import repeats_table
from steps.core.metrics.summary import summary
from steps.core.metrics.text import abstention_text, level_text
from steps.core.models.learning_curve import sizes
from steps.core.models.table import check_binary, check_learning_curve
from steps.evaluate import worker
from steps.evaluate.worker import EvaluationJob, in_pool
from steps.report.audit import audit_text, leak_sentence
from steps.report.content import answer_beside_simpler, answer_in_markdown, short_answer
from steps.tracking import datasets, lookup, record
from steps.tracking.export import check_output_dir, export_tables
from steps.tracking.session import step_run
from steps.tracking.store.ui import say_where
from steps.trained_folds import trained_folds


def evaluate_and_record(configuration: Evaluate) -> None:
    """Evaluate all folds of a training in a pool, and record what comes of it.

    Raises:
        UserError: there is no such training, or its models cannot be used.
    """
    check_output_dir(configuration.output_dir)
    check_reachable(configuration.compute)
    seed, thresholds, baselines = configuration.seed, configuration.thresholds, configuration.baselines
    with step_run("evaluate", configuration.given, files=configuration.files) as run:
        run_id = run.info.run_id
        with trained_folds(run, configuration.train_run_id, configuration.compute) as trained:
            dataset, folds, pool = trained.dataset, trained.folds, trained.pool
            job = EvaluationJob(trained.place, thresholds, seed)
            wanted: tuple[int, ...] = ()
            if configuration.learning_curve:
                check_learning_curve(trained.model)
                check_binary(dataset, "learning_curve=true")
                trained.check_tests_everybody("learning_curve=true")
                wanted = sizes(folds)
            # A network of whole labels is not what would be trained again.
            retrains = trained.tests_everybody and dataset.labelling is None
            retraining = pool.submit(worker.retrain, job, trained.model) if retrains else None
            closed = [name for name in baselines if BASELINES[name].closed_form and trained.tests_everybody]
            evaluated = trained.each(
                partial(worker.evaluate, job), lambda of_fold, result: record.update_metrics(of_fold, result.metrics)
            )
            click.echo(f"{len(folds)} folds evaluated; next are intervals, permutations, baselines and figures")
            results = results_table(
                [
                    FoldPrediction(dataset.of_subjects(fold.test_subjects), fold.test_number, result.probabilities)
                    for fold, result in zip(folds, evaluated, strict=True)
                ],
                thresholds,
            )
            in_fold = in_fold_table(
                (fold.name, fold.test_number, fold.test_subjects, result.own)
                for fold, result in zip(folds, evaluated, strict=True)
            )
            chunked = Chunked(in_pool(pool))
            retrained = None if retraining is None else retraining.result()
            outcome = summary(results, thresholds, seed=seed, in_fold=in_fold, retrained=retrained, chunked=chunked)
            p_values = [result.p_values for result in evaluated if result.p_values is not None]
            answered = answers_table(p_values, dataset.label_names) if len(p_values) == len(evaluated) else None
            if answered is not None:
                outcome["abstention"] = abstention(answered)
            retesting = {name: pool.submit(worker.retrain_baseline, job, name) for name in closed}
            fitting = {fit: pool.submit(worker.fit_baseline, job, fit) for fit in fits_of(baselines, folds)}
            learning = partial(worker.learn, job, trained.model, wanted)
            learnt = [pool.submit(learning, fold) for fold in folds if wanted and fold.test_number == 1]
            # The audit is made and figures are drawn while the pool works.
            audited = audit.audit(dataset, seed=seed, with_leak_check=configuration.leak_check)
            histories = [lookup.load_history(run_of_fold) for run_of_fold in trained.runs]
            record.log_figures(run_id, all_figures(results, outcome, histories, dataset.label_names, in_fold))
            if dataset.labelling:
                labels = label_results_table(_label_predictions(dataset, folds, evaluated), dataset.labelling)
                outcome["labels"] = label_summary(labels, dataset.labelling, seed)
                record.log_figures(run_id, label_figures(labels, dataset.labelling, outcome["labels"]))
            fitted = {fit: task.result() for fit, task in fitting.items()}
            if learnt:
                curve = pd.concat([task.result() for task in learnt], ignore_index=True)
                outcome["learning_curve"] = learning_curve(curve, outcome, seed)
                record.log_figures(run_id, {"learning_curve": learning_curve_figure(outcome["learning_curve"])})
            compared = baseline_results(baselines, dataset, folds, thresholds, fitted)
            tested_again = {name: tested for name, task in retesting.items() if (tested := task.result()) is not None}
            outcome["baselines"], ranked = baselines_summary(
                results, compared, thresholds, retrained=tested_again, seed=seed, chunked=chunked
            )
            if ranked:
                outcome["ranking"] = ranked
        record.log(
            run_id,
            tags=trained.tags("evaluate", configuration.given),
            metrics={
                **flat_metrics(outcome),
                **baseline_metrics(outcome),
                **(abstention_metrics(outcome["abstention"]) if answered is not None else {}),
                **(label_metrics(outcome["labels"]) if dataset.labelling else {}),
                "audit_findings": audited.findings,
                "inference_ms_per_trial": statistics.median(
                    result.metrics["inference_ms_per_trial"] for result in evaluated
                ),
            },
        )
        tables = _tables(results, in_fold, outcome, compared, dataset, seed) | {"audit": audit.table(audited)}
        audit_document = audit.document(audited, outcome[SUBJECT].get(PRIMARY))
        if answered is not None:
            tables |= {"answers": answered, "abstention": curve_table(outcome["abstention"])}
        if dataset.labelling:
            tables |= {"label_results": labels, "label_metrics": label_metrics_table(outcome["labels"])}
        record.log_files(
            run_id,
            {
                **{f"{name}.csv": table for name, table in tables.items()},
                "summary.json": outcome,
                "audit.json": audit_document,
                "export.parquet": export.as_parquet(tables["export"]),
            },
        )
        datasets.log_study(run_id, trained.train, trained.manifest, trained.uri, context="evaluate")
        answer = (outcome, dataset.label_names)
        said = audit_text(audit_document, dataset.label_names)
        short = short_answer(*answer, audit_document)
        record.describe(run_id, answer_in_markdown(short, answer_beside_simpler(*answer)))
        folder = export_tables(configuration.output_dir, run, {name: tables[name] for name in ("results", "subjects")})
        for level in LEVELS:
            click.echo(level_text(outcome, level))
        if answered is not None:
            click.echo(abstention_text(outcome["abstention"]).replace("; ", ";\n"))
        for level in LEVELS if dataset.labelling else ():
            click.echo(label_text(outcome["labels"], level))
        for caution in said.cautions:
            click.echo(caution)
        if configuration.leak_check:
            click.echo(leak_sentence(audit_document["leak_check"]))
        say_where(folder, run)


def _label_predictions(
    dataset: Dataset, folds: Sequence[Fold], evaluated: Sequence[EvaluatedFold]
) -> list[LabelPrediction]:
    """What the folds say of whole labels; nothing where labels are yes or no."""
    return [
        LabelPrediction(dataset.of_subjects(fold.test_subjects), fold.test_number, result.label_outputs)
        for fold, result in zip(folds, evaluated, strict=True)
        if result.label_outputs is not None
    ]


def _tables(
    results: pd.DataFrame,
    in_fold: pd.DataFrame,
    outcome: Mapping[str, Any],
    compared: Mapping[str, pd.DataFrame],
    dataset: Dataset,
    seed: int,
) -> dict[str, pd.DataFrame]:
    """The tables of an evaluation, by the name of their file without ``.csv``."""
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
    if "learning_curve" in outcome:
        tables["learning_curve"] = curve_as_table(outcome["learning_curve"])
    if compared:
        tables |= {"baselines": baselines_table(compared), "methods": methods_table(outcome)}
    return tables
