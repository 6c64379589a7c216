"""The networks, a row each: `MODELS` is all that the rest of the project knows of their names.

A row says by name which functions make the network, so that reading the table imports neither Keras nor TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from steps.errors import UserError

if TYPE_CHECKING:
    from steps.core.data.dataset import Dataset


@dataclass(frozen=True)
class Range:
    """Numbers among which a search for better settings may choose, both ends included; whole ones if the ends are."""

    low: float
    high: float
    logarithmic: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether there are whole numbers only."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def __str__(self) -> str:
        """For people: ``8 to 64``."""
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Choice:
    """Words among which a search may choose."""

    values: tuple[str, ...]

    def __str__(self) -> str:
        """For people: ``balanced or none``."""
        return " or ".join(self.values)


# Both ways are offered where every subject has trials of both classes (`steps.core.tuning.space`).
_OF_ANY: Final[Mapping[str, Range | Choice]] = {
    "class_weight": Choice(("balanced", "none")),
    "normalise": Choice(("study", "subject")),
}
OF_GRADIENT_DESCENT: Final[Mapping[str, Range | Choice]] = {
    "learning_rate": Range(1e-4, 1e-2, logarithmic=True),
    "batch_size": Range(8, 64, logarithmic=True),
    "epochs": Range(20, 120),
    **_OF_ANY,
}


@dataclass(frozen=True)
class ModelRow:
    """One network.

    Attributes:
        description: one line, for people.
        layers: ``module:function`` from standardised trials to the last hidden layer, both tensors of Keras; scaler and
            output are put around it (`steps.core.models.networks.build`).
        feature_maps: channels as wide as the trial is long, over all layers; for the memory that training takes.
        search: what the step ``tune`` searches: parameters that matter to it, with their values; each holds the
            parameter's default.
        fit: ``module:class`` that trains it, a `steps.core.models.fit.Method`.
        shortest_trial: time points that a trial needs.
        unused: parameters of `train` that decide nothing for it.
        features: ``module:function`` from standardised trials and a seed to what its heads are fitted on, where that is
            made without labels; so a permutation test can train heads again for every permutation.
    """

    description: str
    layers: str
    feature_maps: int
    search: Mapping[str, Range | Choice]
    fit: str = "steps.core.models.gradient_descent:GradientDescent"
    shortest_trial: int = 1
    unused: frozenset[str] = frozenset()
    features: str | None = None

    @property
    def validates(self) -> bool:
        """Whether validation subjects are taken out of the training subjects, to decide when to stop."""
        return "validation_fraction" not in self.unused


_OF_STEPS = frozenset({"batch_size", "learning_rate", "reduce_lr_patience", "reduce_lr_factor", "precision"})

MODELS: Final[dict[str, ModelRow]] = {
    "cnn": ModelRow(
        description="two convolution blocks of 64, global average pooling, dense 64, dropout",
        layers="steps.core.models.convolutional:cnn",
        feature_maps=128,
        search=OF_GRADIENT_DESCENT,
    ),
    "cnn_wide": ModelRow(
        description="convolutions of 400, 100 and 300 with batch normalisation and dropout, dense 450",
        layers="steps.core.models.convolutional:cnn_wide",
        feature_maps=800,
        search=OF_GRADIENT_DESCENT,
    ),
    "soft_minirocket": ModelRow(
        description="frozen dilated convolutions of MiniRocket, made differentiable, and a logistic head",
        layers="steps.core.models.soft_minirocket:soft_minirocket",
        feature_maps=256,
        search={
            "epochs": Range(20, 120),
            "early_stopping_patience": Range(5, 40),
            "validation_fraction": Range(0.1, 0.5),
            **_OF_ANY,
        },
        fit="steps.core.models.regularisation_path:RegularisationPath",
        shortest_trial=9,
        unused=_OF_STEPS,
        features="steps.core.models.soft_minirocket:features_of",
    ),
    "soft_multirocket": ModelRow(
        description="frozen convolutions of MiniRocket on trial and differences, means of windows, and ridge heads",
        layers="steps.core.models.soft_multirocket:soft_multirocket",
        feature_maps=512,
        search=_OF_ANY,
        fit="steps.core.models.left_out_ridge:LeftOutRidge",
        shortest_trial=10,
        unused=_OF_STEPS | {"epochs", "validation_fraction", "early_stopping_patience"},
        features="steps.core.models.soft_multirocket:features_of",
    ),
}


def named(reference: str) -> Any:
    """The function or class that a row names as ``module:name``."""
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)


def check_learning_curve(model: str) -> None:
    """Refuse a learning curve of a network that would have to be trained anew for every point of it.

    Raises:
        UserError: it is such a network.
    """
    if MODELS[model].features is None:
        able = " or ".join(name for name, row in MODELS.items() if row.features)
        raise UserError(
            f"learning_curve=true needs a network whose heads are fitted in closed form, found model={model}; "
            f"use model={able}, or leave learning_curve at false"
        )


def check_binary(dataset: Dataset, what: str) -> None:
    """Refuse what only a study of two classes can have.

    Raises:
        UserError: its labels say more.
    """
    if dataset.labelling:
        raise UserError(
            f"{what} needs labels that are yes or no, found label_kind={dataset.labelling.kind}; prepare with "
            "label_kind=binary"
        )


def check_trial_length(model: str, timesteps: int) -> None:
    """Refuse trials that are too short for a network.

    Raises:
        UserError: they are.
    """
    if timesteps < MODELS[model].shortest_trial:
        raise UserError(
            f"model={model} needs trials of at least {MODELS[model].shortest_trial} time points, found {timesteps}; "
            "prepare with timesteps=101, or use model=cnn"
        )
