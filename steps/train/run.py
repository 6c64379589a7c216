"""The whole step: every fold, then the final model, recorded as they come."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import click
import pandas as pd

from steps.compute import check_reachable, open_pool
from steps.configuration import Train
from steps.core.data.fold_record import FoldRecord
from steps.core.data.normalise import check_both_classes
from steps.core.models.refit import refit_fold, training_summary
from steps.core.models.settings import class_weights, process_mib
from steps.core.models.table import MODELS, check_binary, check_trial_length
from steps.parameters import PARAMETERS
from steps.tracking import datasets, record, resume, reuse
from steps.tracking.addresses import dataset_place
from steps.tracking.export import check_output_dir, export_tables
from steps.tracking.fold_recorder import FoldRecorder
from steps.tracking.session import no_child_left_running, step_run
from steps.tracking.store.ui import say_where
from steps.train.worker import TrainingJob, showing, train_folds

# Wall times of a fold's phases in seconds, and the memory of its process, in `runtime.csv`.
_RUNTIME = ("epochs_trained", "training_time_s", "model_saving_s", "peak_memory_mib")


def train(configuration: Train) -> None:
    """Train one model per fold and test number; every fold is a run nested under the training's.

    Raises:
        UserError: the parameters or the dataset cannot be used.
    """
    started = time.perf_counter()
    check_output_dir(configuration.output_dir)
    check_reachable(configuration.compute)
    with step_run("train", configuration.given, files=configuration.files) as run, ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        uri = datasets.resolve_dataset_uri(configuration.dataset_uri, run.info.experiment_id)
        dataset = datasets.load_dataset(uri)
        check_trial_length(configuration.model, dataset.timesteps)
        check_both_classes(dataset, configuration.normalise)
        if configuration.controls == "negatives":
            check_binary(dataset, "controls=negatives")
        if unused := _unused(configuration):
            click.echo(f"note: with model={configuration.model}, {', '.join(unused)} decide nothing")
        folds = configuration.folds(dataset)
        identity = reuse.Identity.of("train", configuration.given, dataset.digest())
        manifest = dataset.manifest()
        record.log(
            run.info.run_id,
            tags={
                "dataset_uri": uri,
                "dataset_digest": manifest.digest,
                "model": configuration.model,
                **identity.tags(),
            },
        )
        record.log_dataset_input(manifest, uri, context="train")
        # After the identity is recorded: if this training is killed, the next one takes over these folds again.
        finished = resume.take_over_folds(run, identity.key) if configuration.resume else {}
        left = [fold for fold in folds if fold.key not in finished]
        if finished:
            click.echo(f"going on after an interruption: {len(finished)} of {len(folds)} folds were trained before")
        normalise = configuration.normalise
        place = dataset_place(dataset, uri, scratch, shared=configuration.compute.is_local, normalise=normalise)
        job = TrainingJob(
            dataset=place,
            settings=configuration.fit_settings(),
            class_weight=class_weights(configuration.class_weight, dataset.labelling),
            parameters=dict(configuration.given),
        )
        before = time.perf_counter()
        refit = refit_fold(dataset, configuration.controls, configuration.seed)
        stack.enter_context(no_child_left_running(run))  # after the recorder has written what was waiting
        recorder = FoldRecorder(
            run,
            manifest,
            uri,
            model=configuration.model,
            run_name=configuration.run_name,
            log_level=configuration.log_level,
        )
        stack.enter_context(recorder)
        with (
            showing(left, job.settings.epochs, recorder.begin) as shown,
            open_pool(
                configuration.compute,
                len(left),
                process_mib=process_mib(job.settings, dataset.values),
                on_event=shown.on_event,
            ) as pool,
        ):
            click.echo(f"{len(left)} folds of {configuration.model} ({configuration.cv}) in {pool.where}")

            def keep(fitted: FoldRecord) -> None:
                recorder.record(fitted)
                shown.on_record(fitted)

            begin_refit = partial(
                recorder.begin_final_model, refit, partial(training_summary, dataset, refit, normalise)
            )
            refitted = train_folds(pool, job, left, list(finished.values()), refit, keep, begin_refit)
            pool.no_more()
            trained_s = time.perf_counter() - before
            final_model = recorder.record_final_model(refitted)
        times = _runtime_table([*finished.items(), *recorder.done.items()])
        runtime = {
            "folds": len(folds),
            "workers": pool.workers,
            "training_s": float(times["training_time_s"].sum()),
            "training_s_mean_per_fold": float(times["training_time_s"].mean()),
            "peak_memory_mib": float(times["peak_memory_mib"].max()),
            "folds_wall_s": trained_s,
            "recording_wait_s": time.perf_counter() - before - trained_s,
            "total_wall_s": time.perf_counter() - started,
        }
        record.log_files(run.info.run_id, {"runtime.json": runtime, "runtime.csv": times})
        record.log(run.info.run_id, tags=final_model, metrics=runtime)
        folder = export_tables(configuration.output_dir, run, {"runtime": times})
        took = f"{len(folds)} folds in {runtime['folds_wall_s']:.1f} s, {runtime['training_s']:.1f} s of it training"
        record.describe(
            run.info.run_id,
            f"{took}: network `{configuration.model}`, `cv={configuration.cv}`. The folds, with curves and models, are "
            "the runs below this one; what they are worth says a run of `evaluate`.",
        )
        click.echo(took)
        say_where(folder, run)


def _runtime_table(folds: Iterable[tuple[tuple[str, int], Mapping[str, float]]]) -> pd.DataFrame:
    """A row per fold: epochs, seconds of each phase, peak memory of its process in MiB."""
    rows = [
        {"fold": name, "test_number": number, **{key: metrics.get(key) for key in _RUNTIME}}
        for (name, number), metrics in sorted(folds)
    ]
    return pd.DataFrame(rows).astype(dict.fromkeys(_RUNTIME, float))


def _unused(configuration: Train) -> list[str]:
    """Parameters that somebody has set and that decide nothing for this network."""
    names = sorted(MODELS[configuration.model].unused)
    return [name for name in names if configuration.given[name] != PARAMETERS[name].default]
