"""The whole step: a search in every fold and one on everybody, recorded try by try, and what the folds say of it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import pandas as pd

from steps import commands
from steps.compute import check_reachable, open_pool
from steps.compute.progress import counting
from steps.configuration import Tune
from steps.core.data.dataset import Dataset
from steps.core.data.normalise import SUBJECT, check_both_classes
from steps.core.figures.comparison import differences
from steps.core.figures.tuning import search_history, search_importance
from steps.core.metrics.comparable import Method
from steps.core.metrics.comparison import compared, comparison, comparison_metrics, comparison_table
from steps.core.metrics.names import LEVELS, at_level
from steps.core.metrics.predictions import results_table
from steps.core.models.refit import refit_fold
from steps.core.models.settings import process_mib
from steps.core.models.table import MODELS, check_binary, check_trial_length
from steps.core.tuning.inner import subject_errors
from steps.core.tuning.search import check_installed
from steps.core.tuning.space import MODEL, Space, space_of
from steps.errors import UserError
from steps.parameters import PARAMETERS, Value
from steps.report import tuning
from steps.report.comparison import answer
from steps.tracking import datasets, record, reuse
from steps.tracking.addresses import dataset_place
from steps.tracking.export import check_output_dir, export_tables
from steps.tracking.search_recorder import SearchRecorder, interrupted_searches
from steps.tracking.session import no_child_left_running, step_run
from steps.tracking.store.ui import say_where
from steps.tune.worker import Progress, Search, Tuned, TuningJob, inner_folds, searches, tune_fold
from steps.writing.estimates import flat

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow.entities import Run

BEST = "best.yaml"
# What decides how a network is trained; `best.yaml` holds what is not at its default.
_DECIDE = (
    "controls", "normalise", "epochs", "batch_size", "precision", "learning_rate", "validation_fraction",
    "early_stopping_patience", "reduce_lr_patience", "reduce_lr_factor", "class_weight",
)  # fmt: skip


def tune(configuration: Tune) -> None:
    """Search for better settings, apart in each fold and once on everybody, and say what that is worth.

    Raises:
        UserError: the parameters or the dataset cannot be used, or Optuna is not installed.
    """
    started = time.perf_counter()
    optuna = check_installed()
    check_output_dir(configuration.output_dir)
    check_reachable(configuration.compute)
    with step_run("tune", configuration.given, files=configuration.files) as run, ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        uri = datasets.resolve_dataset_uri(configuration.dataset_uri, run.info.experiment_id)
        dataset = datasets.load_dataset(uri)
        training = configuration.training()
        check_both_classes(dataset, training.normalise)
        check_binary(dataset, "tune")
        space = _space(configuration, dataset)
        for network in space.networks:
            check_trial_length(network, dataset.timesteps)
        folds = training.folds(dataset)
        everybody = refit_fold(dataset, training.controls, configuration.seed)
        for fold in (*folds, everybody):
            for network in space.networks:
                inner_folds(configuration, configuration.training({MODEL: network}), dataset, fold)
        identity = reuse.Identity.of("tune", configuration.given, f"{dataset.digest()} optuna {optuna}")
        manifest = dataset.manifest()
        tags = {"dataset_uri": uri, "dataset_digest": manifest.digest, "model": training.model}
        record.log(run.info.run_id, tags={**tags, "version.optuna": optuna, **identity.tags()})
        record.log_dataset_input(manifest, uri, context="tune")
        # After the identity is recorded: if this is killed, the next one takes over these tries again.
        taken = interrupted_searches(run, identity.key) if configuration.resume else {}
        place = dataset_place(dataset, uri, scratch, shared=configuration.compute.is_local)
        job = TuningJob(place, configuration, space, optuna)
        wanted = searches(folds, everybody, {fold: tuple(one.tried for one in own) for fold, own in taken.items()})
        stack.enter_context(no_child_left_running(run))  # after the recorder has written what was waiting
        recorder = stack.enter_context(SearchRecorder(run, tags))
        for name, own in taken.items():
            recorder.take_over(name, own)
        before = time.perf_counter()
        found = _searched(job, wanted, recorder, _memory_mib(configuration, space, dataset))
        searched_s = time.perf_counter() - before
        recorder.close()
        recording_wait_s = time.perf_counter() - before - searched_s
        of_all, *of_folds = found
        document = _nested(of_folds, configuration, run, manifest.digest)
        best = _settings_that_decide(configuration, of_all)
        text = tuning.settings_file(best, document, run.info.run_id)
        tables = {
            "tries": _tries_table(found),
            "results": results_table([one.best for one in of_folds if one.best], configuration.thresholds),
            "comparison": comparison_table(document),
        }
        record.log_files(
            run.info.run_id,
            {
                **{f"{name}.csv": table for name, table in tables.items()},
                "comparison.json": document,
                BEST: text.encode(),
            },
        )
        importance = _mean_importance(found)
        record.log_figures(run.info.run_id, _figures(found, document))
        times = {
            "searched_s": searched_s,
            "recording_wait_s": recording_wait_s,
            "total_wall_s": time.perf_counter() - started,
        }
        record.log(run.info.run_id, metrics={**_metrics(document), **times, "tries": len(tables["tries"])})
        chosen = {one.fold.name: one.found.best for one in of_folds}
        record.describe(run.info.run_id, tuning.description(document, chosen, of_all.found.best, importance))
        shown = {name: tables[name] for name in ("tries", "results")}
        folder = export_tables(configuration.output_dir, run, shown, {BEST: text})
        for line in (
            tuning.verdict(document),
            answer(document),
            f"nested estimate: {tuning.nested_estimate(document)}",
            f"chosen by the folds: {tuning.chosen_text([one.settings for one in chosen.values()])}",
            f"found on everybody, for new people: {tuning.settings_text(of_all.found.best.settings)}",
        ):
            click.echo(line)
        if folder:
            click.echo(f"train with it: {commands.command('train', config=folder / BEST)}")
        say_where(folder, run)


def _space(configuration: Tune, dataset: Dataset) -> Space:
    training = configuration.training()
    allowed = training.controls == "exclude"
    try:
        check_both_classes(dataset, SUBJECT)
    except UserError:
        allowed = False
    return space_of(
        training.given,
        {name: PARAMETERS[name].default for name in training.given},
        networks=configuration.networks,
        search=configuration.search,
        normalise=allowed,
    )


def _memory_mib(configuration: Tune, space: Space, dataset: Dataset) -> float:
    settings = (configuration.training({MODEL: one}).fit_settings() for one in space.networks)
    return max(process_mib(one, dataset.values) for one in settings)


def _searched(job: TuningJob, wanted: Sequence[Search], recorder: SearchRecorder, memory_mib: float) -> list[Tuned]:
    """Do the searches in a pool; their results in the order in which they are wanted."""
    configuration = job.configuration
    tries = int(min(configuration.trials, job.space.size))
    if tries < configuration.trials:
        others = ",".join(name for name in MODELS if name not in job.space.networks)
        more = f"; networks={others} would let the search choose the network, too" if others else ""
        click.echo(f"note: there are only {tries} different settings, and each is tried once{more}")
    done = sum(min(tries, len(one.done)) for one in wanted)
    if done:
        click.echo(f"going on after an interruption: {done} of {tries * len(wanted)} tries were done before")
    found: dict[str, Tuned] = {}
    with counting(tries * len(wanted) - done, "try") as count:

        def keep(event: Progress) -> None:
            if recorder.record(event.fold, event.tried):
                count()

        with open_pool(configuration.compute, len(wanted), process_mib=memory_mib, on_event=keep) as pool:
            click.echo(
                f"{len(wanted)} searches (every fold, and everybody) of {tries} tries in {pool.where}: "
                f"{', '.join(job.space.dimensions)}"
            )
            for search, one in pool.each(partial(tune_fold, job), wanted):
                for tried in one.found.tried:  # no message of it may have come yet
                    keep(Progress(search.fold.name, tried))
                found[search.fold.name] = one
                recorder.end(search.fold.name, one.found.best.settings, _search_metrics(one))
    return [found[search.fold.name] for search in wanted]


def _search_metrics(one: Tuned) -> dict[str, float]:
    """Of the fold's test subjects, and what the search saw of its best try."""
    best = one.found.best
    metrics = {"best_try": float(best.number + 1), "inner_brier": best.values[-1], "tries": float(len(one.found.tried))}
    for name, said in (("tuned", one.best), ("defaults", one.start)):
        if said is not None:
            metrics[f"{name}_brier"] = float(subject_errors(said).mean())
    return metrics


