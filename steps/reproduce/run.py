"""The whole step: a run made again, compared with the one that was recorded."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import click
import mlflow
from mlflow.entities import Run
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from steps.commands import manager_to_repeat_with
from steps.configuration import Reproduce
from steps.errors import UserError
from steps.parameters import Value
from steps.report.command import reproduce_command
from steps.reproduce import plan, recorded
from steps.reproduce.compare import IDENTICAL, MISSING, Comparison, compare, left_out, verdict_of
from steps.reproduce.result import COLUMNS, Reproduction
from steps.reproduce.surroundings import NOT_RECORDED, Surroundings, command, surroundings
from steps.system.fetched import at_hand
from steps.tracking import datasets, documents, lookup, record
from steps.tracking.children import run_step
from steps.tracking.environment import environment_tags, installed_packages
from steps.tracking.session import ENTRY_POINT_TAG, step_run
from steps.tracking.store import digests
from steps.tracking.store.ui import say_where


@dataclass
class _Again:
    """A run that was made again: pairs of what is to be compared, and what is to be said about it.

    Attributes:
        run_id: of the new run.
        pairs: what to call two runs, the recorded one and the new one.
        missing: what the new run lacks.
        evaluated: whether both have in their folds what the same evaluation added.
        defaulted: parameters that were not recorded.
    """

    run_id: str
    pairs: list[tuple[str, Run, Run]]
    missing: list[str] = field(default_factory=list)
    evaluated: bool = True
    defaulted: list[str] = field(default_factory=list)


def reproduce_and_record(configuration: Reproduce) -> bool:
    """Run a recorded run again and compare every value; returns whether it is reproduced.

    Raises:
        UserError: the run cannot be run again.
    """
    recorded.keep_apart()
    with step_run("reproduce", configuration.given) as run:
        original = recorded.find(configuration.run_id, run.info.experiment_id)
        record.log(run.info.run_id, tags={"reproduced_run_id": original.info.run_id})
        context = _surroundings(original)
        _say_what_differs(original, context)
        if configuration.strict and context.code_differs:
            raise UserError("strict=true, and this is not the code the run was made with")
        again = _RUN_AGAIN[original.data.tags[ENTRY_POINT_TAG]](original, run)
        result = _compare(original, again, context)
        _log(run, result)
    _show(result)
    say_where(None, run)
    return result.reproduced


def _surroundings(original: Run) -> Surroundings:
    # What an older version did not write on every fold, it wrote on the training.
    whole = recorded.parent_of(original) if original.data.tags[ENTRY_POINT_TAG] == "fold" else original
    then = {**whole.data.tags, **original.data.tags}
    return surroundings(then, environment_tags(), recorded.packages_of(whole), installed_packages())


def _say_what_differs(original: Run, context: Surroundings) -> None:
    kind, run_id = original.data.tags[ENTRY_POINT_TAG], original.info.run_id
    click.echo(f"{kind} run {run_id}, {original.info.run_name}")
    for name, (before, now) in context.different.items():
        if NOT_RECORDED not in (before, now):
            click.echo(f"  {name} differs: recorded {before}, now {now}")
    if unknown := context.unknown:
        click.echo(f"  not recorded, so perhaps another: {', '.join(unknown)}")
    if not context.different:
        click.echo("  code, Python, packages and machine are the same")
    if "commit" not in context.different or not context.commit:
        return
    repository = recorded.repository_of(original)
    if recorded.can_reproduce(context.commit):
        line = command(run_id, context.commit, repository, manager_to_repeat_with())
    elif kind == "main":
        click.echo(f"  commit {context.commit} has no entry point reproduce yet; the same study with its code:")
        line = reproduce_command(
            recorded.parameters_of(original),
            commit=context.commit,
            repository=repository,
            env_manager=manager_to_repeat_with(),
        )
    else:
        click.echo(f"  commit {context.commit} has no entry point reproduce yet; it can only be compared with by hand")
        return
    click.echo(f"  with the code it was made with: {line}")
    if not repository:
        click.echo("  (-v checks that commit out in the clone itself; commit or stash your changes first)")


def _study(original: Run, run: Run) -> _Again:
    known = recorded.parameters_of(original)
    given = _source(known, original)
    parameters, defaulted = plan.complete("main", known, **given)
    first = recorded.step_of(original, "prepare")
    if first is None:
        raise UserError(f"study {original.info.run_id} has lost its prepare run, and with it the dataset's digest")
    click.echo("dataset: making it again")
    with at_hand(str(parameters["source"])):  # the study takes the same copy
        digest = plan.dataset_again(parameters).digest()
        plan.same_dataset(documents.required_tag(first, "dataset_digest"), digest, parameters["source"])
        click.echo(f"dataset: the same, digest {digest[:12]}…; running the study again")
        again_id = run_step("main", parameters, run)
    again = mlflow.get_run(again_id)
    result = _Again(again_id, [("main", original, again)], defaulted=defaulted)
    for step in recorded.OF_A_STUDY:
        then, now = recorded.step_of(original, step), recorded.step_of(again, step)
        if then is None or now is None:
            result.missing.append(step)
            continue
        result.pairs.append((step, then, now))
        if step == "train":
            evaluate = recorded.step_of(original, "evaluate")
            # The folds hold the metrics of the last evaluation. Those of the study's own are in its tables.
            result.evaluated = evaluate is not None and not recorded.evaluated_again(then, evaluate)
            _add_folds(result, then, now)
    return result


def _prepare(original: Run, run: Run) -> _Again:
    known = recorded.parameters_of(original)
    given = _source(known, original)
    parameters, defaulted = plan.complete("prepare", known, **given)
    again_id = run_step("prepare", parameters, run)
    return _Again(again_id, [("prepare", original, mlflow.get_run(again_id))], defaulted=defaulted)


def _train(original: Run, run: Run) -> _Again:
    parameters, defaulted = _training(original, run)
    again_id = run_step("train", parameters, run)
    again = mlflow.get_run(again_id)
    result = _Again(again_id, [("train", original, again)], evaluated=False, defaulted=defaulted)
    _add_folds(result, original, again)
    return result


def _fold(original: Run, run: Run) -> _Again:
    train = recorded.parent_of(original)
    parameters, defaulted = _training(train, run)
    name, number = documents.fold_key(original)
    split = documents.json_of(original, digests.SPLIT, documents.Split)
    again_id = run_step("train", plan.of_one_fold(parameters, name, number, split["test"]), run)
    result = _Again(again_id, [], evaluated=False, defaulted=defaulted)
    _add_folds(result, train, mlflow.get_run(again_id), only=(name, number))
    return result


def _of_training(original: Run, run: Run) -> _Again:
    """``evaluate`` or ``attribute``: the step again, on the same training."""
    kind = original.data.tags[ENTRY_POINT_TAG]
    train_run_id = documents.required_tag(original, "train_run_id")
    lookup.find_run("train", train_run_id, original.info.experiment_id)
    given = {"train_run_id": train_run_id, "cwd": str(Path.cwd())}
    parameters, defaulted = plan.complete(kind, recorded.parameters_of(original), **given)
    again_id = run_step(kind, parameters, run)
    return _Again(again_id, [(kind, original, mlflow.get_run(again_id))], defaulted=defaulted)


_RUN_AGAIN = {
    "main": _study,
    "prepare": _prepare,
    "train": _train,
    "fold": _fold,
    "evaluate": _of_training,
    "attribute": _of_training,
}


def _source(known: dict[str, Value], original: Run) -> dict[str, str]:
    """The source and a file that describes it, absolute, and the folder to work in."""
    folders = [Path.cwd()]
    if "cwd" in known:
        folders.insert(0, Path(str(known["cwd"])))
    if "source" not in known:
        raise UserError(f"run {original.info.run_id} did not record its source; it cannot be reproduced")
    given = {"source": plan.existing_source(str(known["source"]), folders), "cwd": str(Path.cwd())}
    if "study" in known:
        given["study"] = plan.existing_study(str(known["study"]), folders)
    return given


def _training(train: Run, run: Run) -> tuple[dict[str, Value], list[str]]:
    """Parameters of a training, its dataset found or made again."""
    try:
        uri = datasets.dataset_and_uri_of(train)[1]
    except UserError:  # nowhere to be had
        uri = _dataset_again(train, run)
    return plan.complete("train", recorded.parameters_of(train), dataset_uri=uri, cwd=str(Path.cwd()))


def _dataset_again(train: Run, run: Run) -> str:
    prepare = recorded.prepare_of(train)
    if prepare is None:
        raise UserError(
            f"the dataset of training {train.info.run_id} ({train.data.tags['dataset_uri']}) is gone, and so is the "
            "prepare run that made it"
        )
    click.echo("dataset: its artifact is gone; making it again")
    again = _prepare(prepare, run)
    tags = again.pairs[0][2].data.tags
    source = recorded.parameters_of(prepare)["source"]
    plan.same_dataset(train.data.tags["dataset_digest"], tags["dataset_digest"], source)
    return str(tags["dataset_uri"])


def _add_folds(result: _Again, then: Run, now: Run, only: tuple[str, int] | None = None) -> None:
    """Pair the folds, and the final model's run, of two trainings."""
    old, new = _folds(then), _folds(now)
    for key, fold in old.items():
        if only and key != only:
            continue
        label = f"fold {key[0]} {key[1]}"
        if key in new:
            result.pairs.append((label, fold, new[key]))
        else:
            result.missing.append(label)
    final_models = [recorded.final_model_run(train) for train in (then, now)]
    if not only and final_models[0]:
        if final_models[1]:
            result.pairs.append(("fitted on all", final_models[0], final_models[1]))
        else:
            result.missing.append("fitted on all")


