"""What the recipe of a study, ``process:`` in ``study.yaml``, may say: steps in their order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _nothing_said(value: Any) -> Any:
    return {} if value == "" else value


Names = Annotated[list[str], BeforeValidator(_as_list)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Order = Annotated[int, Field(ge=1, le=10)]


class Step(BaseModel):
    """One step.

    Attributes:
        features: names or globs of the features it changes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    features: Annotated[Names, Field(min_length=1)] = ["*"]
    # Whether it is about trials, so that recordings have to be cut before.
    is_of_trials: ClassVar[bool] = False
    needs_time: ClassVar[bool] = True

    @property
    def said(self) -> str:
        """What it does, in a few words."""
        raise NotImplementedError


class Lowpass(Step):
    """A Butterworth filter that leaves what is slower than ``cutoff`` Hz."""

    cutoff: _Positive
    order: _Order = 4

    @property
    def said(self) -> str:
        """What it does, in a few words."""
        return f"low-pass at {self.cutoff:g} Hz (order {self.order})"


class Highpass(Lowpass):
    """A Butterworth filter that leaves what is faster than ``cutoff`` Hz."""

    @property
    def said(self) -> str:
        """What it does, in a few words."""
        return f"high-pass at {self.cutoff:g} Hz (order {self.order})"


class Bandpass(Step):
    """A Butterworth filter that leaves what lies between ``low`` and ``high`` Hz."""

    low: _Positive
    high: _Positive
    order: _Order = 4

    @model_validator(mode="after")
    def _in_order(self) -> Bandpass:
        if self.low >= self.high:
            raise ValueError(f"goes from {self.low:g} to {self.high:g} Hz, expected low below high")
        return self

    @property
    def said(self) -> str:
        """What it does, in a few words."""
        return f"band-pass from {self.low:g} to {self.high:g} Hz (order {self.order})"


class Notch(Step):
    """Takes ``frequency`` Hz out, ``frequency / quality`` Hz wide."""

    frequency: _Positive
    quality: _Positive = 30.0

    @property
    def said(self) -> str:
        """What it does, in a few words."""
        return f"notch at {self.frequency:g} Hz (quality {self.quality:g})"


class Rectify(Step):
    """Magnitudes."""

    needs_time: ClassVar[bool] = False

    @property
    def said(self) -> str:
        """What it does, in a few words."""
        return "rectified"


class Envelope(Lowpass):
    """Magnitudes, and what is slower than ``cutoff`` Hz of them."""

    @property
    def said(self) -> str:
        """What it does, in a few words."""
        return f"envelope at {self.cutoff:g} Hz (order {self.order})"


class Derivative(Step):
    """Change per second."""

    @property
    def said(self) -> str:
        """What it does, in a few words."""
        return "derivative"


class Tonic(Step):
    """The slow level of skin conductance."""

    features: Annotated[Names, Field(min_length=1)]

    @property
    def said(self) -> str:
        """What it does, in a few words."""
        return "tonic level (NeuroKit2)"


class Phasic(Step):
    """The responses of skin conductance."""

    features: Annotated[Names, Field(min_length=1)]

    @property
    def said(self) -> str:
        """What it does, in a few words."""
        return "phasic responses (NeuroKit2)"


class HeartRate(Step):
    """Heartbeats per minute."""

    features: Annotated[Names, Field(min_length=1)]
    kind: Literal["ecg", "ppg"]

    @property
    def said(self) -> str:
        """What it does, in a few words."""
        return f"heart rate by {self.kind} (NeuroKit2)"


class BreathingRate(Step):
    """Breaths per minute."""

    features: Annotated[Names, Field(min_length=1)]

    @property
    def said(self) -> str:
        """What it does, in a few words."""
        return "breathing rate (NeuroKit2)"


class Baseline(Step):
    """Less the mean from ``start`` to ``end``, in seconds from the beginning of each trial."""

    is_of_trials: ClassVar[bool] = True
    start: _Seconds = 0.0
    end: _Positive

    @model_validator(mode="after")
    def _in_order(self) -> Baseline:
        if self.start >= self.end:
            raise ValueError(f"goes from {self.start:g} to {self.end:g} s, expected start before end")
        return self

    @property
    def said(self) -> str:
        """What it does, in a few words."""
        return f"less the mean from {self.start:g} to {self.end:g} s of each trial"


class Mirror(Step):
    """Trials of one side made those of the other.

    Attributes:
        side: as files say it, of the trials to mirror.
        features: whose sign changes.
        swap: words for the sides in names of features, which change places.
    """

    is_of_trials: ClassVar[bool] = True
    needs_time: ClassVar[bool] = False
    side: str = "left"
    features: Names = []
    swap: list[str] = []

    @model_validator(mode="after")
    def _says_what(self) -> Mirror:
        if not (self.features or self.swap):
            raise ValueError("says nothing, expected features (whose sign changes) or swap: [left, right]")
        if self.swap and (len(self.swap) != 2 or len(set(self.swap)) != 2 or not all(self.swap)):
            raise ValueError("expected two words in swap, as in swap: [left, right]")
        return self

    @property
    def said(self) -> str:
        """What it does, in a few words."""
        return f"trials of side {self.side} mirrored"


class Scale(Step):
    """Divided by the subject's own largest, or mean, magnitude over all their trials."""

    is_of_trials: ClassVar[bool] = True
    needs_time: ClassVar[bool] = False
    by: Literal["max", "mean"] = "max"

    @property
    def said(self) -> str:
        """What it does, in a few words."""
        return f"divided by each subject's own {'largest' if self.by == 'max' else 'mean'} magnitude"


class Entry(BaseModel):
    """An item of the recipe: the name of a step, and its parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    lowpass: Lowpass | None = None
    highpass: Highpass | None = None
    bandpass: Bandpass | None = None
    notch: Notch | None = None
    rectify: Annotated[Rectify | None, BeforeValidator(_nothing_said)] = None
    envelope: Envelope | None = None
    derivative: Annotated[Derivative | None, BeforeValidator(_nothing_said)] = None
    tonic: Tonic | None = None
    phasic: Phasic | None = None
    heart_rate: HeartRate | None = None
    breathing_rate: BreathingRate | None = None
    baseline: Baseline | None = None
    mirror: Mirror | None = None
    scale: Annotated[Scale | None, BeforeValidator(_nothing_said)] = None

    @model_validator(mode="after")
    def _is_one_step(self) -> Entry:
        if len(self.model_fields_set) != 1:
            raise ValueError(
                f"names {' and '.join(sorted(self.model_fields_set)) or 'no step'}, expected one step in each item of "
                "the list"
            )
        return self

    @property
    def name(self) -> str:
        """Name of the step."""
        return next(iter(self.model_fields_set))

    @property
    def step(self) -> Step:
        """The step."""
        step: Step = getattr(self, self.name)
        return step


STEPS: Final[Mapping[str, type[Step]]] = {
    "lowpass": Lowpass, "highpass": Highpass, "bandpass": Bandpass, "notch": Notch, "rectify": Rectify,
    "envelope": Envelope, "derivative": Derivative, "tonic": Tonic, "phasic": Phasic, "heart_rate": HeartRate,
    "breathing_rate": BreathingRate, "baseline": Baseline, "mirror": Mirror, "scale": Scale,
}  # fmt: skip


def _is_a_list(value: Any) -> Any:
    if not isinstance(value, list):
        raise ValueError("needs a list of steps in their order, as in process: [{lowpass: {cutoff: 6}}]")
    return value


Recipe = Annotated[list[Entry], BeforeValidator(_is_a_list)]
