"""Entry point ``attribute``: fold models -> the importance of features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import pandas as pd

from steps.attribute import figures
from steps.attribute.baselines import baseline_values
from steps.attribute.importance import attribution_map, feature_importance, fold_map, planted_truth_auc
from steps.attribute.integrated_gradients import Attribution, integrated_gradients
from steps.cli import door
from steps.dataset import Dataset
from steps.tracking import lineage, record, reuse
from steps.tracking.session import step_run

TOLERANCE = 0.01
MAX_STEPS = 4096  # where the output hardly changes, the error relative to the change needs many


@door("attribute")
def main(parameters: dict[str, Any]) -> None:
    """Attribute the probability of every held-out trial, under its own fold's model, to features and time."""
    with step_run("attribute", parameters) as run:
        run_id = run.info.run_id
        train = lineage.find_run("train", parameters["train_run_id"], run.info.experiment_id)
        dataset = lineage.dataset_of(train)
        controls = dataset.select(dataset.is_control)
        maps, completeness = [], []
        for fold in lineage.fold_runs(train.info.run_id):
            test = dataset.of_subjects(fold.split["test"])
            training = dataset.of_subjects(fold.split["training"])
            found = integrated_gradients(
                lineage.load_model(fold),
                test.values,
                baseline_values(parameters["baseline"], training, controls),
                target=parameters["target"],
                steps=parameters["steps"],
                tolerance=TOLERANCE,
                max_steps=max(MAX_STEPS, parameters["steps"]),
            )
            maps.append(fold_map(found.attributions))
            completeness.append(_completeness(test, fold.test_number, found))
        trials = pd.concat(completeness, ignore_index=True)
        importance = feature_importance(maps, dataset.features)
        metrics = {
            "completeness_error_max": trials["relative_error"].max(),
            "completeness_error_median": trials["relative_error"].median(),
            "trials_above_tolerance": int((~(trials["relative_error"] <= TOLERANCE)).sum()),
        }
        truth = dataset.planted_truth
        if truth and (auc := planted_truth_auc(importance, truth)) is not None:
            metrics["planted_truth_auc"] = auc
        record.log(
            run_id,
            tags={
                "train_run_id": train.info.run_id,
                "dataset_digest": train.data.tags["dataset_digest"],
                **reuse.Identity.of("attribute", parameters, train.info.run_id).tags(),
            },
            metrics=metrics,
        )
        absolute = attribution_map(maps, dataset.features, dataset.time)
        record.log_table(run_id, importance, "feature_importance.csv")
        record.log_table(run_id, absolute, "attribution_map.csv")
        record.log_table(
            run_id, attribution_map(maps, dataset.features, dataset.time, signed=True), "attribution_map_signed.csv"
        )
        record.log_table(run_id, trials, "completeness.csv")
        for name, figure in figures.all_figures(absolute, importance, dataset).items():
            record.log_figure(run_id, figure, name)
        _say(importance["feature"].tolist(), trials, metrics)


def _completeness(test: Dataset, test_number: int, found: Attribution) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "subject": test.subjects,
            "trial": test.trials,
            "label": test.labels,
            "test_number": test_number,
            "output": found.output,
            "baseline_output": found.baseline_output,
            "completeness_error": found.completeness_error,
            "relative_error": found.relative_error,
            "steps": found.steps,
        }
    )


def _say(features: Sequence[str], trials: pd.DataFrame, metrics: dict[str, float]) -> None:
    click.echo(f"most important of {len(features)} features: {', '.join(features[:5])}")
    if "planted_truth_auc" in metrics:
        click.echo(f"agreement with the planted features: AUC {metrics['planted_truth_auc']:.3f}")
    worst = trials.iloc[int(trials["relative_error"].to_numpy().argmax())]
    click.echo(f"completeness error at most {worst['relative_error']:.2e} of the output change")
    if above := metrics["trials_above_tolerance"]:
        click.echo(
            f"warning: the completeness error of {above} of {len(trials)} trials exceeds {TOLERANCE:.0%} of the output "
            f"change (worst: subject {worst['subject']}, trial {worst['trial']}); raise steps above {worst['steps']}",
            err=True,
        )


if __name__ == "__main__":
    main()
