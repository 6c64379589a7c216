"""Every network as ONNX: how large, how different, and how fast onnxruntime and Keras answer.

    python -m benchmarks.onnx_files [--repeats 50]

Networks are trained briefly on a simulated study (101 time points, 24 features), for labels of every kind, and
converted as ``export`` does it; under the kinds of labels stands the largest difference of an output over all trials of
the study. Times are the fastest call, milliseconds of onnxruntime / Keras (compiled, as a served model has it), by
turns. "start" is a process that loads the model with ``mlflow.pyfunc.load_model`` and answers once, the fastest of
three; "installed" is what the model's requirements take on the disk.
"""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import numpy as np
from packaging.requirements import Requirement

from steps.core.data.dataset import Dataset
from steps.core.data.labelling import LabelKind
from steps.core.models.settings import FitSettings
from steps.core.models.table import MODELS
from steps.core.readers.simulate import SimulationSize, simulate

if TYPE_CHECKING:
    import keras

KINDS: Final[tuple[LabelKind, ...]] = ("binary", "classes", "ordered", "score")
TRIALS: Final = (1, 8, 64)
SIZE: Final = SimulationSize(subjects=16, controls=0, trials_min=4, trials_max=4, features=24, effect=1.0)
_SETTINGS: Final = FitSettings(epochs=3, batch_size=16)
_START = (
    "import mlflow, numpy, psutil, sys;"
    "model = mlflow.pyfunc.load_model(sys.argv[1]); model.predict(numpy.load(sys.argv[2]));"
    "print(psutil.Process().memory_info().rss / 1e6)"
)


def trained(name: str, dataset: Dataset) -> keras.Model:
    """A network of all subjects but two, who validate."""
    from steps.core.data.fold import Fold
    from steps.core.models.fit import Engine
    from steps.core.models.fold import train_fold

    names = tuple(np.unique(dataset.subjects).tolist())
    fold = Fold("all", 1, (), names[:2], names[2:], "mixed", seed=1)
    engine = Engine(name, dataset.timesteps, len(dataset.features), labelling=dataset.labelling)
    return train_fold(engine, dataset, fold, _SETTINGS).model


def by_turns(calls: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Milliseconds of each call's fastest one: others may be using the machine."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            taken[name].append(1000 * (time.perf_counter() - started))
    return {name: min(one) for name, one in taken.items()}


def latencies(content: bytes, network: keras.Model, values: np.ndarray, repeats: int) -> list[str]:
    """Milliseconds of onnxruntime and of Keras for each number of trials."""
    import onnxruntime
    import tensorflow as tf

    specified = tf.TensorSpec((None, *values.shape[1:]), tf.float32)
    compiled = tf.function(lambda trials: network(trials, training=False), input_signature=[specified])
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    cells = []
    for count in TRIALS:
        some = values[:count]
        took = by_turns(
            {
                "onnx": lambda some=some: session.run(["probability"], {"trial": some}),  # type: ignore[misc]
                "keras": lambda some=some: np.asarray(compiled(some)),  # type: ignore[misc]
            },
            repeats,
        )
        cells.append(f"{took['onnx']:.2f} / {took['keras']:.2f}")
    return cells


def installed_megabytes(requirements: Sequence[str]) -> float:
    """What packages and all that they need take on the disk."""
    todo, seen = list(requirements), set()
    total = 0
    while todo:
        requirement = Requirement(todo.pop())
        if requirement.name.lower() in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(requirement.name.lower())
        package = importlib.metadata.distribution(requirement.name)
        total += sum(file.size or 0 for file in package.files or ())
        todo += package.requires or []
    return total / 1e6


def start(uri: str, trials: Path) -> tuple[float, float]:
    """Seconds and MB of a process that loads a model and answers once."""
    started = time.perf_counter()
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", _START, uri, str(trials)], check=True, capture_output=True, text=True, env=environment
    )
    return time.perf_counter() - started, float(done.stdout.split()[-1])


def starts(network: keras.Model, content: bytes, dataset: Dataset, folder: Path) -> list[str]:
    """A row for the model with Keras and the one with ONNX."""
    import mlflow

    from steps.core.models.keras_file import as_bytes
    from steps.core.models.refit import refit_fold, training_summary
    from steps.tracking.models.final_model import log_final_model, log_onnx_model

    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder / 'mlflow.db'}"
    mlflow.create_experiment("onnx", artifact_location=(folder / "files").as_uri())
    mlflow.set_experiment("onnx")
    summary = training_summary(dataset, refit_fold(dataset, "exclude", seed=0))
    np.save(folder / "trials.npy", dataset.values[:1])
    rows = []
    for name, log, bytes_ in (("Keras", log_final_model, as_bytes(network)), ("ONNX", log_onnx_model, content)):
        with mlflow.start_run() as run:
            uri = log(run, bytes_, summary)
        wanted = Path(mlflow.pyfunc.get_model_dependencies(uri)).read_text().splitlines()
        took = [start(uri, folder / "trials.npy") for _ in range(3)]
        seconds, memory = min(took)
        rows.append(f"| {name} | {installed_megabytes(wanted):,.0f} MB | {seconds:.1f} s | {memory:,.0f} MB |")
    return rows


@click.command()
@click.option("--repeats", default=50, show_default=True, help="calls of each kind")
def main(repeats: int) -> None:
    """Print both tables."""
    from steps.core.models.onnx_file import as_onnx, largest_difference

    studies = {kind: simulate(SIZE, timesteps=101, seed=1, label_kind=kind) for kind in KINDS}
    counts = [f"{count} trial{'s' if count > 1 else ''}" for count in TRIALS]
    click.echo(f"| network | file | {' | '.join((*KINDS, *counts))} |")
    click.echo("|---" * (2 + len(KINDS) + len(counts)) + "|")
    for name in MODELS:
        differences = []
        for kind, dataset in studies.items():
            network = trained(name, dataset)
            content = as_onnx(network, {})
            differences.append(f"{largest_difference(content, network, dataset.values):.0e}")
            if kind == "binary":
                size, cells = f"{len(content) / 1e6:.2f} MB", latencies(content, network, dataset.values, repeats)
                if name == "soft_multirocket":
                    default = network, content, dataset
        click.echo(f"| `{name}` | {size} | {' | '.join((*differences, *cells))} |")
    click.echo("\n| model | installed | start | memory |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for row in starts(*default, Path(folder)):
            click.echo(row)


if __name__ == "__main__":
    main()
