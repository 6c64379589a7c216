"""How trials are attributed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from steps.errors import UserError

BaselineKind = Literal["zero", "mean", "control"]
Method = Literal["integrated_gradients", "expected_gradients"]


@dataclass(frozen=True)
class Settings:
    """How trials are attributed; the fields are parameters of the entry point, without their ``attribution_``."""

    method: Method = "integrated_gradients"
    steps: int = 32
    baseline: BaselineKind = "mean"
    baseline_trials: int = 32
    target: Literal[0, 1] = 1
    seed: int = 0


def no_controls() -> UserError:
    """What to say where the baseline ``control`` is asked for and there is no control group."""
    return UserError(
        "attribution_baseline=control needs trials of a control group, and the dataset has none: "
        "add some (control_data/, or a 'group' column) and prepare again, or choose attribution_baseline=mean"
    )


def check_method(method: str, kind: str) -> None:
    """Refuse a baseline that a method cannot use.

    Raises:
        UserError: expected gradients from ``zero``.
    """
    if method == "expected_gradients" and kind == "zero":
        raise UserError(
            "method=expected_gradients draws its baselines from trials and cannot use "
            "attribution_baseline=zero: choose attribution_baseline=mean (training trials) or "
            "attribution_baseline=control, or method=integrated_gradients"
        )
