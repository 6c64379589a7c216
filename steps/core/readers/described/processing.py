"""The recipe of a study at work: signals of whole recordings first, then trials, every step for itself.

Nothing is fitted across people, and no step looks at labels: a new person's recordings are processed as those that a
model was trained on.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final

import numpy as np
import numpy.typing as npt

from steps.core.readers.choice import closest
from steps.core.readers.described.joining import Signals, rate_of
from steps.core.readers.described.steps import (
    Bandpass,
    Baseline,
    BreathingRate,
    Derivative,
    Envelope,
    HeartRate,
    Highpass,
    Lowpass,
    Mirror,
    Notch,
    Phasic,
    Rectify,
    Scale,
    Step,
    Tonic,
)
from steps.core.readers.resample import Doubles
from steps.core.readers.trials import Recording
from steps.core.signals import amplitude, filters, physiology
from steps.errors import UserError, listed, shown

Places = npt.NDArray[np.intp]
_LONGEST_PERCENT: Final = 1001  # samples of a trial whose time may be percent
_DUST: Final = 1e-9
_SHOWN: Final = 3
_LEAST: Final = 1e-6  # of the rate: slower filters are beyond floating-point numbers


@dataclass(frozen=True)
class Processing:
    """The steps of a recipe.

    Attributes:
        steps: in their order.
        where: of each, for messages: file, line and key of the description.
    """

    steps: tuple[Step, ...] = ()
    where: tuple[str, ...] = ()

    @property
    def of_recordings(self) -> int:
        """How many steps come before the first one that is about trials."""
        return next((i for i, step in enumerate(self.steps) if step.is_of_trials), len(self.steps))

    def touched(self, features: Sequence[str]) -> Places:
        """Features that steps for recordings change, by their places."""
        places = [self._places(i, features) for i in range(self.of_recordings)]
        return np.unique(np.concatenate([np.zeros(0, np.intp), *places]))

    def check_features(self, features: Sequence[str]) -> None:
        """Check that every step finds the features it names.

        Raises:
            UserError: one does not.
        """
        for where, step in zip(self.where, self.steps, strict=True):
            for pattern in step.features:
                if pattern != "*" and not any(_is_meant(pattern, one) for one in features):
                    close = closest(pattern, features)
                    raise UserError(
                        f"{where}: features names {shown(pattern)}, which is no feature; there are {listed(features)}"
                        + (f"; did you mean {shown(close[0])}?" if close else "")
                    )

    def of_signals(self, signals: Signals) -> Signals:
        """Signals of a recording after the steps for recordings.

        Args:
            signals: time in seconds; features that are `touched` have no gap.

        Raises:
            UserError: a filter does not fit to the rate or the length.
        """
        values = signals.values.copy()
        for i in range(self.of_recordings):
            places = self._places(i, signals.features)
            values[:, places] = self._changed(i, replace(signals, values=values), places)
        return replace(signals, values=values)

    def of_trials(
        self, trials: Sequence[Recording], features: Sequence[str], done: int, names: Sequence[str], *, has_time: bool
    ) -> tuple[list[Recording], str]:
        """Trials after all steps from number ``done`` on, and a sentence on all steps.

        Args:
            trials: without gaps, time in seconds.
            features: their names.
            done: steps that were done before.
            names: what messages call each trial.
            has_time: whether time was recorded.

        Raises:
            UserError: a step does not fit to a trial.
        """
        self.check_features(features)
        said = [step.said for step in self.steps]
        for i, step in enumerate(self.steps):
            if i >= done:
                self._check_time(i, trials, names, has_time=has_time)
                if isinstance(step, Mirror):
                    trials, said[i] = self._mirrored(i, step, trials, features)
                elif isinstance(step, Scale):
                    trials = self._scaled(i, step, trials, features)
                else:
                    trials = self._each(i, trials, features, names)
            if not isinstance(step, Mirror):
                meant = [features[j] for j in self._places(i, features)]
                said[i] = f"{listed(meant, _SHOWN) if len(meant) < len(features) else 'all features'}: {said[i]}"
        return list(trials), _sentence(said[:done], said[done:])

    def units(self, units: Mapping[str, str], features: Sequence[str]) -> dict[str, str]:
        """Units of the features after all steps: of a derivative per second, of what was scaled none."""
        after = dict(units)
        for i, step in enumerate(self.steps):
            for place in self._places(i, features):
                name = features[place]
                if isinstance(step, Derivative) and name in after:
                    after[name] += "/s"
                elif isinstance(step, HeartRate | BreathingRate):
                    after[name] = "1/min"
                elif isinstance(step, Scale):
                    after.pop(name, None)
        return after

    def _places(self, i: int, features: Sequence[str]) -> Places:
        patterns = self.steps[i].features
        return np.flatnonzero([any(_is_meant(pattern, one) for pattern in patterns) for one in features])

    def _each(
        self, i: int, trials: Sequence[Recording], features: Sequence[str], names: Sequence[str]
    ) -> list[Recording]:
        """Trials, each changed for itself."""
        places, changed = self._places(i, features), []
        for name, trial in zip(names, trials, strict=True):
            values = trial.values.copy()
            values[:, places] = self._changed(i, Signals(name, tuple(features), trial.time, values), places)
            changed.append(replace(trial, values=values))
        return changed

    def _changed(self, i: int, signals: Signals, places: Places) -> Doubles:
        """The values of some features, ``(n, places)``, after a step."""
        step, values, time = self.steps[i], signals.values[:, places], signals.time
        if not len(places):
            return values
        if isinstance(step, Rectify):
            return np.abs(values)
        if isinstance(step, Derivative):
            return amplitude.derivative(values, time)
        if isinstance(step, Baseline):
            return self._above_baseline(i, step, signals, values)
        rate = rate_of(signals, "filter")
        if isinstance(step, Tonic | Phasic | HeartRate | BreathingRate):
            return self._of_the_body(i, signals, places, rate)
        of_whom = f"{self.where[i]}: {listed([signals.features[j] for j in places], _SHOWN)} of {signals.name}"
        highest = _highest(step)
        if highest >= rate / 2:
            raise UserError(
                f"{of_whom} has {rate:.6g} samples per second, {highest:g} Hz is not below half of that; expected "
                f"less than {rate / 2:.6g} Hz, and time in seconds (of another unit: a column called 'Time [ms]')"
            )
        if (least := _LEAST * rate) > (lowest := _lowest(step)):
            raise UserError(
                f"{of_whom} has {rate:.6g} samples per second, for which {lowest:g} Hz is too low to be computed; "
                f"expected at least {least:g} Hz"
            )
        needs = filters.NOTCH_NEEDS
        if isinstance(step, Lowpass | Bandpass):
            needs = filters.butterworth_needs("bandpass" if isinstance(step, Bandpass) else "lowpass", step.order)
        if len(time) <= needs:
            raise UserError(
                f"{of_whom} holds {len(time)} samples, the filter needs more than {needs}; expected longer "
                f"recordings{'' if isinstance(step, Notch) else ', or a lower order'}"
            )
        if isinstance(step, Notch):
            return filters.notch(values, rate, step.frequency, step.quality)
        if isinstance(step, Envelope):
            return filters.envelope(values, rate, step.cutoff, step.order)
        if isinstance(step, Bandpass):
            return filters.butterworth(values, rate, "bandpass", (step.low, step.high), step.order)
        band: filters.Band = "highpass" if isinstance(step, Highpass) else "lowpass"
        return filters.butterworth(values, rate, band, (highest,), getattr(step, "order", 1))

    def _of_the_body(self, i: int, signals: Signals, places: Places, rate: float) -> Doubles:
        step, changed = self.steps[i], []
        rate = float(f"{rate:.9g}")  # NeuroKit2 counts in whole samples of it
        for place in places.tolist():
            values = np.ascontiguousarray(signals.values[:, place])
            try:
                if isinstance(step, Tonic):
                    changed.append(physiology.tonic(values, rate))
                elif isinstance(step, Phasic):
                    changed.append(physiology.phasic(values, rate))
                elif isinstance(step, HeartRate):
                    changed.append(physiology.heart_rate(values, rate, step.kind))
                else:
                    changed.append(physiology.breathing_rate(values, rate))
            except ValueError as error:
                raise UserError(
                    f"{self.where[i]}: {shown(signals.features[place])} of {signals.name} ({len(values)} samples, "
                    f"{rate:.6g} per second) is not understood by NeuroKit2: {error}; expected a signal of that kind "
                    "throughout the recording, or leave the recording out"
                ) from error
        return np.column_stack(changed)

    def _above_baseline(self, i: int, step: Baseline, signals: Signals, values: Doubles) -> Doubles:
        since = signals.time - signals.time[0]
        usual = float(np.median(np.diff(since)))
        dust = 1e-6 * usual
        inside = (since >= step.start - dust) & (since < step.end - dust)
        if not inside.any() or step.end > since[-1] + usual + dust:
            raise UserError(
                f"{self.where[i]}: {signals.name} lasts {since[-1]:.6g} seconds and has {int(inside.sum())} samples "
                f"from {step.start:g} to {step.end:g} s, expected a stretch that lies within every trial"
            )
        return amplitude.above_baseline(values, inside)

    def _check_time(self, i: int, trials: Sequence[Recording], names: Sequence[str], *, has_time: bool) -> None:
        if not self.steps[i].needs_time:
            return
        if not has_time:
            raise UserError(
                f"{self.where[i]}: {names[0]} has no time, expected a column of time in seconds (columns: time: ...)"
            )
        if all(_is_percent(one.time) for one in trials):
            raise UserError(
                f"{self.where[i]}: time of {names[0]} and all others goes from 0 to 100, as percent do; expected "
                "seconds, recordings before they are brought to one length"
            )

    def _mirrored(
        self, i: int, step: Mirror, trials: Sequence[Recording], features: Sequence[str]
    ) -> tuple[list[Recording], str]:
        sides = Counter(one.side for one in trials)
        if "" in sides:
            raise UserError(
                f"{self.where[i]}: {sides['']} of {len(trials)} trials have no side, expected {{side}} in files, or "
                "columns: side: (a column)"
            )
        order = np.arange(len(features))
        if step.swap:
            order = amplitude.partners(features, (step.swap[0], step.swap[1]))
            if (order == np.arange(len(features))).all():
                raise UserError(
                    f"{self.where[i]}: no two features differ by {' and '.join(map(shown, step.swap))} only; there "
                    f"are {listed(features)}"
                )
        sign = np.ones(len(features))
        sign[self._places(i, features)] = -1.0
        meant = [one.side.casefold() == step.side.casefold() for one in trials]
        if not any(meant) and len(sides) > 1:
            raise UserError(
                f"{self.where[i]}: no trial is of side {shown(step.side)}; there are {listed(sorted(sides))}"
            )
        mirrored = [
            replace(one, values=np.ascontiguousarray(one.values[:, order] * sign)) if is_meant else one
            for one, is_meant in zip(trials, meant, strict=True)
        ]
        return mirrored, f"{sum(meant)} of {len(trials)} trials mirrored (side {step.side})"

    def _scaled(self, i: int, step: Scale, trials: Sequence[Recording], features: Sequence[str]) -> list[Recording]:
        places = self._places(i, features)
        by_subject: dict[str, list[int]] = defaultdict(list)
        for number, one in enumerate(trials):
            by_subject[one.subject].append(number)
        changed = list(trials)
        for subject, numbers in by_subject.items():
            size = np.ones(len(features))
            size[places] = amplitude.amplitudes([trials[number].values for number in numbers], step.by)[places]
            if not (size > 0).all():
                name = features[int(np.argmin(size))]
                raise UserError(
                    f"{self.where[i]}: {shown(name)} of subject {shown(subject)} is 0 in all {len(numbers)} trials, "
                    f"which cannot be divided by its own size; leave the subject out (exclude={subject}) or the feature"
                )
            for number in numbers:
                changed[number] = replace(trials[number], values=trials[number].values / size)
        return changed


def _lowest(step: Step) -> float:
    """The lowest frequency that a filter names, or the width of its band, in Hz."""
    return min(step.low, step.high - step.low) if isinstance(step, Bandpass) else _highest(step)


def _is_percent(time: Doubles) -> bool:
    return len(time) <= _LONGEST_PERCENT and time[0] == 0 and abs(time[-1] - 100) < _DUST


def _sentence(of_recordings: Sequence[str], of_trials: Sequence[str]) -> str:
    parts = [
        *([f"whole recordings: {'; '.join(of_recordings)}"] if of_recordings else []),
        *([f"trials: {'; '.join(of_trials)}"] if of_trials else []),
    ]
    return f"Processed, in this order, {'. Then '.join(parts)}."


def _highest(step: Step) -> float:
    """The highest frequency that a filter names, in Hz."""
    if isinstance(step, Lowpass):
        return step.cutoff
    if isinstance(step, Bandpass):
        return step.high
    return step.frequency if isinstance(step, Notch) else 0.0


def _is_meant(pattern: str, name: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern)
