"""What the body's signals tell: the same as NeuroKit2 called directly; without it one line says what to install."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from steps.core.readers.described.joining import Signals
from steps.core.readers.described.processing import Processing
from steps.core.readers.described.steps import BreathingRate, HeartRate, Phasic, Step, Tonic
from steps.core.signals import physiology
from steps.errors import UserError


def test_without_the_library_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "neurokit2", None)
    with pytest.raises(UserError, match=r"need NeuroKit2: pip install 'neurokit2==0\.2\.12'"):
        physiology.tonic(np.zeros(100), 4.0)


def _found(step: Step, values: physiology.Doubles, rate: float) -> physiology.Doubles:
    signals = Signals("a.csv", ("x",), np.arange(len(values)) / rate, values[:, np.newaxis])
    return Processing((step,), ("study.yaml, line 2: process",)).of_signals(signals).values[:, 0]


@pytest.mark.filterwarnings("ignore")
def test_equal_to_neurokit_called_directly_and_right() -> None:
    pytest.importorskip("neurokit2")
    nk = physiology.neurokit()
    ecg = np.asarray(nk.ecg_simulate(duration=20, sampling_rate=250, heart_rate=70, random_state=1))
    found = _found(HeartRate(features=["x"], kind="ecg"), ecg, 250.0)
    beats = nk.ecg_peaks(nk.ecg_clean(ecg, sampling_rate=250), sampling_rate=250)[1]["ECG_R_Peaks"]
    np.testing.assert_array_equal(found, nk.signal_rate(beats, sampling_rate=250, desired_length=len(ecg)))
    assert found.mean() == pytest.approx(70, abs=2)
    ppg = np.asarray(nk.ppg_simulate(duration=30, sampling_rate=64, heart_rate=80, random_state=1))
    assert _found(HeartRate(features=["x"], kind="ppg"), ppg, 64.0).mean() == pytest.approx(80, abs=3)
    rsp = np.asarray(nk.rsp_simulate(duration=60, sampling_rate=50, respiratory_rate=15, random_state=1))
    assert _found(BreathingRate(features=["x"]), rsp, 50.0).mean() == pytest.approx(15, abs=1)
    eda = np.asarray(nk.eda_simulate(duration=60, sampling_rate=8, scr_number=3, random_state=1))
    parts = nk.eda_phasic(eda, sampling_rate=8)
    np.testing.assert_array_equal(_found(Tonic(features=["x"]), eda, 8.0), parts["EDA_Tonic"])
    np.testing.assert_array_equal(_found(Phasic(features=["x"]), eda, 8.0), parts["EDA_Phasic"])
    units = Processing((HeartRate(features=["x"], kind="ecg"),), ("",)).units({"x": "mV", "y": "mV"}, ("x", "y"))
    assert units == {"x": "1/min", "y": "mV"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("step", "values"),
    [
        (HeartRate(features=["x"], kind="ecg"), np.zeros(1000)),
        (HeartRate(features=["x"], kind="ppg"), np.zeros(1000)),
        (HeartRate(features=["x"], kind="ppg"), np.ones(5)),
        (BreathingRate(features=["x"]), np.zeros(1000)),
        (Tonic(features=["x"]), np.ones(5)),
    ],
)
def test_what_holds_nothing_of_the_kind_is_said(step: Step, values: physiology.Doubles) -> None:
    pytest.importorskip("neurokit2")
    with pytest.raises(UserError, match=r"process: 'x' of a\.csv \(\d+ samples, 100 per second\) is not understood by"):
        _found(step, values, 100.0)
