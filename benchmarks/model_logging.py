"""Logging one fold's model: MLflow's ``log_model``, which infers requirements, and the project's tracker, by turns.

python -m benchmarks.model_logging
"""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.command import part
from benchmarks.measure import by_turns, seconds_of
from benchmarks.report import Bar, Result, Row
from benchmarks.study import FEATURES, TIMESTEPS

if TYPE_CHECKING:
    import keras

MODELS = ("cnn", "cnn_wide")
SECONDS_ALLOWED = 0.5


def measure(turns: int, folder: Path) -> Result:
    """Log each network ``turns`` times on both sides, into a new SQLite store in ``folder``."""
    import mlflow

    from benchmarks.plain.networks import build

    os.chdir(folder)  # the plain way leaves artifacts in the folder it works in
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder / 'mlflow.db'}"
    mlflow.set_experiment("models")
    rows = []
    for name in MODELS:
        network = build(name, TIMESTEPS, FEATURES)
        project(network, 0)  # makes the experiment
        timings = by_turns({"plain": partial(plain, network), "project": partial(project, network)}, turns)
        rows.append(
            Row(
                f"`{name}`: logging a fold's model",
                "s",
                tuple(timings["project"]),
                tuple(timings["plain"]),
                "mlflow.tensorflow.log_model",
                Bar("at most", SECONDS_ALLOWED),
            )
        )
    return Result(rows)


def plain(network: keras.Model, _turn: int) -> float:
    """Seconds of ``log_model`` with a signature and inferred requirements."""
    import mlflow
    from mlflow.models import infer_signature

    values = np.zeros((1, TIMESTEPS, FEATURES), np.float32)
    with mlflow.start_run():
        signature = infer_signature(values, np.asarray(network(values)))
        return seconds_of(lambda: mlflow.tensorflow.log_model(network, name="model", signature=signature))


def project(network: keras.Model, _turn: int) -> float:
    """Seconds until a model given to the tracker is in the store, with everything MLflow needs to load it."""
    from steps.tracking import MLflowTracker

    with MLflowTracker("models of the project") as tracker:
        run = tracker.start_run("model")
        tracker.flush()

        def log() -> None:
            run.log_model(network)
            tracker.flush()

        seconds = seconds_of(log)
        run.end_run()
    return seconds


@part(__doc__)
def main(quick: bool) -> Result:
    """Measure the logging of models."""
    with tempfile.TemporaryDirectory() as scratch:
        return measure(1 if quick else 3, Path(scratch))


if __name__ == "__main__":
    main()
