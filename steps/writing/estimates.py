"""How an estimate with its interval is written: as metrics, and as text."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, Literal

BOUNDED: Final = ("value", "low", "high")
PARTS: Final = (*BOUNDED, "p_value")


def part_name(name: str, part: str) -> str:
    """``auc`` for its value, ``auc_low`` and so on for the other parts of an estimate."""
    return name if part == "value" else f"{name}_{part}"


def flat(name: str, estimate: Mapping[str, float], parts: Collection[str] = PARTS) -> dict[str, float]:
    """An estimate as metrics: ``auc``, ``auc_low``, ``auc_high``, ``auc_p_value``, as far as it has them."""
    return {part_name(name, part): float(estimate[part]) for part in parts if part in estimate}


def estimate_in(metrics: Mapping[str, float], name: str) -> dict[str, float] | None:
    """The estimate that `flat` wrote into ``metrics``; None where it is not among them."""
    if name not in metrics:
        return None
    return {part: metrics[part_name(name, part)] for part in PARTS if part_name(name, part) in metrics}


def estimate_text(estimate: Mapping[str, float], digits: int = 3, sign: Literal["", "+"] = "") -> str:
    """``0.917 [0.770, 1.000]``, or the value alone where there is no interval.

    Args:
        estimate: ``{value, low, high}``.
        digits: after the point.
        sign: ``+`` writes it in front of what is positive, as differences want it.
    """
    value, *bounds = (format(estimate[part], f"{sign}.{digits}f") for part in BOUNDED if part in estimate)
    return f"{value} [{', '.join(bounds)}]" if bounds else value
