"""How far work is, and about how long the rest will take."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from steps.compute import progress
from steps.compute.progress import Lines, Remaining, counting


@pytest.mark.parametrize("workers", [1, 2, 4, 7])
@pytest.mark.parametrize("start", [0.0, 30.0])
def test_estimates_are_within_twice_the_truth_after_the_first_results(workers: int, start: float) -> None:
    generator = np.random.default_rng(workers)
    total = 24
    busy = np.full(workers, start)
    times = []
    for number in range(total):  # whoever is free takes the next fold; the first of each process compile first
        at = int(busy.argmin())
        busy[at] += generator.uniform(0.7, 1.3) + (2.0 if number < workers else 0.0)
        times.append(float(busy[at]))
    times.sort()
    remaining = Remaining(total)
    for done, finished in enumerate(times, 1):
        remaining.add(finished)
        left, truth = remaining.seconds, times[-1] - finished
        if done <= max(3, workers):
            continue
        assert left is not None
        if truth > 2:  # at the end a fold more or less is all there is
            assert 0.5 <= left / truth <= 2, (done, left, truth)


def test_nothing_is_estimated_from_too_little_or_at_the_end() -> None:
    remaining = Remaining(5)
    for at in (0.0, 1.0, 2.0):
        remaining.add(at)
        assert remaining.text == ""
    remaining.add(3)
    assert remaining.text == "; about 1 s left"
    remaining.add(4)
    assert remaining.text == ""


def test_a_log_gets_few_lines_however_much_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    lines = Lines()
    for number in range(36_000):  # an hour
        now += 0.1
        lines.show(partial(str, number), always=number == 0)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "0"
    assert 20 < len(printed) < 80


def test_counting_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress, "_LINE_EVERY_S", 0.0)
    monkeypatch.setattr(progress, "_LINE_EVERY_SHARE", 0.0)
    with counting(2, "fold") as count:
        count()
        count()
    assert capsys.readouterr().out.splitlines() == ["fold 1/2", "fold 2/2"]
