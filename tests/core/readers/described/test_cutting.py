"""Windows and stretches: of equal length, inside what they are cut from, and none with two labels."""

from __future__ import annotations

import numpy as np
import pytest

from steps.core.readers.described.cutting import (
    Stretch,
    check_overlap,
    of_one_label,
    on_the_clock,
    rows_of,
    whole,
    windows_in,
)
from steps.core.readers.described.schema import Windows
from steps.errors import UserError


@pytest.mark.parametrize("rate", [1.0, 4.0, 59.94, 100.0])
@pytest.mark.parametrize("start", [0.0, 1_600_000_000.1])
@pytest.mark.parametrize(("length", "step"), [(3.0, None), (2.5, 1.0), (2.4, 0.7)])
def test_windows_have_one_length_and_lie_inside(rate: float, start: float, length: float, step: float | None) -> None:
    rng = np.random.default_rng(0)
    time = start + (np.arange(997) + rng.uniform(-0.1, 0.1, 997)) / rate
    cut = windows_in(whole(time), Windows(length=length, step=step))
    spans = [rows_of(one, time) for one in cut]
    assert {span.stop - span.start for span in spans} == {int(length * rate + 0.1)}
    assert all(0 <= span.start < span.stop <= len(time) for span in spans)
    seconds = 997 / rate
    assert abs(len(cut) - ((seconds - length) // (step or length) + 1)) <= 1
    starts = [one.start for one in cut]
    np.testing.assert_allclose(np.diff(starts), step or length, rtol=1e-6)


def test_stretches_of_one_label_hold_every_labelled_sample_once() -> None:
    rng = np.random.default_rng(1)
    labels = ["", "calm", "fear"]
    drawn = [labels[i] for i in np.repeat(rng.integers(0, 3, 40), rng.integers(2, 9, 40))]
    time = np.arange(len(drawn), dtype=np.float64) / 4
    seen = [""] * len(drawn)
    for one in of_one_label(time, drawn):
        for i in range(len(drawn))[rows_of(one, time)]:
            assert seen[i] == ""
            seen[i] = one.label
    assert seen == drawn


def test_events_on_the_clock_or_from_the_start() -> None:
    time = 1_600_000_000 + np.arange(400) / 4
    relative = [Stretch(10, 50, "calm", row=2), Stretch(50, 90, "fear", row=3)]
    absolute = on_the_clock(relative, time, "S1", "events.tsv")
    assert [one.start for one in absolute] == [1_600_000_010, 1_600_000_050]
    assert on_the_clock(absolute, time, "S1", "events.tsv") == absolute
    with pytest.raises(
        UserError, match=r"events\.tsv, row 3: from 50 to 120, but S1 was recorded from .* \(100 seconds\)"
    ):
        on_the_clock([relative[0], Stretch(50, 120, "fear", row=3)], time, "S1", "events.tsv")


def test_two_labels_at_one_time() -> None:
    check_overlap(
        [Stretch(0, 10, "fear", row=2), Stretch(5, 15, "fear", row=3), Stretch(15, 20, "calm", row=4)], "e.tsv"
    )
    with pytest.raises(UserError, match=r"^e\.tsv, rows 2 and 3: 'fear' from 0 to 10 and 'calm' from 9 to 15 overlap"):
        check_overlap([Stretch(0, 10, "fear", row=2), Stretch(9, 15, "calm", row=3)], "e.tsv")
