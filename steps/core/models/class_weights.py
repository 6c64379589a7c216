"""Weights of the classes in the loss, as the user writes them."""

from __future__ import annotations

import math

from steps.errors import UserError, shown

# Of the negative and the positive class, in the loss.
ClassWeights = tuple[float, float]


def parse_class_weight(rule: str) -> ClassWeights | None:
    """The weights that a rule names, None for `steps.core.models.settings.balanced_weights`.

    Raises:
        UserError: neither ``balanced`` nor ``none`` nor two weights, or a weight that is negative or not finite.
    """
    if rule == "balanced":
        return None
    if rule == "none":
        return 1.0, 1.0
    try:
        negative, positive = (float(part) for part in rule.split(","))
        valid = all(map(math.isfinite, (negative, positive))) and min(negative, positive) >= 0 < max(negative, positive)
    except ValueError:
        valid = False
    if not valid:
        raise UserError(f"class_weight={shown(rule)}, expected 'balanced', 'none' or two weights such as '1,2.5'")
    return negative, positive
