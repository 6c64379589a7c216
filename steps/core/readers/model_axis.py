"""Bringing recordings to a model's time axis, by the rule its training used and by no other."""

from __future__ import annotations

from typing import Any

import numpy as np

from steps.core.data.dataset import Floats
from steps.core.data.manifest import WARNING
from steps.core.data.timing import Timing
from steps.core.data.training_reference import TrainingReference
from steps.core.readers import antialias, clock
from steps.core.readers.clock import Rows
from steps.core.readers.common_time import normalised_note
from steps.core.readers.recorded import Recorded
from steps.core.readers.resample import Doubles
from steps.core.readers.trials import Recording
from steps.errors import UserError

TOLERANCE = 0.01  # how far a sample may lie from its place on the model's time axis, as a share of the usual step
_NO_TIME = "The recordings have no time, so their sampling rate could not be compared with the model's."


def on_time_axis(recorded: Recorded, trained: TrainingReference) -> tuple[Floats, list[str]]:
    """Values on the model's time axis, float32, shape ``(trials, timesteps, features)``, and notes.

    Where the training trials were time-normalised, so is every recording, over its own time from the first to the last
    sample, and filtered before if the training trials were. Where they were taken as recorded, a recording must have
    their length, and their time axis where both are known: their sampling rate, if the axis counts from each trial's
    start.

    Raises:
        UserError: a recording has another length or another time axis, and the rule does not allow for it.
    """
    timesteps = len(trained.time)
    # Already interpolated, to other points. Training interpolated once, so these are not interpolated again.
    was_normalised = recorded.time_unit == "%"
    if trained.time_normalised and not was_normalised:
        return _normalised(recorded, trained)
    for trial, one in zip(recorded.trials, recorded.recordings, strict=True):
        if len(one.time) != timesteps:
            raise UserError(
                f"{_which(recorded, trial, one)} has {len(one.time)} time points, expected {timesteps} as in the "
                "model's training, which resampled nothing"
                if not was_normalised
                else f"{recorded.source} was prepared with {len(one.time)} time points, expected {timesteps} as in the "
                f"model's training; prepare it with timesteps={timesteps}"
            )
    notes = []
    if trained.time_unit == "sample":
        notes.append(
            "The model's training recordings had no common time axis, so sampling rates could not be compared."
        )
    elif not recorded.has_time:
        notes.append(_NO_TIME)
    else:
        _check_axis(recorded, trained)
    if trained.time_normalised and recorded.timing and trained.timing:
        notes += _prepared_otherwise(recorded.timing, trained.timing)
    return np.stack([one.values for one in recorded.recordings]).astype(np.float32), notes


def _normalised(recorded: Recorded, trained: TrainingReference) -> tuple[Floats, list[str]]:
    timesteps, timing = len(trained.time), trained.timing
    lengths = [len(one.time) for one in recorded.recordings]
    # Models without `timing` were trained on linear interpolation without a filter.
    filtered = [
        timing is not None and (timing.filtered or antialias.ratio(length, timesteps) > antialias.RATIO)
        for length in lengths
    ]
    pairs = zip(recorded.recordings, filtered, strict=True)
    values = [antialias.resampled(one.time, one.values, timesteps, filtered=which) for one, which in pairs]
    like = ", as the training trials were" if any(filtered) == bool(timing and timing.filtered) else ""
    notes = [normalised_note(lengths, timesteps, any(filtered), like)]
    if timing and timing.rates:
        if recorded.has_time:
            steps = clock.mean_steps([one.time for one in recorded.recordings])
            notes += _other_rates(steps, np.array(lengths), np.ones(len(lengths), dtype=np.intp), timing)
        else:
            notes.append(_NO_TIME)
    return np.stack(values).astype(np.float32), notes


def _prepared_otherwise(timing: Timing, trained: Timing) -> list[str]:
    """Warnings if a dataset that `prepare` time-normalised is of other rates, or was filtered otherwise."""
    rates = np.array([one.rate for one in timing.rates])
    trials = np.array([one.trials for one in timing.rates], dtype=np.intp)
    notes = []
    if len(rates) and timing.durations and trained.rates:
        notes = _other_rates(1 / rates, 1 + rates * timing.durations[0], trials, trained)
    if timing.filtered != trained.filtered:
        how = {True: "through a low-pass filter", False: "without a low-pass filter"}
        notes.append(
            f"{WARNING}the dataset was resampled {how[timing.filtered]}, the training trials "
            f"{how[trained.filtered]}; score the recordings themselves instead, which are then treated as those were."
        )
    return notes


def _other_rates(steps: Doubles, lengths: np.ndarray[Any, Any], trials: Rows, timing: Timing) -> list[str]:
    """A warning if recordings have rates that no training trial had: they fit the axis, but may hold other content."""
    low, high = 1 / timing.rates[-1].rate, 1 / timing.rates[0].rate
    differing = clock.differing_rates(steps, lengths, low, high)
    if not differing.any():
        return []
    others = clock.rates(np.repeat(steps[differing], trials[differing]))
    return [
        f"{WARNING}{int(trials[differing].sum())} of {int(trials.sum())} recordings have a sampling rate unlike the "
        f"training trials': {clock.described_rates(others)} per unit of time, in training "
        f"{clock.described_rates(timing.rates)}; check the unit of time and the device, or record at the training's "
        "rate."
    ]


def _check_axis(recorded: Recorded, trained: TrainingReference) -> None:
    timing = trained.timing or Timing()
    expected = np.asarray(trained.time)
    step = float(expected[-1] - expected[0]) / (len(expected) - 1)
    tolerance = max(TOLERANCE, timing.unevenness) * float(np.median(np.diff(expected)))
    length = np.array([len(expected)])
    for trial, one in zip(recorded.trials, recorded.recordings, strict=True):
        if timing.relative:
            steps = clock.mean_steps([one.time])
            if not clock.differing_rates(steps, length, step, step)[0]:
                continue
            raise UserError(
                f"{_which(recorded, trial, one)} has another sampling rate: {1 / steps[0]:g} per unit of time, "
                f"expected {1 / step:g} as in the model's training, which resampled nothing; resample it to that rate"
            )
        if np.abs(one.time - expected).max() > tolerance:
            unit = "" if trained.time_unit == "recorded" else f" {trained.time_unit}"
            raise UserError(
                f"{_which(recorded, trial, one)} has another sampling rate or time axis: its time runs "
                f"{_span(one.time)}, expected {_span(expected)}{unit} as in the model's training; convert its time, or "
                "resample it"
            )


def _span(time: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    return f"from {clock.stamp(time[0])} to {clock.stamp(time[-1])} in steps of {np.median(np.diff(time)):g}"


def _which(recorded: Recorded, trial: str, one: Recording) -> str:
    return f"{recorded.source}: trial {trial!r} of subject {one.subject!r}"
