"""How trials are attributed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from steps.attribute.baselines import BaselineKind

Method = Literal["integrated_gradients", "expected_gradients"]


@dataclass(frozen=True)
class Settings:
    """How trials are attributed; the fields are parameters of the entry point."""

    method: Method = "integrated_gradients"
    steps: int = 32
    baseline: BaselineKind = "mean"
    baseline_trials: int = 32
    target: Literal[0, 1] = 1
    seed: int = 0
