"""The work of ``train`` without any record of it: the other side of `benchmarks.tracking`."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from steps.cli import command
from steps.compute import warm_up
from steps.configuration import Train
from steps.core.data.artifact import read_artifact


@command("train")
def main(configuration: Train) -> None:
    """Train all folds and the model for new people, and throw them away; the options are those of ``train``."""
    warm_up(configuration.compute)
    from steps.compute import open_pool
    from steps.core.data.shared_memory import SHARED_FILE, SharedDataset, share
    from steps.core.models.refit import refit_fold, training_summary
    from steps.train.worker import TrainingJob, showing, train_folds

    dataset = read_artifact(Path(configuration.dataset_uri))
    folds = configuration.folds(dataset)
    refit = refit_fold(dataset, configuration.controls, configuration.seed)
    with tempfile.TemporaryDirectory() as scratch:
        share(dataset, Path(scratch) / SHARED_FILE)
        job = TrainingJob(
            dataset=SharedDataset(Path(scratch) / SHARED_FILE),
            settings=configuration.fit_settings(),
            class_weight=configuration.class_weight,
            parameters=dict(configuration.given),
        )
        with (
            showing(folds, configuration.epochs, lambda _fold: None) as shown,
            open_pool(configuration.compute, len(folds), on_event=shown.on_event) as pool,
        ):
            summarise = partial(training_summary, dataset, refit)
            train_folds(pool, job, folds, [], refit, shown.on_record, meanwhile=summarise)


if __name__ == "__main__":
    main()
