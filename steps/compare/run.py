"""The whole step: two trainings, compared and recorded."""

from __future__ import annotations

import click

from steps.configuration import Compare
from steps.core.figures.comparison import differences
from steps.core.metrics.comparable import Method, check_comparable
from steps.core.metrics.comparison import comparison, comparison_metrics, comparison_table
from steps.errors import UserError
from steps.parameter_values import Compared
from steps.report import evaluations
from steps.report.comparison import answer, description, sentences_of_tests, warnings
from steps.tracking import record
from steps.tracking.session import step_run


def compare_and_record(configuration: Compare) -> None:
    """Say whether two trainings on the same folds, or a training and a baseline, differ.

    Raises:
        UserError: the parameters cannot be used, or the two cannot be compared.
    """
    thresholds = configuration.thresholds
    with step_run("compare", configuration.given) as run:
        first, second = _methods(configuration.runs, run.info.experiment_id)
        check_comparable(first, second)
        document = comparison(first, second, thresholds)
        run_id = run.info.run_id
        record.log(
            run_id,
            tags={
                "train_run_id_a": first.train_run_id,
                "train_run_id_b": second.train_run_id,
                "dataset_digest": first.dataset_digest,
                **{
                    f"baseline_{letter}": method.baseline
                    for letter, method in (("a", first), ("b", second))
                    if method.baseline
                },
            },
            metrics=comparison_metrics(document),
        )
        record.log_files(run_id, {"comparison.json": document, "comparison.csv": comparison_table(document)})
        record.log_figures(run_id, {"differences": differences(document, first.results, second.results)})
        record.describe(run_id, description(document))
        click.echo(answer(document))
        for line in (*sentences_of_tests(document), *warnings(document)):
            click.echo(f"- {line}")


def _methods(sides: tuple[Compared, Compared], experiment_id: str) -> tuple[Method, Method]:
    trainings = {one: evaluations.find_training(one.name, experiment_id) for one in sides if one.is_training}
    if len({train.info.run_id for train in trainings.values()}) < len(trainings):
        names = ",".join(one.name for one in sides)
        raise UserError(f"runs={names!r} names one training twice; expected two different ones")
    # A baseline shares the folds of the training beside it.
    beside = next(iter(trainings.values()))
    first, second = (
        evaluations.method_of(trainings.get(one, beside), "" if one.is_training else one.name) for one in sides
    )
    return first, second
