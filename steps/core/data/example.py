"""One trial before and after its signals were processed, to be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Curve = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]  # time in seconds and values, both of shape (n,)


@dataclass(frozen=True, eq=False)
class Example:
    """A trial, feature by feature: before, the rate may have been another one for each.

    Attributes:
        subject: whose it is.
        trial: its name.
        before: as recorded.
        after: as processed, before it was brought to the length of all trials.
    """

    subject: str
    trial: str
    before: Mapping[str, Curve]
    after: Mapping[str, Curve]
