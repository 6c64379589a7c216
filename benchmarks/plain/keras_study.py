"""Leave-one-subject-out with Keras's ``fit``, the plain way: a script from the files to the attributions.

    python -m benchmarks.plain.keras_study splits.json --model cnn --epochs 60 --result result.json

``splits.json`` names the folder of recordings and who trains, validates and is tested in each fold. ``result.json``
receives the seconds of each phase of each fold, and what the models said about the held-out trials.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import mlflow
import numpy as np
from mlflow.models import infer_signature
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_class_weight

from benchmarks.plain.integrated_gradients import integrated_gradients
from benchmarks.plain.networks import build
from benchmarks.plain.recordings import read_trials


def main() -> None:
    """Every fold, one after the other."""
    options = parse_options()
    splits = json.loads(options.splits.read_text())
    if options.track:
        mlflow.set_experiment("plain")
    folds = []
    for fold in splits["folds"]:
        run = mlflow.start_run(run_name=f"{fold['name']}_{fold['test_number']}") if options.track else None
        folds.append(train_fold(Path(splits["recordings"]), fold, options))
        if run:
            mlflow.end_run()
    options.result.write_text(json.dumps({"folds": folds}))


def train_fold(recordings: Path, fold: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Read, standardise, fit, log, predict; returns seconds per phase and the predictions."""
    began = time.time()
    seconds: dict[str, float] = {}
    with timed(seconds, "read"):
        x_train, y_train = read_trials(recordings, fold["training"])
        x_val, y_val = read_trials(recordings, fold["validation"])
        x_test, y_test = read_trials(recordings, fold["test"])
        scaler = StandardScaler().fit(x_train.reshape(-1, x_train.shape[-1]))
        x_train, x_val, x_test = (scale(scaler, x) for x in (x_train, x_val, x_test))
    weights = compute_class_weight("balanced", classes=np.array([0, 1]), y=y_train)
    with timed(seconds, "fit"):
        keras.backend.clear_session()
        keras.utils.set_random_seed(fold["seed"])
        model = build(options.model, *x_train.shape[1:])
        model.compile(keras.optimizers.Adam(options.learning_rate), "binary_crossentropy", metrics=["accuracy"])
        epochs = EpochEnds()
        history = model.fit(
            x_train,
            y_train,
            batch_size=options.batch_size,
            epochs=options.epochs,
            validation_data=(x_val, y_val),
            class_weight={0: weights[0], 1: weights[1]},
            callbacks=[keras.callbacks.ReduceLROnPlateau("val_loss", 0.5, 6, min_delta=0.0), epochs],
            verbose=0,
        )
    with timed(seconds, "predict"):
        probabilities = model.predict(x_test, verbose=0)[:, 0]
    if options.track:
        with timed(seconds, "log"):
            mlflow.log_params({"model": options.model, "batch_size": options.batch_size, "seed": fold["seed"]})
            for name, values in history.history.items():
                for epoch, value in enumerate(values, start=1):
                    mlflow.log_metric(name, value, step=epoch)
            mlflow.log_metric("test_accuracy", float(np.mean((probabilities > 0.5) == y_test)))
    if options.log_model:
        with timed(seconds, "log_model"):
            mlflow.tensorflow.log_model(model, name="model", signature=infer_signature(x_test, probabilities[:, None]))
    if options.attribute:
        with timed(seconds, "attribute"):
            baseline = x_train.mean(axis=0)
            for trial in x_test:
                integrated_gradients(model, trial, baseline)
    return {
        "name": fold["name"],
        "test_number": fold["test_number"],
        "began": began,
        "ended": time.time(),
        "seconds": seconds,
        "later_epochs_s": epochs.ends[-1] - epochs.ends[0],
        "training_trials": len(y_train),
        "labels": y_test.tolist(),
        "probabilities": probabilities.tolist(),
    }


def scale(scaler: StandardScaler, values: np.ndarray) -> np.ndarray:
    """Standardised trials, float32."""
    scaled = scaler.transform(values.reshape(-1, values.shape[-1])).reshape(values.shape)
    return np.asarray(scaled, np.float32)


class EpochEnds(keras.callbacks.Callback):  # type: ignore[misc]
    """When each epoch ended; the first one compiles."""

    def on_train_begin(self, _logs: Any = None) -> None:
        """Begin."""
        self.ends: list[float] = []

    def on_epoch_end(self, _epoch: int, _logs: Any = None) -> None:
        """End of an epoch."""
        self.ends.append(time.perf_counter())


@contextmanager
def timed(seconds: dict[str, float], phase: str) -> Iterator[None]:
    """Wall time of a block."""
    before = time.perf_counter()
    yield
    seconds[phase] = time.perf_counter() - before


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("splits", type=Path)
    parser.add_argument("--result", type=Path, required=True)
    parser.add_argument("--model", choices=("cnn", "cnn_wide"), default="cnn")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--track", action="store_true", help="log parameters and every epoch's metrics with MLflow")
    parser.add_argument("--log-model", action="store_true", help="and every fold's model, requirements inferred")
    parser.add_argument("--attribute", action="store_true", help="Integrated Gradients of every held-out trial")
    return parser.parse_args()


if __name__ == "__main__":
    main()
