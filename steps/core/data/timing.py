"""How trials were sampled: what a dataset's manifest and a model's ``training.json`` say about clocks."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class SamplingRate(BaseModel):
    """How many trials have this sampling rate, in samples per unit of the recordings' time (six digits)."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    rate: float = Field(gt=0)
    trials: int = Field(gt=0)


class Timing(BaseModel):
    """How trials were sampled, and what was done to bring them to one time axis.

    Attributes:
        rates: every distinct sampling rate with its number of trials, ascending; empty where no time was recorded.
        durations: shortest and longest trial from first to last sample; None where no time was recorded.
        relative: whether the time axis counts from each trial's own start, as their clocks start at different times.
        unevenness: how far samples lie from their place on the common time axis, at most, in steps.
        filtered: whether trials with more samples than time points were low-pass filtered before resampling.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    rates: list[SamplingRate] = []
    durations: tuple[float, float] | None = None
    relative: bool = False
    unevenness: float = 0.0
    filtered: bool = False
