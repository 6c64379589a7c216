"""Which baselines there are, and how the user writes which to run."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from steps.errors import UserError, shown

MAJORITY, LOGISTIC, BOOSTING = "majority", "logistic", "boosting"
MINIROCKET, MULTIROCKET = "minirocket", "multirocket"
NONE = "none"


@dataclass(frozen=True)
class Baseline:
    """What is known of a baseline but its function.

    Attributes:
        title: what people read.
        short_title: the same where there is little room.
        is_guess: whether it looks at no values, so that no network is measured against it.
        is_random: whether its fit depends on the seed; else one fit serves every test number.
        closed_form: whether it can be trained again for every permutation of the labels: a ridge classifier on features
            that no label has shaped.
        package: what has to be installed for it beyond the environment; empty for nothing.
        requirement: how to ask pip for that.
    """

    title: str
    short_title: str
    is_guess: bool = False
    is_random: bool = False
    closed_form: bool = False
    package: str = ""
    requirement: str = ""


_of_aeon = partial(Baseline, is_random=True, package="aeon", requirement="aeon>=1.6,<2")

BASELINES: Mapping[str, Baseline] = {
    MAJORITY: Baseline("majority class", "majority class", is_guess=True),
    LOGISTIC: Baseline("logistic regression on summary features", "logistic regression"),
    BOOSTING: _of_aeon("gradient boosting on catch22 and summary features", "gradient boosting"),
    MINIROCKET: _of_aeon("MiniRocket with a ridge classifier", "MiniRocket", closed_form=True),
    MULTIROCKET: _of_aeon("MultiRocket with a ridge classifier", "MultiRocket", closed_form=True),
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
