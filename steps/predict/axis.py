"""Bringing recordings to a model's time axis, by the rule its training used and by no other."""

from __future__ import annotations

import numpy as np

from steps.dataset import Floats
from steps.errors import UserError
from steps.predict.source import Recorded
from steps.prepare.recordings import Recording
from steps.prepare.resample import normalise
from steps.trained_on import TrainedOn

TOLERANCE = 0.01  # how far a sample may lie from its place on the model's time axis, as a share of the usual step


def on_time_axis(recorded: Recorded, trained: TrainedOn) -> tuple[Floats, list[str]]:
    """Values on the model's time axis, float32, shape ``(trials, timesteps, features)``, and notes.

    Where the training trials were time-normalised, so is every recording: linearly, over its own time from the first
    to the last sample. Where they were taken as recorded, a recording must have their length, and their time axis
    where both are known.

    Raises:
        UserError: a recording has another length or another time axis, and the rule does not allow for it.
    """
    timesteps = len(trained.time)
    # Interpolated once already, and to other points: twice is not what training did.
    was_normalised = recorded.time_unit == "%"
    if trained.time_normalised and not was_normalised:
        values = [normalise(one.time, one.values, timesteps) for one in recorded.recordings]
        lengths = [len(one.time) for one in recorded.recordings]
        note = (
            f"Time-normalised {len(lengths)} trials of {min(lengths)} to {max(lengths)} time points to {timesteps} "
            "points by linear interpolation, as the training trials were."
        )
        return np.stack(values).astype(np.float32), [note]
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
        notes.append("The recordings have no time, so their sampling rate could not be compared with the model's.")
    else:
        _check_axis(recorded, trained)
    return np.stack([one.values for one in recorded.recordings]).astype(np.float32), notes


def _check_axis(recorded: Recorded, trained: TrainedOn) -> None:
    expected = np.asarray(trained.time)
    tolerance = TOLERANCE * float(np.median(np.diff(expected)))
    for trial, one in zip(recorded.trials, recorded.recordings, strict=True):
        if np.abs(one.time - expected).max() > tolerance:
            unit = "" if trained.time_unit == "recorded" else f" {trained.time_unit}"
            raise UserError(
                f"{_which(recorded, trial, one)} has another sampling rate or time axis: its time runs "
                f"{_span(one.time)}, expected {_span(expected)}{unit} as in the model's training"
            )


def _span(time: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    return f"from {time[0]:g} to {time[-1]:g} in steps of {np.median(np.diff(time)):g}"


def _which(recorded: Recorded, trial: str, one: Recording) -> str:
    return f"{recorded.source}: trial {trial!r} of subject {one.subject!r}"
