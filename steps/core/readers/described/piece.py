"""One trial of a described study, before all of them are put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from steps.core.readers.columns import Lines
from steps.core.readers.resample import Doubles


@dataclass(frozen=True, eq=False)
class Piece:
    """One trial.

    Attributes:
        said: what is known of it: subject, label, site, session, trial, side, group, test_number.
        subject: name of the subject, put together.
        trial: its name, put together.
        origin: what messages call it.
        time: shape ``(n,)``; None where it was not recorded.
        values: shape ``(n, features)``.
        lines: number of each row in messages, shape ``(n,)``.
    """

    said: Mapping[str, str]
    subject: str
    trial: str
    origin: str
    time: Doubles | None
    values: Doubles
    lines: Lines