def _nested(folds: Sequence[Tuned], configuration: Tune, run: Run, digest: str) -> dict[str, Any]:
    """What the test subjects of all folds say of the searches, beside the settings without one."""
    tested = {one.fold.key: frozenset(one.fold.test_subjects) for one in folds}
    sides = [
        Method(
            title=title,
            train_run_id=run.info.run_id,
            baseline="",
            dataset_digest=digest,
            folds=tested,
            results=results_table(said, configuration.thresholds),
            parameters={},
        )
        for title, said in (
            (tuning.TUNED, [one.best for one in folds if one.best]),
            (tuning.DEFAULTS, [one.start for one in folds if one.start]),
        )
    ]
    return comparison(sides[0], sides[1], configuration.thresholds)


def _metrics(document: Mapping[str, Any]) -> dict[str, float]:
    metrics = comparison_metrics(document)
    for level in LEVELS:
        for one in compared(document):
            for side, part in ((tuning.TUNED, "first"), (tuning.DEFAULTS, "second")):
                if one.name in document[level]:
                    metrics |= flat(f"{side}/{at_level(level, one.name)}", document[level][one.name][part])
    return metrics


def _settings_that_decide(configuration: Tune, of_all: Tuned) -> dict[str, Value]:
    """What was found on everybody, and what was given that decides how a network is trained."""
    given = {
        name: configuration.given[name]
        for name in _DECIDE
        if configuration.given[name] != PARAMETERS[name].default
    }  # fmt: skip
    return {**given, **of_all.found.best.settings}


def _tries_table(found: Sequence[Tuned]) -> pd.DataFrame:
    """A row per try: ``fold``, ``try`` (from 1), ``state``, ``seconds``, ``inner_brier`` and the settings."""
    rows = [
        {
            "fold": one.fold.name,
            "try": tried.number + 1,
            "state": tried.state,
            "seconds": tried.seconds,
            "inner_folds": len(tried.values),
            "inner_brier": tried.values[-1] if tried.values else None,
            **tried.settings,
        }
        for one in found
        for tried in one.found.tried
    ]
    return pd.DataFrame(rows)


def _mean_importance(found: Sequence[Tuned]) -> dict[str, float]:
    told = [one.found.importance for one in found if one.found.importance]
    return {name: float(np.mean([one[name] for one in told])) for name in told[0]} if told else {}


def _figures(found: Sequence[Tuned], document: Mapping[str, Any]) -> dict[str, Figure]:
    of_all, *of_folds = found
    figures = {"history": search_history({one.fold.name: one.found.tried for one in found}, of_all.fold.name)}
    if told := [one.found.importance for one in found if one.found.importance]:
        figures["importance"] = search_importance(told)
    sides = [results_table([said for said in all_of if said], ()) for all_of in
             ([one.best for one in of_folds], [one.start for one in of_folds])]  # fmt: skip
    return figures | {"differences": differences(document, *sides)}
