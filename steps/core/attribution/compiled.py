"""What is asked of a network, compiled once and kept from fold to fold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from steps.core.attribution.integrated_gradients import GradientFunction, OutputFunction, model_gradient, model_output

T = TypeVar("T")


class Functions:
    """The functions of networks, whose values may change meanwhile; each is made when it is first asked for."""

    def __init__(self, target: Literal[0, 1]) -> None:
        """Attribute the probability of class ``target``."""
        self._target = target
        self._made: dict[tuple[str, int], tuple[Any, Any]] = {}

    def gradient(self, model: Any) -> GradientFunction:
        """The probability of the target under ``model``, and its gradient."""
        return self._once("gradient", model, lambda: model_gradient(model, self._target))

    def output(self, model: Any) -> OutputFunction:
        """The probability of the target under ``model``."""
        return self._once("output", model, lambda: model_output(model, self._target))

    def _once(self, what: str, model: Any, make: Callable[[], T]) -> T:
        key = (what, id(model))
        if key not in self._made:
            self._made[key] = (model, make())  # with the model itself, so that no other gets its id
        made: T = self._made[key][1]
        return made
