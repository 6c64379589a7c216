"""What is asked of a network, compiled once and kept from fold to fold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from steps.core.attribution.integrated_gradients import GradientFunction, OutputFunction, model_gradient, model_output

T = TypeVar("T")


class Functions:
    """The functions of a network, whose weights may change meanwhile; each is made when it is first asked for.

    Asked of another network, they are made anew, and those of the one before are gone.
    """

    def __init__(self, target: Literal[0, 1]) -> None:
        """Attribute the probability of class ``target``."""
        self._target = target
        self._model: Any = None
        self._made: dict[str, Any] = {}

    def gradient(self, model: Any) -> GradientFunction:
        """The probability of the target under ``model``, and its gradient."""
        return self._once("gradient", model, lambda: model_gradient(model, self._target))

    def output(self, model: Any) -> OutputFunction:
        """The probability of the target under ``model``."""
        return self._once("output", model, lambda: model_output(model, self._target))

    def _once(self, what: str, model: Any, make: Callable[[], T]) -> T:
        if model is not self._model:
            self._model, self._made = model, {}
        if what not in self._made:
            self._made[what] = make()
        made: T = self._made[what]
        return made
