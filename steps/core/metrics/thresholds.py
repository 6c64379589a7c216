"""Decision thresholds as the user writes them."""

from __future__ import annotations

from steps.errors import UserError, shown


def parse_thresholds(text: str) -> tuple[float, ...]:
    """The thresholds in a comma-separated list, in the order given, e.g. ``"0.5,0.43,0.35"``.

    Raises:
        UserError: the list is empty, names a threshold twice, or holds something other than a number
            strictly between 0 and 1.
    """
    thresholds: list[float] = []
    for item in text.split(","):
        try:
            threshold = float(item)
        except ValueError:
            threshold = float("nan")
        if not 0.0 < threshold < 1.0:
            raise UserError(
                f"thresholds={shown(text)}: {shown(item.strip())} is not a number between 0 and 1 "
                "(expected a list such as 0.5,0.43,0.35)"
            )
        if threshold in thresholds:
            raise UserError(f"thresholds={shown(text)}: {shown(item.strip())} is there twice")
        thresholds.append(threshold)
    return tuple(thresholds)
