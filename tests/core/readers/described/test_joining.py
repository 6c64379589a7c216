"""Signals of different rates on one axis: what is slow stays, what is too fast goes, times are what they were."""

from __future__ import annotations

import numpy as np
import pytest

from steps.core.readers.described.joining import Signals, filled, joined, rate_of, resampled
from steps.errors import UserError


def _signals(rate: float, seconds: float, of: str = "EDA", start: float = 0.0, hertz: float = 0.2) -> Signals:
    time = start + np.arange(int(seconds * rate)) / rate
    return Signals(of, (of,), time, np.sin(2 * np.pi * hertz * time)[:, np.newaxis])


@pytest.mark.parametrize(("rate", "to"), [(64.0, 4.0), (1.0, 4.0), (32.0, 4.0), (100.0, 59.94), (4.0, 4.0)])
def test_a_slow_signal_stays_what_it_is(rate: float, to: float) -> None:
    signals = _signals(rate, 60, hertz=0.1, start=1e9)
    found = resampled(signals, to)
    assert rate_of(found) == pytest.approx(to, rel=1e-5)
    assert found.time[0] == signals.time[0]
    assert found.time[-1] <= signals.time[-1]
    inside = (found.time > 1e9 + 10) & (found.time < 1e9 + 50)
    expected = np.sin(2 * np.pi * 0.1 * found.time)
    assert np.abs(found.values[inside, 0] - expected[inside]).max() < 0.02


def test_what_the_new_rate_cannot_hold_is_gone_instead_of_coming_back_slow() -> None:
    fast = _signals(64, 60, hertz=3.9)  # every 16th sample would show a wave of 0.1 Hz
    found = resampled(fast, 4.0)
    assert np.abs(fast.values[::16]).max() > 0.9
    assert np.abs(found.values[8:-8]).max() < 0.02


def test_levels_and_slopes_stay_to_the_ends() -> None:
    time = np.arange(400) / 64
    line = Signals("TEMP", ("TEMP",), time, (30 + 0.5 * time)[:, np.newaxis])
    found = resampled(line, 4.0)
    np.testing.assert_allclose(found.values[:, 0], 30 + 0.5 * found.time, atol=2e-3)


def test_sources_are_joined_where_all_of_them_were_recorded() -> None:
    parts = {
        "EDA": _signals(4, 60),
        "HR": _signals(1, 50, "HR", start=10.1),
        "BVP": _signals(64, 58, "BVP", start=0.03),
    }
    found = joined(parts, 4.0, "S1")
    assert found.features == ("EDA", "HR", "BVP")
    assert found.time[0] == 10.1
    np.testing.assert_allclose(np.diff(found.time), 0.25)
    assert found.time[-1] <= min(one.time[-1] for one in parts.values()) + 1e-9
    inside = (found.time > 20) & (found.time < 45)
    expected = np.sin(2 * np.pi * 0.2 * found.time[inside])
    assert np.abs(found.values[inside] - expected[:, np.newaxis]).max() < 0.05


def test_a_name_that_two_sources_have_is_told_apart() -> None:
    left, right = _signals(4, 10, "x"), _signals(8, 10, "x")
    assert joined({"left": left, "right": right}, 4.0, "S1").features == ("left_x", "right_x")


def test_what_cannot_be_joined() -> None:
    late = {"EDA": _signals(4, 10), "HR": _signals(1, 10, "HR", start=100)}
    with pytest.raises(
        UserError, match=r"S1: the sources were not recorded at the same time: EDA from 0 to 9\.75, HR from"
    ):
        joined(late, 4.0, "S1")
    uneven = _signals(4, 10)
    with pytest.raises(UserError, match="EDA: the clock is uneven"):
        resampled(Signals("EDA", ("EDA",), np.sort(uneven.time**1.5), uneven.values), 2.0)


def test_short_gaps_are_filled_and_long_ones_are_said() -> None:
    line = Signals("EDA", ("EDA", "HR"), np.arange(40) / 4, np.arange(80, dtype=np.float64).reshape(40, 2))
    kept = np.delete(np.arange(40), [10, 11])
    values = line.values[kept]
    values[20, 1] = np.nan
    gaps = Signals("EDA", ("EDA", "HR"), line.time[kept], values)
    whole, count = filled(gaps, 2)
    assert count == 3
    np.testing.assert_allclose(whole.time, line.time)
    np.testing.assert_allclose(whole.values, line.values)
    assert filled(line, 0) == (line, 0)
    with pytest.raises(
        UserError, match=r"EDA: 2 samples are missing after time 2\.25, .* max_gap of at least 2 \(it is 1\)"
    ):
        filled(gaps, 1)
    values[0, 1] = np.nan
    with pytest.raises(UserError, match="EDA: 'HR' holds no number in sample 1, a gap at an end; expected numbers"):
        filled(gaps, 5)