def _folds(train: Run) -> dict[tuple[str, int], Run]:
    finished = [fold for fold in lookup.fold_children(train) if fold.info.status == "FINISHED"]
    return dict(sorted((documents.fold_key(fold), fold) for fold in finished))


def _compare(original: Run, again: _Again, context: Surroundings) -> Reproduction:
    comparisons, not_compared = [Comparison(label, "run", "", MISSING, 0) for label in again.missing], 0
    for label, then, now in again.pairs:
        before = recorded.evidence(then)
        is_fold = then.data.tags[ENTRY_POINT_TAG] == "fold"
        comparisons += compare(label, before, recorded.evidence(now), evaluated=again.evaluated or not is_fold)
        if is_fold and not again.evaluated:
            not_compared += left_out(before)
    return Reproduction(
        original.info.run_id, original.data.tags[ENTRY_POINT_TAG], again.run_id, comparisons, context, not_compared,
        again.defaulted,
    )  # fmt: skip


def _log(run: Run, result: Reproduction) -> None:
    run_id = run.info.run_id
    record.log(
        run_id,
        tags={"rerun_run_id": result.again_id, "verdict": result.verdict, "reproduced": str(result.reproduced).lower()},
        metrics={f"things_{verdict.replace(' ', '_')}": float(n) for verdict, n in result.counts().items()},
    )
    if math.isfinite(result.largest_difference):
        record.log(run_id, metrics={"largest_difference": result.largest_difference})
    record.log_files(run_id, {"reproduction.json": result.as_json(), "reproduction.csv": result.table()})
    record.describe(run_id, result.markdown())


def _show(result: Reproduction) -> None:
    console = Console(highlight=False)
    rows = [COLUMNS, *result.summary()]
    used = [column for column in zip(*rows, strict=True) if any(column[1:])]
    table = Table(*(Column(column[0], no_wrap=True) for column in used), title="Reproduction")
    for row in zip(*(column[1:] for column in used), strict=True):
        table.add_row(*(escape(cell) for cell in row))
    console.print(table)
    if verdict_of(result.comparisons) != IDENTICAL:
        for odd in result.worst():
            values = f": {odd.recorded} -> {odd.reproduced}" if odd.recorded else ""
            console.print(
                f"{odd.verdict}: {escape(odd.run)}, {odd.kind} {escape(odd.name)}{escape(values)} "
                f"(difference {odd.difference:.1e})",
                soft_wrap=True,
            )
    if result.not_compared:
        click.echo(f"{result.not_compared} metrics that evaluate added are not compared; reproduce that evaluate run")
    if result.defaulted:
        click.echo(f"not recorded, taken at their defaults: {', '.join(result.defaulted)}")
    click.echo(result.sentence())
