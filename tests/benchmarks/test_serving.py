"""Requests are timed only where all sides answer alike; the command on a miniature."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from benchmarks.serving import TITLES, TRIALS, check_alike, percentiles
from tests.conftest import ROOT, run_command


def test_sides_that_answer_otherwise_are_not_compared() -> None:
    def served(value: float) -> Callable[[int], Any]:
        return lambda n: json.dumps({"predictions": [{"probability": value}] * n}).encode()

    def alike(value: float) -> Callable[[int], Any]:
        return lambda n: np.full(n, value)

    sides = {"image": served(0.25), "mlflow": served(0.25), "call": alike(0.25), "predict": alike(0.250001)}
    check_alike(sides | {"script": alike(0.25)}, 3)
    for name, other in (("image", served(0.26)), ("predict", alike(0.2502)), ("script", alike(float("nan")))):
        with pytest.raises(click.ClickException, match="so there are no times") as refused:
            check_alike(sides | {"script": alike(0.25), name: other}, 3)
        assert refused.value.message.startswith(TITLES[name])


def test_one_request_in_a_hundred_takes_longer_than_the_second_number() -> None:
    assert percentiles(np.arange(101.0).tolist()) == (50.0, 99.0)


@pytest.mark.slow
def test_the_command_times_every_side_and_size(tmp_path: Path) -> None:
    command = ("python", "-m", "benchmarks.serving", "--quick", "--model", "cnn", "--output", str(tmp_path / "found"))
    done = run_command(*command, cwd=ROOT, PYTHONWARNINGS="ignore")
    assert done.returncode == 0, done.stderr
    (series,) = json.loads((tmp_path / "found.json").read_text())["series"]
    assert [(row[0], row[1]) for row in series["rows"]] == [(n, title) for n in TRIALS for title in TITLES.values()]
    assert all(0 < row[2] <= row[3] for row in series["rows"])
