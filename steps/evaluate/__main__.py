"""Entry point ``evaluate``: fold models -> metrics, tables and figures."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from steps.cli import door
from steps.dataset import Dataset
from steps.drawing import as_png_and_svg
from steps.evaluate import export, figures
from steps.evaluate.baselines.choice import parse_baselines
from steps.evaluate.baselines.predict import Split
from steps.evaluate.benefit import decision_curve
from steps.evaluate.decisions import with_votes
from steps.evaluate.in_fold import FoldThreshold, choose_threshold, in_fold_table
from steps.evaluate.methods import (
    baseline_metrics,
    baseline_results,
    baselines_summary,
    baselines_table,
    methods_table,
)
from steps.evaluate.metrics import fold_metrics, threshold_metrics
from steps.evaluate.predict import Model, inference_ms_per_trial, predict
from steps.evaluate.repeats import repeats_table
from steps.evaluate.summary import flat_metrics, summary
from steps.evaluate.tables import FoldPrediction, results_table, subjects_table
from steps.evaluate.thresholds import IN_FOLD, parse_thresholds, threshold_key
from steps.tracking import lineage, record, reuse
from steps.tracking.session import step_run


@door("evaluate")
def main(parameters: dict[str, Any]) -> None:
    """Predict every held-out trial with its own fold's model and say how well that went."""
    thresholds = parse_thresholds(parameters["thresholds"])
    baselines = parse_baselines(parameters["baselines"])
    with step_run("evaluate", parameters) as run:
        run_id = run.info.run_id
        train = lineage.find_run("train", parameters["train_run_id"], run.info.experiment_id)
        dataset = lineage.dataset_of(train)
        folds = lineage.fold_runs(train.info.run_id)
        predictions, histories, milliseconds, chosen = [], [], [], []
        for fold in folds:
            model = lineage.load_model(fold)
            test = dataset.of_subjects(fold.split["test"])
            probabilities = predict(model, test.values)
            latency = inference_ms_per_trial(model, test.values)
            metrics = fold_metrics(test.labels, probabilities, thresholds)
            own = _own_threshold(model, dataset, fold.split, thresholds[0])
            metrics |= _in_fold_metrics(test, probabilities, own)
            record.update_metrics(fold.run, {**metrics, "inference_ms_per_trial": latency})
            chosen.append((fold.name, fold.test_number, fold.split["test"], own))
            predictions.append(FoldPrediction(test, fold.test_number, probabilities))
            histories.append(lineage.load_history(fold))
            milliseconds.append(latency)
        results = results_table(predictions, thresholds)
        subjects = with_votes(subjects_table(results), results)
        in_fold = in_fold_table(chosen)
        outcome = summary(results, seed=parameters["seed"], in_fold=in_fold)
        splits = [Split.of(fold.split, fold.test_number) for fold in folds]
        compared = baseline_results(baselines, dataset, splits, thresholds, seed=parameters["seed"])
        outcome["baselines"] = baselines_summary(results, compared, seed=parameters["seed"])
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
                "inference_ms_per_trial": statistics.median(milliseconds),
            },
        )
        record.log_table(run_id, results, "results.csv")
        record.log_table(run_id, subjects, "subjects.csv")
        record.log_json(run_id, outcome, "summary.json")
        record.log_table(run_id, in_fold, "in_fold_thresholds.csv")
        record.log_table(run_id, decision_curve(results, seed=parameters["seed"]), "decision_curve.csv")
        if "per_test_number" in outcome:
            record.log_table(run_id, repeats_table(outcome), "test_numbers.csv")
        tidy = export.export_table(results, in_fold, dataset.label_names)
        record.log_table(run_id, tidy, "export.csv")
        record.log_table(run_id, export.codebook_table(dataset.label_names), "codebook.csv")
        files = {"export.parquet": export.as_parquet(tidy)}
        for name, figure in figures.all_figures(results, outcome, histories, dataset.label_names, in_fold).items():
            files[name], files[f"{name.removesuffix('.png')}.svg"] = as_png_and_svg(figure)
        record.log_files(run_id, files)
        if compared:
            record.log_table(run_id, baselines_table(compared), "baselines.csv")
            record.log_table(run_id, methods_table(outcome), "methods.csv")
        for level in ("pooled", "subject"):
            click.echo(_in_words(level, outcome))
        for name, found in outcome["baselines"].items():
            click.echo(f"{name}, {_in_words('subject', {**outcome, **found})}")


def _own_threshold(model: Model, dataset: Dataset, split: Mapping[str, list[str]], fallback: float) -> FoldThreshold:
    """The threshold a fold chooses for itself: its held-out subjects have no part in it."""
    validation = dataset.of_subjects(split["validation"])
    return choose_threshold(validation, predict(model, validation.values), fallback)


def _in_fold_metrics(test: Dataset, probabilities: npt.NDArray[np.float64], own: FoldThreshold) -> dict[str, float]:
    metrics = {"in_fold_threshold": own.threshold}
    if own.youden_j is not None:
        metrics["in_fold_youden_j"] = own.youden_j
    found = threshold_metrics(test.labels, probabilities, own.threshold)
    return metrics | {f"{IN_FOLD}/{name}": value for name, value in found.items()}


def _in_words(level: str, outcome: dict[str, Any]) -> str:
    """One line of the results; `summary.json` has the rest."""
    names = {"auc": "AUC", f"{threshold_key(outcome['thresholds'][0])}/balanced_accuracy": "balanced accuracy"}
    parts = [
        f"{text} {found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
        for name, text in names.items()
        if "low" in (found := outcome[level].get(name, {}))
    ]
    unit = {"pooled": "trials", "subject": "subjects"}[level]
    return f"{outcome['counts'][unit]} {unit}: {', '.join(parts) or 'one class only, nothing to tell apart'}"


if __name__ == "__main__":
    main()
