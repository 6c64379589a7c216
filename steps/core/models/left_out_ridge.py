"""How ``soft_multirocket`` is trained: its fronts, and `steps.core.models.heads` on them, without validation subjects.

An epoch is one penalty, from a heavy one to a light one. Everything is solved outright, and all subjects train.
"""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax
from threadpoolctl import threadpool_limits

from steps.core.data.dataset import Floats, Strings
from steps.core.data.labelling import ORDERED, Labelling
from steps.core.models import networks, soft_multirocket
from steps.core.models.fit import Labels
from steps.core.models.heads import PENALTIES, Heads, platt, yes_or_no
from steps.core.models.label_heads import levels, whole_labels
from steps.core.models.saved_network import copy_of
from steps.core.models.settings import FitSettings
from steps.errors import UserError

Array = npt.NDArray[np.float64]

_LEAST_WEIGHT = 1e-12  # of the largest; errors are divided by its root


class LeftOutRidge:
    """Fits the fronts and the heads of ``soft_multirocket``; `steps.core.models.fit.Engine` walks the penalties."""

    has_learning_rate = False
    epochs: int | None = len(PENALTIES)

    def __init__(
        self,
        model: str,
        timesteps: int,
        features: int,
        _precision: str = "float32",
        labelling: Labelling | None = None,
    ) -> None:
        """Build for trials of shape ``(timesteps, features)``; it computes in its own precision."""
        self._name, self._labelling = model, labelling
        # No weight is left as it was drawn.
        self._network = networks.build(
            model, timesteps, features, seed=0, labelling=labelling, ordinal=_is_ordered(labelling)
        )
        self._fronts = soft_multirocket.Fronts(self._network)

    def begin(
        self,
        training: tuple[Floats, Labels],
        _validation: tuple[Floats, Labels] | None,
        class_weight: tuple[float, ...],
        settings: FitSettings,
        seed: int,
        subjects: Strings | None = None,
    ) -> keras.Model:
        """Fit the fronts on the training trials, and decompose what all penalties have in common.

        Raises:
            ValueError: it is not told whose trials they are.
            UserError: a class has next to no weight.
        """
        if subjects is None:
            raise ValueError(f"{self._name} leaves out subjects, so it needs those of the training trials")
        if class_weight and min(class_weight) < _LEAST_WEIGHT * max(class_weight):
            raise UserError(
                f"class_weight={','.join(f'{one:g}' for one in class_weight)}, but model={self._name} predicts every "
                f"training trial by heads without its subject; expected weights above 0 that differ by less than "
                f"{1 / _LEAST_WEIGHT:g} times"
            )
        trials, self._labels = training
        self._subjects = len(np.unique(subjects))
        with threadpool_limits(1):
            features = self._fronts.fit(trials, seed)
            self._path: Iterator[Heads] = iter(
                whole_labels(features, self._labels, subjects, class_weight, self._labelling)
                if self._labelling
                else yes_or_no(features, self._labels, subjects, class_weight)
            )
        self._best: Heads | None = None
        self.left_out: Array | None = None
        # Keras's callbacks look for it; nothing here is learnt at its rate.
        self._network.compile(optimizer=keras.optimizers.Adam(settings.learning_rate))
        self._network.stop_training = False
        return self._network

    def epoch(self, number: int) -> dict[str, float]:
        """Try the penalty of epoch ``number`` (from 1) on every head.

        Returns:
            ``loss`` (cross-entropy; of a score the squared error in variances) and ``accuracy`` of the training trials
            by heads that have the best of the penalties tried so far; ``val_loss`` and ``val_accuracy`` of the same
            trials by heads fitted without their subjects.
        """
        # One thread, like the rest of a training process: sums in another order would be other sums.
        with threadpool_limits(1):
            heads = next(self._path)
        if self._best is None or heads.left_out_loss < self._best.left_out_loss:
            self._best = heads
        return {
            "loss": heads.loss,
            "accuracy": heads.accuracy,
            "val_loss": heads.left_out_loss,
            "val_accuracy": heads.left_out_accuracy,
            "penalty": PENALTIES[number - 1],
        }

    def finish(self) -> keras.Model:
        """A network of its own, with the mean of all heads in its last layer.

        Raises:
            RuntimeError: no penalty was tried.
        """
        if self._best is None:
            raise RuntimeError("no penalty was tried: call epoch first")
        best, coefficients = self._best, np.concatenate(self._best.coefficients)
        if best.thresholds is not None:
            networks.set_levels(self._network, coefficients[:, 0], best.intercepts + best.thresholds)
        else:
            layer = networks.LABEL if self._labelling else networks.OUTPUT
            self._network.get_layer(layer).set_weights([coefficients, best.intercepts])
        self.left_out = self._answer(best)
        return copy_of(self._network)

    def _answer(self, best: Heads) -> Array:
        """The probability for the training trials by heads fitted without their subject; the network answers alike."""
        labelling, left_out = self._labelling, best.left_out
        if labelling is None:
            return np.asarray(expit(left_out[:, 0]))
        if labelling.has_classes:
            networks.ask(self._network, labelling)
            classes = softmax(left_out, axis=1) if best.thresholds is None else levels(left_out, best.thresholds)
            return np.asarray(classes @ labelling.asked).clip(0, 1)
        slope, offset = platt(left_out[:, 0], labelling.answers(self._labels), self._subjects)
        networks.answer_from_score(self._network, slope, offset)
        return np.asarray(expit(slope * left_out[:, 0] + offset))


def _is_ordered(labelling: Labelling | None) -> bool:
    return labelling is not None and labelling.kind == ORDERED
