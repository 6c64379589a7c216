"""Entry point ``evaluate``: fold models -> metrics, tables and figures."""

from __future__ import annotations

import statistics
from typing import Any

import click

from steps.cli import door
from steps.evaluate import figures
from steps.evaluate.baselines.choice import parse_baselines
from steps.evaluate.baselines.predict import Split
from steps.evaluate.methods import (
    baseline_metrics,
    baseline_results,
    baselines_summary,
    baselines_table,
    methods_table,
)
from steps.evaluate.metrics import fold_metrics
from steps.evaluate.predict import inference_ms_per_trial, predict
from steps.evaluate.summary import flat_metrics, summary
from steps.evaluate.tables import FoldPrediction, results_table, subjects_table
from steps.evaluate.thresholds import parse_thresholds, threshold_key
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
        predictions, histories, milliseconds = [], [], []
        for fold in folds:
            model = lineage.load_model(fold)
            test = dataset.of_subjects(fold.split["test"])
            probabilities = predict(model, test.values)
            latency = inference_ms_per_trial(model, test.values)
            metrics = fold_metrics(test.labels, probabilities, thresholds)
            record.update_metrics(fold.run, {**metrics, "inference_ms_per_trial": latency})
            predictions.append(FoldPrediction(test, fold.test_number, probabilities))
            histories.append(lineage.load_history(fold))
            milliseconds.append(latency)
        results = results_table(predictions, thresholds)
        subjects = subjects_table(results)
        outcome = summary(results, seed=parameters["seed"])
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
        if compared:
            record.log_table(run_id, baselines_table(compared), "baselines.csv")
            record.log_table(run_id, methods_table(outcome), "methods.csv")
        for name, figure in figures.all_figures(results, outcome, histories, dataset.label_names).items():
            record.log_figure(run_id, figure, name)
        for level in ("pooled", "subject"):
            click.echo(_in_words(level, outcome))
        for name, found in outcome["baselines"].items():
            click.echo(f"{name}, {_in_words('subject', {**outcome, **found})}")


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
