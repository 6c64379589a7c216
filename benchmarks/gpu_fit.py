"""One fit of a network, for `benchmarks.gpu`: prints seconds, AUC of the training trials and memory as JSON."""

from __future__ import annotations

import json
import sys

import numpy as np

from benchmarks.measure import seconds_of
from steps.core.readers.simulate import SimulationSize, simulate
from steps.system.one_thread import tensorflow_on_one_thread

EPOCHS, BATCH = 10, 128


def main(model: str, precision: str) -> dict[str, float]:
    """Fit twice, the first time to compile; as a worker of a training would."""
    tensorflow_on_one_thread()
    import tensorflow as tf
    from sklearn.metrics import roc_auc_score

    from steps.core.models.fit import Engine, standardisation
    from steps.core.models.settings import FitSettings, balanced_weights

    size = SimulationSize(controls=0, trials_min=40, trials_max=40, effect=3.0)
    study = simulate(size, seed=0)
    mean, scale = standardisation(study.values)
    trials = ((study.values - mean) / scale).astype(np.float32)
    engine = Engine(model, study.timesteps, len(study.features))
    settings = FitSettings(model=model, epochs=EPOCHS, batch_size=BATCH, precision=precision, early_stopping_patience=0)

    def fit() -> None:
        weights = balanced_weights(study.labels)
        fits.append(engine.fit((trials, study.labels), None, weights, settings, 0, None, study.subjects))

    fits: list[object] = []
    fit()
    seconds = seconds_of(fit)
    network = fits[-1].network  # type: ignore[attr-defined]
    said = np.asarray(network(trials, training=False))[:, 0]
    peak = tf.config.experimental.get_memory_info("GPU:0")["peak"] if tf.config.list_physical_devices("GPU") else 0
    return {"seconds": seconds, "auc": float(roc_auc_score(study.labels, said)), "peak_mib": peak / 2**20}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
