"""Without a GPU the GPU checks say so; what they run is tried on the processor."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from benchmarks import gpu
from benchmarks.gpu import NONE, main, results, started


@pytest.mark.slow
def test_without_a_gpu_it_says_so_in_a_line_and_ends_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    done = CliRunner().invoke(main)
    assert done.exit_code == 0
    assert done.output == f"{NONE}\n"


def test_a_fit_that_fails_is_said_in_a_line() -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('first line\\nno memory left')"]
    failing = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with pytest.raises(click.ClickException, match="ended with status 1: no memory left"):
        results([failing])


def test_mixed_precision_that_is_worse_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The decision alone; nothing is fitted."""
    found = {"float32": 0.9, "mixed_bfloat16": 0.7}
    monkeypatch.setattr(gpu, "gpus", lambda: 1)
    monkeypatch.setattr(gpu, "started", lambda _model, precision, on_gpu=True: (precision, on_gpu))
    monkeypatch.setattr(
        gpu, "results", lambda them: [{"seconds": 1.0, "auc": found[one], "peak_mib": 5.0} for one, _ in them]
    )
    done = CliRunner().invoke(main)
    assert done.exit_code == 1
    assert "worse than float32" in done.output
    found["mixed_bfloat16"] = 0.88
    assert CliRunner().invoke(main).exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_the_fit_that_is_checked_learns(precision: str) -> None:
    (found,) = results([started("cnn", precision, on_gpu=False)])
    assert found["auc"] > 0.6
    assert found["seconds"] > 0
    assert found["peak_mib"] == 0
