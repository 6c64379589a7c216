"""Entry point ``attribute``: fold models -> the importance of features and moments, checked."""

from __future__ import annotations

from typing import Any

import click

from steps.attribute.baselines import check_method
from steps.attribute.faithfulness import spread_out
from steps.attribute.figures import all_figures
from steps.attribute.fold import FoldResult, Settings, attribute_fold
from steps.attribute.randomisation import FOLDS
from steps.attribute.results import Results, in_words, results, warnings
from steps.cli import door
from steps.dataset import Dataset
from steps.tracking import lineage, record, reuse
from steps.tracking.session import step_run


@door("attribute")
def main(parameters: dict[str, Any]) -> None:
    """Attribute the probability of every held-out trial, under its own fold's model, to features and time."""
    settings = Settings(**{name: parameters[name] for name in Settings.__dataclass_fields__})
    check_method(settings.method, settings.baseline)
    with step_run("attribute", parameters) as run:
        run_id = run.info.run_id
        train = lineage.find_run("train", parameters["train_run_id"], run.info.experiment_id)
        dataset = lineage.dataset_of(train)
        folds = lineage.fold_runs(train.info.run_id)
        found = results(
            _attribute(folds, dataset, settings), [(f.name, f.test_number) for f in folds], dataset, settings
        )
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
        for line in in_words(found):
            click.echo(line)
        for line in warnings(found):
            click.echo(f"warning: {line}", err=True)


def _attribute(folds: list[lineage.FoldRun], dataset: Dataset, settings: Settings) -> list[FoldResult]:
    """Every fold, one after the other; a model is kept no longer than its fold takes."""
    controls = dataset.select(dataset.is_control)
    randomised = set(spread_out(len(folds), FOLDS).tolist())
    return [
        attribute_fold(
            lineage.load_model(fold),
            dataset.of_subjects(fold.split["test"]),
            dataset.of_subjects(fold.split["training"]),
            controls,
            settings,
            name=fold.name,
            test_number=fold.test_number,
            randomise=number in randomised,
        )
        for number, fold in enumerate(folds)
    ]


def _log_files(run_id: str, found: Results, dataset: Dataset) -> None:
    for name, table in found.tables.items():
        record.log_table(run_id, table, f"{name}.csv")
    figures = all_figures(
        found.tables,
        dataset.time,
        time_unit=dataset.time_unit,
        label_names=dataset.label_names,
        truth=dataset.planted_truth,
        metrics=found.metrics,
    )
    for name, figure in figures.items():
        for suffix in ("png", "svg"):
            record.log_figure(run_id, figure, f"{name}.{suffix}")


if __name__ == "__main__":
    main()
