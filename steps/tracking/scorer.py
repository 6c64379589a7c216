"""The deployable model as MLflow loads it: a script that MLflow copies into the model and runs (models from code).

Not imported by the project. It needs nothing of the project either: the copy works wherever mlflow and keras are.
"""

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd

DEFAULT_THRESHOLD = 0.5


class FearScorer(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Probability and decision for trials in the units of the training data."""

    def load_context(self, context):  # type: ignore[no-untyped-def]
        """Load the network (Keras's safe mode: no code comes with it) and what it was trained on."""
        import keras

        self.network = keras.saving.load_model(context.artifacts["network"], compile=False, safe_mode=True)
        self.training = json.loads(Path(context.artifacts["training"]).read_text(encoding="utf-8"))

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """A row per trial of ``model_input``, ``(trials, timesteps, features)``.

        ``probability`` of the positive class; ``decision``, 1 where it reaches ``params["threshold"]``; ``distance``
        from the training trials, in standard deviations; ``unusual``, 1 where that exceeds what 99% of the training
        trials had.
        """
        threshold = float((params or {}).get("threshold", DEFAULT_THRESHOLD))
        if not 0.0 <= threshold <= 1.0:
            raise ValueError(f"threshold is {threshold}, expected a probability between 0 and 1")
        values = np.asarray(model_input, dtype=np.float32)
        probability = np.asarray(self.network(values, training=False), dtype=np.float64)[:, 0]
        mean, sd = np.asarray(self.training["mean"]), np.asarray(self.training["sd"])
        distance = np.sqrt((((values - mean) / sd) ** 2).mean(axis=(1, 2)))
        return pd.DataFrame(
            {
                "probability": probability,
                "decision": (probability >= threshold).astype(np.int64),
                "distance": distance,
                "unusual": (distance > self.training["usual_distance"]).astype(np.int64),
            }
        )


mlflow.models.set_model(FearScorer())
