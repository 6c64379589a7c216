"""Settings that a search for better ones has tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

State = Literal["finished", "stopped", "failed"]
Value = str | int | float


@dataclass(frozen=True)
class Tried:
    """Settings that were tried; it travels from a searching process to the one that records.

    Attributes:
        number: from 0, the settings without a search.
        settings: the network (``model``), and parameters of `train`.
        named: the same as they were drawn, by the names of `steps.core.tuning.space.Space.dimensions`.
        values: how good they are after each inner fold; lower is better.
        state: ``stopped`` where it was not worth going on, ``failed`` where the network could not be trained.
        seconds: wall time.
        reason: why it failed.
    """

    number: int
    settings: dict[str, Value]
    named: dict[str, Value]
    values: tuple[float, ...]
    state: State
    seconds: float = field(compare=False)
    reason: str = ""

    @property
    def value(self) -> float | None:
        """What they are worth; None unless the try finished."""
        return self.values[-1] if self.state == "finished" else None
