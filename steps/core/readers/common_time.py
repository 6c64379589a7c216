"""One time axis for all trials of a study: the one they were recorded on, or 0 to 100 % of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from steps.core.data.dataset import Floats
from steps.core.data.manifest import WARNING
from steps.core.data.timing import Timing
from steps.core.readers import antialias, clock
from steps.core.readers.resample import DEFAULT_TIMESTEPS, Doubles, percent_axis
from steps.core.readers.trials import Recording
from steps.errors import shown

_SHOWN_FEATURES: Final = 3
_MUCH: Final = 0.01  # share of the variance from which a note is written


@dataclass(frozen=True, eq=False)
class OnCommonTime:
    """Trials on one time axis.

    Attributes:
        values: float32, shape ``(trials, timesteps, features)``.
        time: the axis, length ``timesteps``.
        time_unit: ``%``, ``recorded`` or ``sample``.
        timing: how the trials were sampled.
        is_normalised: whether they were brought to 0 to 100 % of their own time.
        notes: one sentence each.
    """

    values: Floats
    time: tuple[float, ...]
    time_unit: str
    timing: Timing
    is_normalised: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Axis:
    time: Doubles
    relative: bool = False
    unevenness: float = 0.0


def common_time(
    trials: Sequence[Recording], timesteps: int, has_time: bool, features: Sequence[str] = ()
) -> OnCommonTime:
    """Trials on one time axis: as recorded where they share one, else on 0 to 100 % of their own time.

    Args:
        trials: the trials.
        timesteps: time points to have; 0 = as recorded, or 101 where lengths differ.
        has_time: whether time was recorded; else it counts samples.
        features: their names, for the notes.
    """
    lengths = np.array([len(trial.time) for trial in trials])
    shortest, longest = int(lengths.min()), int(lengths.max())
    wanted = timesteps or (longest if shortest == longest else DEFAULT_TIMESTEPS)
    timing, differ = Timing(), False
    if has_time:
        steps = clock.mean_steps(trial.time for trial in trials)
        durations = steps * (lengths - 1)
        timing = Timing(rates=clock.rates(steps), durations=(float(durations.min()), float(durations.max())))
        usual = float(np.median(steps))
        # Trials that already run from 0 to 100 % have no sampling rate to compare.
        in_percent = all(trial.time[0] == 0.0 and trial.time[-1] == 100.0 for trial in trials)
        differ = not in_percent and bool(clock.differing_rates(steps, lengths, usual, usual).any())
    if shortest == longest == wanted:
        counted = np.arange(wanted, dtype=np.float64)
        axis = _recorded_axis(np.stack([trial.time for trial in trials]), differ) if has_time else _Axis(counted)
        if axis:
            return _as_recorded(trials, axis, timing, has_time)
    return _normalised(trials, wanted, timing, differ, features)


def _recorded_axis(times: Doubles, differ: bool) -> _Axis | None:
    """The time axis that trials ``(trials, n)`` share, if they do: up to rounding errors, or to uneven clocks."""
    samples = times.shape[1]
    since = times - times[:, :1]
    usual = float(np.median(since[:, -1])) / (samples - 1)
    if (times == times[0]).all():
        return _Axis(times[0])
    noise = clock.NOISE * usual + 4 * float(np.spacing(np.abs(times).max()))
    digits = int(np.floor(-np.log10(noise)))  # the rest is rounding errors
    shape = np.round(since[0], digits)
    if (np.abs(since - since[0]) > noise).any():
        if differ:
            return None
        shape = np.arange(samples) * usual
    # Clocks that start together may have a meaning of their own: time before and after an event.
    relative = bool(np.abs(times[:, 0] - times[0, 0]).max() > usual / 2)
    axis = shape if relative else np.round(times[0, 0] + shape, digits)
    apart = float(np.abs((since if relative else times) - axis).max())
    return _Axis(axis, relative, apart / usual if apart > 2 * noise else 0.0)


def _as_recorded(trials: Sequence[Recording], axis: _Axis, timing: Timing, has_time: bool) -> OnCommonTime:
    values = np.empty((len(trials), *trials[0].values.shape), dtype=np.float32)
    for i, trial in enumerate(trials):
        values[i] = trial.values
    notes = []
    if axis.relative:
        notes.append("The clock starts at another time in every trial; the time axis counts from each trial's start.")
    if axis.unevenness:
        notes.append(
            f"Clocks are uneven: samples lie up to {axis.unevenness:.2g} steps from their place on the common time "
            "axis, and were taken to be there."
        )
    unit = "%" if axis.time[0] == 0.0 and axis.time[-1] == 100.0 and not axis.relative else "recorded"
    return OnCommonTime(
        values=values,
        time=tuple(axis.time.tolist()),
        time_unit=unit if has_time else "sample",
        timing=timing.model_copy(update={"relative": axis.relative, "unevenness": axis.unevenness}),
        is_normalised=False,
        notes=tuple(notes),
    )


def _normalised(
    trials: Sequence[Recording], wanted: int, timing: Timing, differ: bool, features: Sequence[str]
) -> OnCommonTime:
    lengths = [len(trial.time) for trial in trials]
    shortest, longest = min(lengths), max(lengths)
    filtered = antialias.ratio(longest, wanted) > antialias.RATIO
    values = np.empty((len(trials), wanted, trials[0].values.shape[1]), dtype=np.float32)
    lost = _Lost(features)
    for i, trial in enumerate(trials):
        resampled = antialias.resampled(trial.time, trial.values, wanted, filtered=filtered)
        values[i] = resampled.astype(np.float32)
        if filtered:
            lost.add(trial.values, resampled)
    notes = [normalised_note(lengths, wanted, filtered)]
    if filtered:
        notes.append(lost.note(shortest, longest, wanted))
    if differ and timing.durations:
        low, high = timing.durations
        notes.append(
            f"{WARNING}trials have different sampling rates: {clock.described_rates(timing.rates)} per unit of time. "
            f"They share no time axis, so each is taken from 0 to 100 % of its own duration ({low:.6g} to {high:.6g}); "
            "where time itself matters, resample the recordings to one rate first."
        )
    return OnCommonTime(
        values=values,
        time=percent_axis(wanted),
        time_unit="%",
        timing=timing.model_copy(update={"filtered": filtered}),
        is_normalised=True,
        notes=tuple(notes),
    )


def normalised_note(lengths: Sequence[int], wanted: int, filtered: bool, like: str = "") -> str:
    """The sentence that says what was resampled, from how many to how many points, and how."""
    span = f"{min(lengths)} to {max(lengths)}" if min(lengths) < max(lengths) else f"{min(lengths)}"
    how = "through a low-pass filter against aliasing" if filtered else "by linear interpolation"
    return f"Time-normalised {len(lengths)} trials of {span} time points to {wanted} points {how}{like}."


class _Lost:
    """How much of each feature's variance within trials the filter took."""

    def __init__(self, features: Sequence[str]) -> None:
        self._features = features
        self._before: Doubles = np.zeros(len(features))
        self._after: Doubles = np.zeros(len(features))

    def add(self, before: Doubles, after: Doubles) -> None:
        if self._features:
            self._before = self._before + before.var(axis=0)
            self._after = self._after + after.var(axis=0)

    def note(self, shortest: int, longest: int, wanted: int) -> str:
        """A note on what the filter removed, a warning where that was more than half of the frequencies."""
        share = 1 - 1 / antialias.ratio(longest, wanted)
        with np.errstate(invalid="ignore", divide="ignore"):
            lost = np.nan_to_num(1 - self._after / self._before)
        worst = [int(i) for i in np.argsort(-lost, kind="stable")[:_SHOWN_FEATURES] if lost[i] >= _MUCH]
        of_features = ", ".join(f"{lost[i]:.0%} of {shown(self._features[i])}" for i in worst)
        return (
            f"{WARNING if share > 0.5 else ''}{wanted} points hold oscillations of up to {(wanted - 1) / 2:g} per "
            f"trial; faster ones, {share:.0%} of the recorded frequencies, were removed, and with them this much of "
            f"the variance within trials: {of_features or 'less than 1% of any feature'}. To keep them, set timesteps "
            f"higher (trials have {f'{shortest} to {longest}' if shortest < longest else longest} time points)."
        )
