"""The final model as MLflow loads it: a script that MLflow copies into the model and runs (models from code).

Not imported by the project. It needs nothing of the project either: the copy works wherever mlflow and keras are.
So it repeats, in a few lines, what `distance` of training references, `steps.core.metrics.conformal`,
`steps.core.readers.model_match` and the `predict` step do; a test compares them.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

DEFAULT_THRESHOLD = 0.5
DONT_KNOW = "don't know"
CHUNK = 512  # trials per forward pass, which bounds the memory
WITH_UNIT = re.compile(r"(.+?)\s*[\[(]([^\[\]()]+)[\])]")  # knee_angle_x [deg], knee_angle_x (deg)
SHOWN = 6  # names in a message
RATE_TOLERANCE = 0.002


class Refused(mlflow.MlflowException):  # type: ignore[misc]
    """A request that is not answered; over HTTP status 400 and this one line.

    MLflow's server puts the data that was sent before the message of an error, which is not what its reader looks for.
    """

    def __init__(self, line: str) -> None:
        super().__init__(line, error_code=INVALID_PARAMETER_VALUE)
        self.line = line

    def serialize_as_json(self) -> str:
        """The answer to the client."""
        self.message = self.line
        return str(super().serialize_as_json())


class FearScorer(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Probability and decision for trials in the units of the training data."""

    def load_context(self, context: Any) -> None:
        """Load the network, with which no code comes (ONNX, or Keras's safe mode), and what it was trained on."""
        self.training = json.loads(Path(context.artifacts["training"]).read_text(encoding="utf-8"))
        path = context.artifacts["network"]
        if path.endswith(".onnx"):
            import onnxruntime

            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            self.network, self.label = onnx_output(session, "probability"), onnx_output(session, "label")
            return
        import keras

        network = keras.saving.load_model(path, compile=False, safe_mode=True)
        self.network = compiled(network)
        if self.training.get("labelling"):
            self.label = compiled(keras.Model(network.input, network.get_layer("label").output))

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

        What the request says of its columns is compared with the training's, as `predict` does it:
        ``params["features"]``, their names, in any order (``knee_angle_x [deg]`` has its unit with it);
        ``params["units"]``, their units, "" where unknown; ``params["sampling_rate"]``, in time points per unit of the
        model's time. What is not said is taken to be the training's.

        Raises:
            Refused: a threshold that is no probability, an error rate that is none or that this model cannot keep,
                other features, units or sampling rates than the training's, a value that is not finite, values so
                large that the network has no answer, or a single trial where those of a person are
                compared with each other; over HTTP status 400.
        """
        given = {name: value for name, value in (params or {}).items() if value is not None}
        threshold = float(given.get("threshold", DEFAULT_THRESHOLD))
        if not 0.0 <= threshold <= 1.0:
            raise Refused(f"threshold is {threshold}, expected a probability between 0 and 1")
        error_rate = float(given.get("error_rate", 0.0))
        self._check_error_rate(error_rate)
        self._check_rate(float(given.get("sampling_rate", 0.0)))
        values = np.asarray(model_input, dtype=np.float32)
        columns, units = list(given.get("features", [])), list(given.get("units", []))
        if columns or units:
            values = np.take(values, self._order(columns or self.training["features"], units), axis=2)
        self._check(values)
        if self.training.get("normalise") == "subject" and len(values):
            values = within_one_person(values)
        probability = self._outputs(self.network, values)[:, 0]
        mean, sd = np.asarray(self.training["mean"]), np.asarray(self.training["sd"])
        distance = in_chunks(lambda part: np.sqrt((((part - mean) / sd) ** 2).mean(axis=(1, 2))), values)
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
        names, outputs = self.training["labelling"]["names"], self._outputs(self.label, values)
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
            raise Refused(f"error_rate is {error_rate}, expected a number from 0 (no answers) to 0.5")
        if error_rate and not self.training.get("left_out_scores"):
            raise Refused(
                f"error_rate is {error_rate}, but this model cannot say when it does not know: "
                "nothing is kept of how it does on people it has not seen; expected 0"
            )

    def _order(self, columns: list[str], units: list[str]) -> list[int]:
        """Which column of the request is which feature, by name."""
        wanted: list[str] = self.training["features"]
        for what, named in (("features", columns), ("units", units)):
            if named and len(named) != len(wanted):
                raise Refused(f"{what} names {len(named)}, expected {len(wanted)}: one for each column of the trials")
        if nameless := [place for place, column in enumerate(columns) if not column]:
            raise Refused(f"features has no name for column {nameless[0]} (counted from 0)")
        places = {column: place for place, column in enumerate(columns) if column in wanted}
        bare = {split_unit(name)[0]: name for name in wanted if name not in places}
        for place, column in enumerate(columns):
            name = column if column in places else bare.get(split_unit(column)[0])
            if name is not None and places.setdefault(name, place) != place:
                raise Refused(
                    f"features has {name!r} twice, in {columns[places[name]]!r} and {column!r}; name each column once"
                )
        missing = [name for name in wanted if name not in places]
        additional = [column for place, column in enumerate(columns) if place not in places.values()]
        if missing or additional:
            parts = [
                f"{word} {listed(names)}" for word, names in (("missing", missing), ("additional", additional)) if names
            ]
            raise Refused(
                f"the features of the request are not the model's: {'; '.join(parts)}; expected the {len(wanted)} "
                f"features {listed(wanted)}, in any order; send those, under these names"
            )
        for name, place in places.items():
            unit = (units[place] if units else "") or split_unit(columns[place])[1]
            expected = self.training["units"].get(name) or split_unit(name)[1]
            if unit and expected and unit != expected:
                raise Refused(
                    f"feature {columns[place]!r} is in {unit!r}, the model was trained on {expected!r}; convert it"
                )
        return [places[name] for name in wanted]

    def _check_rate(self, rate: float) -> None:
        if rate == 0:
            return
        if not 0 < rate < np.inf:
            raise Refused(f"sampling_rate is {rate:g}, expected a number above 0")
        time, unit = self.training["time"], self.training["time_unit"]
        if self.training["time_normalised"] or unit == "sample":
            why = (
                "had no common time axis"
                if unit == "sample"
                else "were brought to one length, as these trials have to be"
            )
            raise Refused(f"sampling_rate is {rate:g}, but the model's training trials {why}: leave it out")
        expected = (len(time) - 1) / (time[-1] - time[0])
        margin = max(RATE_TOLERANCE, 0.5 / (len(time) - 1))
        if not 1 - margin <= expected / rate <= 1 + margin:
            raise Refused(
                f"sampling_rate is {rate:g} per unit of time, expected {expected:g} as in the model's training, which "
                "resampled nothing; resample to that rate"
            )

    def _outputs(self, network: Any, values: np.ndarray) -> np.ndarray:
        """What a network gives for trials; shape ``(trials, width)``."""
        outputs = in_chunks(lambda part: np.asarray(network(part), dtype=np.float64), values)
        if wrong := np.flatnonzero(~np.isfinite(outputs).all(axis=1)).tolist():
            # Sums beyond what 32 bits hold; compared with a threshold, what is no number would be a "no".
            raise Refused(
                f"the network has no answer for trial {wrong[0]} (counted from 0), whose values reach "
                f"{np.abs(values[wrong[0]]).max():.3g}; expected recordings in the units of its training"
            )
        return outputs

    def _check(self, values: np.ndarray) -> None:
        wrong = np.argwhere(~np.isfinite(values))
        if len(wrong):
            trial, point, feature = wrong[0].tolist()
            raise Refused(
                f"trial {trial} holds {values[trial, point, feature]} for feature "
                f"{self.training['features'][feature]!r} at time point {point} (all counted from 0), "
                "expected a finite number"
            )


def onnx_output(session: Any, name: str) -> Callable[[np.ndarray], Any]:
    """An output of an ONNX file as a function of trials."""
    return lambda values: session.run([name], {"trial": values})[0]


def compiled(network: Any) -> Callable[[np.ndarray], Any]:
    """A network as one function, traced once for any number of trials and tried out.

    Layer by layer, a trial takes many times as long (docs/serve.md).
    """
    import tensorflow as tf

    trials = tf.TensorSpec((None, *network.input_shape[1:]), tf.float32)
    function: Callable[[np.ndarray], Any] = tf.function(lambda x: network(x, training=False), input_signature=[trials])
    function(np.zeros((1, *network.input_shape[1:]), np.float32))
    return function


def in_chunks(function: Callable[[np.ndarray], np.ndarray], values: np.ndarray) -> np.ndarray:
    """What a function gives for trials, so many at a time that memory does."""
    if not len(values):  # which TensorFlow's convolutions do not take
        return function(np.zeros((1, *values.shape[1:]), np.float32))[:0]
    return np.concatenate([function(values[start : start + CHUNK]) for start in range(0, len(values), CHUNK)])


def split_unit(column: str) -> tuple[str, str]:
    """Name and unit of a column such as ``knee_angle_x [deg]``; the unit is "" where there is none."""
    matched = WITH_UNIT.fullmatch(column)
    return (matched[1], matched[2].strip()) if matched else (column, "")


def listed(names: list[str]) -> str:
    """Names as a message has them."""
    text = ", ".join(repr(name if len(name) <= 80 else f"{name[:80]}…") for name in names[:SHOWN])
    return text if len(names) <= SHOWN else f"{text} and {len(names) - SHOWN} more"


def within_one_person(values: np.ndarray) -> np.ndarray:
    """One person's trials, standardised per feature over all of them and their time points; a constant becomes 0."""
    if len(values) < 2:
        raise Refused(
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
