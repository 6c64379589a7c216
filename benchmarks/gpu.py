"""What there is to check where there is a GPU: processes share it, mixed precision, speed against the processor.

    make gpu            # python -m benchmarks.gpu

Where there is none it says so in a line and ends well. Each check runs in processes of its own, because TensorFlow
decides once in a process what of a GPU it takes. The status is 1 where a check fails.

- **Sharing**: two processes train at once, as a training's workers do (`steps.system.one_thread` has TensorFlow take
  memory as it needs it, instead of all of it). Both must end well.
- **Mixed precision**: ``mixed_bfloat16`` ends with a finite loss, and probabilities as good as those of float32: AUC of
  the training trials at most 0.05 lower.
- **Speed**: seconds of a fit, after one to compile, on the GPU and on the processor alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

import click

from benchmarks.measure import ROOT

NONE = "no GPU here: TensorFlow sees none, so nothing was checked"
_LOOK = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
_MOST_WORSE = 0.05


def gpus() -> int:
    """How many TensorFlow sees; looked for in a process of its own, which takes nothing of them with it."""
    done = subprocess.run(
        [sys.executable, "-c", _LOOK], check=True, capture_output=True, text=True, cwd=ROOT, env=_environment({})
    )
    return int(done.stdout.split()[-1])


def started(model: str, precision: str, *, on_gpu: bool = True) -> subprocess.Popen[str]:
    """A process that fits a network, twice, and prints what it found as JSON."""
    hidden = {} if on_gpu else {"CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, "-m", "benchmarks.gpu_fit", model, precision]
    return subprocess.Popen(
        command, cwd=ROOT, env=_environment(hidden), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def results(processes: Sequence[subprocess.Popen[str]]) -> list[dict[str, float]]:
    """What they print.

    Raises:
        ClickException: one failed; with its last line.
    """
    outputs = [process.communicate() for process in processes]
    for process, (_, said) in zip(processes, outputs, strict=True):
        if process.returncode:
            last = (said.strip().splitlines() or ["nothing said"])[-1]
            raise click.ClickException(f"a fit ended with status {process.returncode}: {last}")
    return [json.loads(said.strip().splitlines()[-1]) for said, _ in outputs]


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT), **more}


@click.command(help=(__doc__ or "").split("\n", 1)[0])
@click.option("--model", default="cnn_wide", show_default=True, help="a network that is trained step by step")
def main(model: str) -> None:
    """Run the checks that a GPU allows."""
    count = gpus()
    if not count:
        click.echo(NONE)
        return
    click.echo(f"{count} GPU{'s' if count > 1 else ''}")
    both = results([started(model, "float32") for _ in range(2)])
    click.echo(
        f"sharing: two fits at once ended well, {both[0]['seconds']:.2f} and {both[1]['seconds']:.2f} s, "
        f"{both[0]['peak_mib']:.0f} and {both[1]['peak_mib']:.0f} MiB at most"
    )
    (alone,), (mixed,), (processor,) = (
        results([started(model, *how, on_gpu=on_gpu)])
        for how, on_gpu in ((("float32",), True), (("mixed_bfloat16",), True), (("float32",), False))
    )
    click.echo(
        f"mixed precision: {mixed['seconds']:.2f} s, AUC {mixed['auc']:.3f}; float32: {alone['seconds']:.2f} s, "
        f"AUC {alone['auc']:.3f}"
    )
    click.echo(f"speed: {processor['seconds'] / alone['seconds']:.1f} times as fast as the processor alone")
    if not mixed["auc"] >= alone["auc"] - _MOST_WORSE:  # NaN fails, too
        raise click.ClickException(f"mixed precision is worse than float32 by more than {_MOST_WORSE}")


if __name__ == "__main__":
    main()
