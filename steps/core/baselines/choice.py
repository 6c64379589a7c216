"""Which baselines to run: how the user writes them, and what they need."""

from __future__ import annotations

import importlib.util

from steps.errors import UserError, shown

MAJORITY, LOGISTIC, MINIROCKET = "majority", "logistic", "minirocket"
BASELINES = (MAJORITY, LOGISTIC, MINIROCKET)
NONE = "none"


def parse_baselines(text: str) -> tuple[str, ...]:
    """The baselines in a comma-separated list, in the order given; ``none`` is none.

    Raises:
        UserError: an unknown baseline, one named twice, or one whose package is not installed.
    """
    if text.strip() == NONE:
        return ()
    names = tuple(item.strip() for item in text.split(","))
    for name in names:
        if name not in BASELINES:
            raise UserError(
                f"baselines={shown(text)}: {shown(name)} is no baseline; expected 'none' or some of "
                f"{', '.join(BASELINES)}"
            )
    if len(set(names)) < len(names):
        raise UserError(f"baselines={shown(text)} names a baseline twice")
    if MINIROCKET in names and importlib.util.find_spec("aeon") is None:
        raise UserError(
            "baselines: minirocket needs the package aeon, which is not installed here; install it with "
            "pip install 'aeon>=1.6,<2' and run with --env-manager local, or leave minirocket out"
        )
    return names
