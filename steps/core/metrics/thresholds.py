"""Decision thresholds: how the user writes them, and what they are called in metrics and columns."""

from __future__ import annotations

from collections.abc import Sequence

from steps.errors import UserError, shown

# The rule whose threshold every fold chooses for itself; named like the others so that metrics line up.
IN_FOLD = "threshold_in_fold"


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


def threshold_key(threshold: float) -> str:
    """The prefix of a threshold's metrics: ``threshold_0.43``."""
    return f"threshold_{float(threshold)}"


def prediction_column(threshold: float) -> str:
    """The column of the predictions made at a threshold: ``prediction_0.43``."""
    return f"prediction_{float(threshold)}"


def prediction_columns(columns: Sequence[str]) -> tuple[float, ...]:
    """The thresholds named by the ``prediction_`` columns among ``columns``, in their order."""
    prefix = "prediction_"
    return tuple(float(name.removeprefix(prefix)) for name in columns if name.startswith(prefix))


def vote_column(threshold: float) -> str:
    """The column of a subject's decision by majority vote at a threshold: ``vote_0.43``."""
    return f"vote_{float(threshold)}"
