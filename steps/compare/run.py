"""The whole step: two trainings, compared and recorded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from steps.configuration import Compare
from steps.core.figures.comparison import differences
from steps.core.metrics.comparable import Method, check_comparable
from steps.core.metrics.comparison import comparison, comparison_metrics, comparison_table
from steps.errors import UserError, shown
from steps.report import evaluations
from steps.report.comparison import answer, description, sentences_of_tests, warnings
from steps.tracking import documents, lookup, record
from steps.tracking.session import step_run

if TYPE_CHECKING:
    from mlflow.entities import Run

_RUN_ID = re.compile(r"[0-9a-f]{32}")


def compare_and_record(configuration: Compare) -> None:
    """Say whether two trainings on the same folds, or a training and a baseline, differ.

    Raises:
        UserError: the parameters cannot be used, or the two cannot be compared.
    """
    thresholds = configuration.thresholds
    tokens = parse_runs(configuration.runs)
    with step_run("compare", configuration.given) as run:
        first, second = _methods(tokens, run.info.experiment_id)
        check_comparable(first, second)
        document = comparison(first, second, thresholds, seed=configuration.seed)
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


def parse_runs(text: str) -> tuple[str, str]:
    """The two names in ``runs``.

    Raises:
        UserError: there are not two, they are the same, or neither is a training.
    """
    tokens = tuple(token.strip() for token in text.split(","))
    if len(tokens) != 2 or not all(tokens):
        raise UserError(
            f"runs={shown(text)}: expected two, separated by a comma: run IDs of trainings, or one and a baseline"
        )
    if tokens[0] == tokens[1]:
        raise UserError(
            f"runs={shown(text)} names the same twice; expected two different trainings, or one and a baseline"
        )
    if not any(map(_is_training, tokens)):
        raise UserError(f"runs={shown(text)}: at least one must be a training: a run ID, 'latest' or 'previous'")
    return tokens[0], tokens[1]


def _is_training(token: str) -> bool:
    return token in (lookup.LATEST, evaluations.PREVIOUS) or bool(_RUN_ID.fullmatch(token))


def _methods(tokens: tuple[str, str], experiment_id: str) -> tuple[Method, Method]:
    trainings = {token: evaluations.find_training(token, experiment_id) for token in tokens if _is_training(token)}
    if len({train.info.run_id for train in trainings.values()}) < len(trainings):
        raise UserError(f"runs={','.join(tokens)!r} names one training twice; expected two different ones")
    # A baseline shares the folds of the training beside it.
    beside = next(iter(trainings.values()))
    first, second = (
        _method(trainings[token], "") if token in trainings else _method(beside, token) for token in tokens
    )
    return first, second


def _method(train: Run, baseline: str) -> Method:
    folds = {run.fold.key: frozenset(run.fold.test_subjects) for run in lookup.fold_runs(train.info.run_id)}
    run_id, tags = train.info.run_id, train.data.tags
    predictions = evaluations.baseline_predictions(train, baseline) if baseline else None
    return Method(
        title=baseline or f"{tags.get('model', 'network')} ({run_id[:8]})",
        train_run_id=run_id,
        baseline=baseline,
        dataset_digest=documents.required_tag(train, "dataset_digest"),
        folds=folds,
        results=evaluations.network_predictions(train) if predictions is None else predictions,
        parameters=evaluations.training_parameters(train),
    )
