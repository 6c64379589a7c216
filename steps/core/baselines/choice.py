"""Which baselines there are, and how the user writes which to run."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass

from steps.errors import UserError, shown

MAJORITY, LOGISTIC, MINIROCKET = "majority", "logistic", "minirocket"
NONE = "none"


@dataclass(frozen=True)
class Baseline:
    """What is known of a baseline but its function.

    Attributes:
        title: what people read.
        short_title: the same where there is little room.
        is_guess: whether it looks at no values, so that no network is measured against it.
        is_random: whether its fit depends on the seed; else one fit serves every test number.
        package: what has to be installed for it beyond the environment; empty for nothing.
        requirement: how to ask pip for that.
    """

    title: str
    short_title: str
    is_guess: bool = False
    is_random: bool = False
    package: str = ""
    requirement: str = ""


BASELINES: Mapping[str, Baseline] = {
    MAJORITY: Baseline("majority class", "majority class", is_guess=True),
    LOGISTIC: Baseline("logistic regression on summary features", "logistic regression"),
    MINIROCKET: Baseline(
        "MiniRocket with a ridge classifier", "MiniRocket", is_random=True, package="aeon", requirement="aeon>=1.6,<2"
    ),
}


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
    for name in names:
        package = BASELINES[name].package
        if package and importlib.util.find_spec(package) is None:
            raise UserError(
                f"baselines: {name} needs the package {package}, which is not installed; install it with "
                f"pip install '{BASELINES[name].requirement}' and run with --env-manager local, or leave {name} out"
            )
    return names
