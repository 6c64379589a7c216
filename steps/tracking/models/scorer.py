"""The final model as MLflow loads it: a script that MLflow copies into the model and runs (models from code).

Not imported by the project. It needs nothing of the project either: the copy works wherever mlflow and keras are.
So it repeats, in a few lines, what `distance` of training references, `steps.core.metrics.conformal` and the `predict`
step do; a test compares them.
"""

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd

DEFAULT_THRESHOLD = 0.5
DONT_KNOW = "don't know"
CHUNK = 512  # trials per forward pass, which bounds the memory


class FearScorer(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Probability and decision for trials in the units of the training data."""

    def load_context(self, context: Any) -> None:
        """Load the network (Keras's safe mode: no code comes with it) and what it was trained on."""
        import keras

        self.network = keras.saving.load_model(context.artifacts["network"], compile=False, safe_mode=True)
        self.training = json.loads(Path(context.artifacts["training"]).read_text(encoding="utf-8"))
        if self.training.get("labelling"):
            self.label = keras.Model(self.network.input, self.network.get_layer("label").output)

    # The bare np.ndarray is what MLflow knows as a hint beside a signature; any other, or none, makes it warn.
    def predict(
        self,
        context: Any,
        model_input: np.ndarray,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """A row per trial of ``model_input``, ``(trials, timesteps, features)``.

        With a model of ``normalise=subject`` these are recordings of one person, all there are of both classes: they
        are standardised by their own mean and standard deviation.

        ``probability`` of the positive class; ``decision``, 1 where it reaches ``params["threshold"]``; ``distance``
        from the training trials, in standard deviations; ``unusual``, 1 where that exceeds what 99% of the training
        trials had. Where the training's labels were a score also ``predicted_score``; where they were several classes
        ``probability_<class>`` of each and ``predicted_class``, the most probable one. With ``params["error_rate"]``
        above 0 also ``answer``: a class of the question, or "don't know".

        Raises:
            MlflowException: a threshold that is no probability, an error rate that is none or that this model cannot
                keep, a value that is not finite, or a single trial where those of a person are compared with each
                other; over HTTP status 400.
        """
        threshold = float((params or {}).get("threshold", DEFAULT_THRESHOLD))
        if not 0.0 <= threshold <= 1.0:
            raise mlflow.MlflowException.invalid_parameter_value(
                f"threshold is {threshold}, expected a probability between 0 and 1"
            )
        error_rate = float((params or {}).get("error_rate", 0.0))
        self._check_error_rate(error_rate)
        values = np.asarray(model_input, dtype=np.float32)
        self._check(values)
        if self.training.get("normalise") == "subject" and len(values):
            values = within_one_person(values)
        probability = outputs_of(self.network, values)[:, 0]
        mean, sd = np.asarray(self.training["mean"]), np.asarray(self.training["sd"])
        distance = np.sqrt((((values - mean) / sd) ** 2).mean(axis=(1, 2)))
        table = pd.DataFrame(
            {
                "probability": probability,
                "decision": (probability >= threshold).astype(np.int64),
                "distance": distance,
                "unusual": (distance > self.training["usual_distance"]).astype(np.int64),
            }
        )
        if self.training.get("labelling"):
            table = table.assign(**self._label(values))
        return table.assign(answer=self._answers(table, error_rate)) if error_rate else table

    def _label(self, values: np.ndarray) -> dict[str, Any]:
        """What the network says of whole labels."""
        names, outputs = self.training["labelling"]["names"], outputs_of(self.label, values)
        if not names:
            return {"predicted_score": outputs[:, 0]}
        outputs = outputs.clip(0, 1)
        outputs /= outputs.sum(axis=1, keepdims=True)
        columns = {f"probability_{name}": outputs[:, place] for place, name in enumerate(names)}
        return {**columns, "predicted_class": [names[place] for place in outputs.argmax(axis=1)]}

    def _answers(self, table: pd.DataFrame, error_rate: float) -> list[str]:
        """The class that is left when the other one is ruled out; every subject of the training counts as one."""
        probability = table["probability"].to_numpy()
        scores = {name: np.asarray(values) for name, values in self.training["left_out_scores"].items()}
        p_values = []
        for label in (0, 1):
            mine = scores["label"] == label
            order = np.argsort(scores["probability"][mine], kind="stable")
            _, rows, counts = np.unique(scores["subject"][mine], return_inverse=True, return_counts=True)
            below = np.concatenate([[0.0], np.cumsum((1.0 / counts[rows])[order])])
            ranked = scores["probability"][mine][order]
            if label:
                as_unlike = below[np.searchsorted(ranked, probability, side="right")]
            else:
                as_unlike = below[-1] - below[np.searchsorted(ranked, probability, side="left")]
            p_values.append(np.round((1.0 + as_unlike) / (1.0 + len(counts)), 12))
        negative, positive = p_values
        unsure = (np.minimum(negative, positive) > error_rate) | (negative == positive) | (table["unusual"] == 1)
        names = [self.training["labels"]["0"], self.training["labels"]["1"], DONT_KNOW]
        return [names[place] for place in np.where(unsure, 2, positive > negative)]

    def _check_error_rate(self, error_rate: float) -> None:
        if not 0.0 <= error_rate <= 0.5:
            raise mlflow.MlflowException.invalid_parameter_value(
                f"error_rate is {error_rate}, expected a number from 0 (no answers) to 0.5"
            )
        if error_rate and not self.training.get("left_out_scores"):
            raise mlflow.MlflowException.invalid_parameter_value(
                f"error_rate is {error_rate}, but this model cannot say when it does not know: "
                "nothing is kept of how it does on people it has not seen; expected 0"
            )

    def _check(self, values: np.ndarray) -> None:
        wrong = np.argwhere(~np.isfinite(values))
        if len(wrong):
            trial, point, feature = wrong[0].tolist()
            raise mlflow.MlflowException.invalid_parameter_value(
                f"trial {trial} holds {values[trial, point, feature]} for feature "
                f"{self.training['features'][feature]!r} at time point {point} (all counted from 0), "
                "expected a finite number"
            )


def outputs_of(network: Any, values: np.ndarray) -> np.ndarray:
    """What a network gives for trials, some at a time; shape ``(trials, width)``."""
    parts = [
        np.asarray(network(values[start : start + CHUNK], training=False), dtype=np.float64)
        for start in range(0, len(values), CHUNK)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, network.output_shape[-1]))


def within_one_person(values: np.ndarray) -> np.ndarray:
    """One person's trials, standardised per feature over all of them and their time points; a constant becomes 0."""
    if len(values) < 2:
        raise mlflow.MlflowException.invalid_parameter_value(
            "the request holds one trial, expected at least 2, better 6 or more, of one person and of both classes: "
            "the model was trained with normalise=subject and compares the recordings of a person with each other"
        )
    own = values.astype(np.float64)
    lowest = own.min(axis=(0, 1))
    is_constant = lowest == own.max(axis=(0, 1))
    own -= np.where(is_constant, lowest, own.mean(axis=(0, 1)))
    own /= np.where(is_constant, 1.0, own.std(axis=(0, 1)))
    return own.astype(np.float32)


mlflow.models.set_model(FearScorer())
