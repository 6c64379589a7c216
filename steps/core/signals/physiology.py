"""What the body's signals tell, by NeuroKit2 (Makowski et al. 2021, Behav. Res. Methods 53:1689-96), if installed.

Every function takes a signal ``(n,)`` without gaps and its rate in samples per second, and returns as many values. Each
raises `ValueError` with a few words where the signal does not hold what is looked for.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from steps.errors import UserError

Doubles = npt.NDArray[np.float64]

REQUIREMENT: Final = "neurokit2==0.2.12"  # 0.2.13 does not run beside pandas 3
_FEWEST: Final = 3  # beats or breaths


def neurokit() -> Any:
    """NeuroKit2, imported when it is asked for.

    Raises:
        UserError: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it uses what SciPy will drop
            return importlib.import_module("neurokit2")
    except ModuleNotFoundError as error:
        raise UserError(
            f"tonic, phasic, heart_rate and breathing_rate need NeuroKit2: pip install '{REQUIREMENT}'"
        ) from error


def tonic(values: Doubles, rate: float) -> Doubles:
    """The slow level of skin conductance, in its unit: below 0.05 Hz (`eda_phasic`, its default method)."""
    return _called(lambda nk: nk.eda_phasic(values, sampling_rate=rate)["EDA_Tonic"])


def phasic(values: Doubles, rate: float) -> Doubles:
    """The responses of skin conductance, in its unit: above 0.05 Hz (`eda_phasic`, its default method)."""
    return _called(lambda nk: nk.eda_phasic(values, sampling_rate=rate)["EDA_Phasic"])


def heart_rate(values: Doubles, rate: float, kind: Literal["ecg", "ppg"]) -> Doubles:
    """Heartbeats per minute, interpolated between beats (`ecg_peaks` or `ppg_findpeaks`, `signal_rate`)."""

    def of(nk: Any) -> Any:
        if kind == "ecg":
            beats = nk.ecg_peaks(nk.ecg_clean(values, sampling_rate=rate), sampling_rate=rate)[1]["ECG_R_Peaks"]
        else:
            beats = nk.ppg_findpeaks(nk.ppg_clean(values, sampling_rate=rate), sampling_rate=rate)["PPG_Peaks"]
        _check(beats, "heartbeats")
        return nk.signal_rate(beats, sampling_rate=rate, desired_length=len(values))

    return _called(of)


def breathing_rate(values: Doubles, rate: float) -> Doubles:
    """Breaths per minute, interpolated between troughs (`rsp_findpeaks`, `rsp_rate`)."""

    def of(nk: Any) -> Any:
        clean = nk.rsp_clean(values, sampling_rate=rate)
        troughs = nk.rsp_findpeaks(clean, sampling_rate=rate)["RSP_Troughs"]
        _check(troughs, "breaths")
        return nk.rsp_rate(clean, troughs, sampling_rate=rate)

    return _called(of)


def _check(found: Any, what: str) -> None:
    if len(found) < _FEWEST:
        raise ValueError(f"{len(found)} {what} were found, expected at least {_FEWEST}")


def _called(function: Any) -> Doubles:
    """What a function makes of NeuroKit2; its errors are of every type."""
    nk = neurokit()
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            values = np.asarray(function(nk), dtype=np.float64)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(str(error).splitlines()[0] if str(error) else "no reason given") from error
    if not np.isfinite(values).all():
        raise ValueError("not every sample got a number")
    return values
