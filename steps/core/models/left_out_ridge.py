"""How ``soft_multirocket`` is trained: its fronts, and `steps.core.models.heads` on them, without validation subjects.

An epoch is one penalty, from a heavy one to a light one. Everything is solved outright, and all subjects train.
"""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt
from scipy.special import expit
from threadpoolctl import threadpool_limits

from steps.core.data.dataset import Floats, Ints, Strings
from steps.core.models import networks, soft_multirocket
from steps.core.models.heads import PENALTIES, Heads, HeadsPath, cross_entropy
from steps.core.models.saved_network import copy_of
from steps.core.models.settings import FitSettings

Array = npt.NDArray[np.float64]


class LeftOutRidge:
    """Fits the fronts and the heads of ``soft_multirocket``; `steps.core.models.fit.Engine` walks the penalties."""

    has_learning_rate = False
    epochs: int | None = len(PENALTIES)

    def __init__(self, model: str, timesteps: int, features: int, _precision: str = "float32") -> None:
        """Build for trials of shape ``(timesteps, features)``; it computes in its own precision."""
        self._name = model
        self._network = networks.build(model, timesteps, features, seed=0)  # no weight is left as it was drawn
        self._fronts = soft_multirocket.Fronts(self._network)

    def begin(
        self,
        training: tuple[Floats, Ints],
        _validation: tuple[Floats, Ints] | None,
        class_weight: tuple[float, float],
        settings: FitSettings,
        seed: int,
        subjects: Strings | None = None,
    ) -> keras.Model:
        """Fit the fronts on the training trials, and decompose what all penalties have in common.

        Raises:
            ValueError: it is not told whose trials they are.
        """
        if subjects is None:
            raise ValueError(f"{self._name} leaves out subjects, so it needs those of the training trials")
        trials, self._labels = training
        with threadpool_limits(1):
            self._path = HeadsPath(self._fronts.fit(trials, seed), self._labels, subjects, class_weight)
        self._best: tuple[float, Heads] | None = None
        self.left_out: Array | None = None
        # Keras's callbacks look for it; nothing here is learnt at its rate.
        self._network.compile(optimizer=keras.optimizers.Adam(settings.learning_rate))
        self._network.stop_training = False
        return self._network

    def epoch(self, number: int) -> dict[str, float]:
        """Solve for the penalty of epoch ``number`` (from 1), one head for each front.

        Returns:
            ``loss`` (cross-entropy) and ``accuracy`` of the training trials; ``val_loss`` and ``val_accuracy`` of the
            same trials by heads fitted without their subjects.
        """
        # One thread, like the rest of a training process: sums in another order would be other sums.
        with threadpool_limits(1):
            heads = self._path.at(PENALTIES[number - 1])
        loss = cross_entropy(heads.left_out, self._labels)
        if self._best is None or loss < self._best[0]:
            self._best = loss, heads
        return {
            "loss": cross_entropy(heads.fitted, self._labels),
            "accuracy": self._accuracy(heads.fitted),
            "val_loss": loss,
            "val_accuracy": self._accuracy(heads.left_out),
            "penalty": PENALTIES[number - 1],
        }

    def finish(self) -> keras.Model:
        """A network of its own, with the mean of both heads at the best penalty in its last layer.

        Raises:
            RuntimeError: no penalty was tried.
        """
        if self._best is None:
            raise RuntimeError("no penalty was tried: call epoch first")
        _, best = self._best
        self.left_out = expit(best.left_out)
        coefficients = np.concatenate(best.coefficients)
        self._network.get_layer(networks.OUTPUT).set_weights([coefficients[:, np.newaxis], np.array([best.intercept])])
        return copy_of(self._network)

    def _accuracy(self, logits: Array) -> float:
        return float(np.mean((logits > 0) == (self._labels == 1)))
