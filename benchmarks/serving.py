"""A model over HTTP against Keras in one process: how long requests of 1, 8 and 64 trials take.

    python -m benchmarks.serving                # the default model
    python -m benchmarks.serving --model cnn

Two servers, each a process of its own on loopback: the image's (MLflow's server with the guard of `deploy/model` in
front) and `mlflow models serve`. In this process, on the same network: `network(x)` and `network.predict(x)`, the
script inside the model, and what MLflow does to the text of a request before the model sees it. All by turns, request
after request on one connection; what comes before the warm-up ends is not counted. A request's time is from the first
byte sent to the last one read; its text is made beforehand.
"""

from __future__ import annotations

import gc
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.command import part
from benchmarks.measure import ROOT, by_turns, common_environment
from benchmarks.report import Result, Series
from benchmarks.study import FEATURES, TIMESTEPS

TRIALS = (1, 8, 64)
MODELS = ("soft_multirocket", "cnn")
WARM_UP = 5
START_S = 120


@dataclass(frozen=True)
class Sides:
    """What is compared: each takes a number of trials and answers them."""

    image: Callable[[int], Any]
    mlflow: Callable[[int], Any]
    call: Callable[[int], Any]
    predict: Callable[[int], Any]
    script: Callable[[int], Any]
    text: Callable[[int], Any]


TITLES = {
    "image": "over HTTP, image",
    "mlflow": "over HTTP, `mlflow models serve`",
    "call": "`network(x)`",
    "predict": "`network.predict(x)`",
    "script": "script inside the model",
    "text": "text of the request",
}


def measure(model: str, requests: int, folder: Path) -> Result:
    """Serve one network, untrained: that makes no difference to the time.

    Raises:
        ClickException: a server does not start, or sides do not answer alike.
    """
    import keras
    import mlflow

    values = np.random.default_rng(0).normal(size=(max(TRIALS), TIMESTEPS, FEATURES)).astype(np.float32)
    saved = save(model, folder)
    network = keras.saving.load_model(saved / "artifacts" / "network.keras", compile=False)
    loaded = mlflow.pyfunc.load_model(str(saved))
    bodies = {n: json.dumps({"inputs": values[:n].tolist()}).encode() for n in TRIALS}
    with ExitStack() as servers:
        addresses = [servers.enter_context(serving(command, saved, folder)) for command in (image(), mlflows(saved))]
        sides = Sides(
            image=partial(_ask, http.client.HTTPConnection(*addresses[0]), bodies),
            mlflow=partial(_ask, http.client.HTTPConnection(*addresses[1]), bodies),
            call=lambda n: np.asarray(network(values[:n], training=False))[:, 0],
            predict=lambda n: network.predict(values[:n], verbose=0)[:, 0],
            script=lambda n: loaded.predict(values[:n])["probability"],
            text=lambda n: np.array(deepcopy(json.loads(bodies[n])["inputs"]), dtype=np.float32),
        )
        check_alike(vars(sides), max(TRIALS))
        gc.collect()
        gc.freeze()  # no side in this process pays for looking for garbage among all that was imported
        rows: list[tuple[float | str, ...]] = []
        for n in TRIALS:
            timed = {name: partial(_ms, side, n) for name, side in vars(sides).items()}
            found = {name: took[WARM_UP:] for name, took in by_turns(timed, WARM_UP + requests).items()}
            rows += [(n, TITLES[name], *percentiles(took)) for name, took in found.items()]
    title = f"`{model}`, {TIMESTEPS} x {FEATURES}: milliseconds of {requests} requests each, after {WARM_UP} others"
    sizes = ", ".join(f"{n}: {len(body) / 1e3:.0f} kB" for n, body in bodies.items())
    fact = f"`{model}`: requests of {sizes}; probabilities of all sides within 1e-5 of each other."
    return Result([], [fact], [Series(title, ("trials", "", "p50", "p99"), tuple(rows))])


def percentiles(milliseconds: Sequence[float]) -> tuple[float, float]:
    """The median, and what one request in a hundred exceeds."""
    return float(np.percentile(milliseconds, 50)), float(np.percentile(milliseconds, 99))


def check_alike(sides: Mapping[str, Callable[[int], Any]], trials: int) -> None:
    """Whether all sides give the same probabilities.

    Raises:
        ClickException: they do not, so there is nothing to compare.
    """
    expected = np.asarray(sides["call"](trials))
    for name in ("image", "mlflow", "predict", "script"):
        answer = sides[name](trials)
        if isinstance(answer, bytes):
            answer = [row["probability"] for row in json.loads(answer)["predictions"]]
        error = float(np.abs(np.asarray(answer) - expected).max())
        if not error <= 1e-5:
            raise click.ClickException(
                f"{TITLES[name]} differs by {error:.2g} from `network(x)`, so there are no times"
            )


def save(model: str, folder: Path) -> Path:
    """The folder of a model with an untrained network, as a study logs it."""
    import mlflow

    from steps.core.models import networks
    from steps.core.models.fit import standardisation
    from steps.core.models.keras_file import as_bytes
    from steps.core.models.refit import refit_fold, training_summary
    from steps.core.readers.simulate import SimulationSize, simulate
    from steps.tracking.models.final_model import log_final_model
    from steps.tracking.session import step_run

    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder / 'mlflow.db'}"
    study = simulate(SimulationSize(subjects=8), timesteps=TIMESTEPS, seed=0)
    network = networks.build(model, TIMESTEPS, FEATURES, seed=0)
    networks.set_scaler(network, *standardisation(study.values))
    with step_run("train", {}) as run:
        uri = log_final_model(run, as_bytes(network), training_summary(study, refit_fold(study, "exclude", seed=0)))
    return Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder / "served")))


def image() -> list[str]:
    """The command of `deploy/model/Dockerfile`."""
    return [sys.executable, "-m", "uvicorn", "--factory", "--app-dir", str(ROOT / "deploy" / "model"), "guard:make_app"]


def mlflows(saved: Path) -> list[str]:
    """MLflow's own command."""
    return [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local", "--model-uri", str(saved)]


@contextmanager
def serving(command: Sequence[str], saved: Path, folder: Path) -> Iterator[tuple[str, int]]:
    """A server of the model on loopback: its address.

    Raises:
        ClickException: it does not start.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = common_environment(folder) | {"MODEL_FOLDER": str(saved)}
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,  # MLflow's command starts another
        )
        try:
            deadline = time.monotonic() + START_S
            while not _is_up(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise click.ClickException(f"{' '.join(command)} does not answer:\n{log.read()[-2000:]}")
                time.sleep(0.1)
            yield "127.0.0.1", port
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=30)


def _is_up(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def _ask(connection: http.client.HTTPConnection, bodies: Mapping[int, bytes], trials: int) -> bytes:
    connection.request("POST", "/invocations", bodies[trials], {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != http.HTTPStatus.OK:
        raise click.ClickException(f"status {answer.status}: {content[:500]!r}")
    return content


def _ms(side: Callable[[int], object], trials: int, _turn: int) -> float:
    before = time.perf_counter()
    side(trials)
    return 1e3 * (time.perf_counter() - before)


@part(__doc__)
@click.option("--model", type=click.Choice(MODELS), default=MODELS[0], show_default=True)
@click.option("--requests", default=200, show_default=True, help="of each side and number of trials")
def main(quick: bool, model: str, requests: int) -> Result:
    """Measure the requests of one model."""
    with tempfile.TemporaryDirectory() as scratch:
        return measure(model, 5 if quick else requests, Path(scratch))


if __name__ == "__main__":
    main()
