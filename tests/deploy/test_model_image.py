"""The recipe of the model's image, without a container: its commands and its settings, on this machine."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from steps.core.data.training_reference import TrainingReference
from steps.core.data.unseen import Unseen
from steps.core.metrics.scores import score
from steps.core.models.keras_file import as_bytes
from steps.tracking.models import registry
from steps.tracking.models.final_model import log_final_model
from steps.tracking.session import step_run
from tests.conftest import ROOT, clean_environment

RECIPE = ROOT / "deploy" / "model"


def instructions() -> list[tuple[str, str]]:
    """Every instruction of the Dockerfile: its name and the rest."""
    text = re.sub(r"#.*\n", "", (RECIPE / "Dockerfile").read_text()).replace("\\\n", " ")
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def settings() -> dict[str, str]:
    pairs = [pair for name, rest in instructions() if name == "ENV" for pair in shlex.split(rest)]
    return dict(pair.split("=", 1) for pair in pairs)


def wheelhouse(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(RECIPE / "wheelhouse.sh"), *arguments]
    inherited = clean_environment(f"sqlite:///{cwd / 'mlflow.db'}") | {"PYTHON": sys.executable}
    return subprocess.run(command, cwd=cwd, env=inherited | environment, capture_output=True, text=True)


# Python as far as the script needs it, with neither a model nor packages to be had.
STANDS_IN = """#!/bin/sh
case "$*" in
*"artifacts download"*)
    mkdir -p "$8/artifacts"
    cd "$8" && touch MLmodel requirements.txt scorer.py artifacts/network.onnx artifacts/training.json ;;
*"pip download"*) touch "$7/a_package-1.0-py3-none-any.whl" ;;
*) exec "$REAL" "$@" ;;
esac
"""


def test_a_folder_may_be_named_with_a_slash(tmp_path: Path) -> None:
    (tmp_path / "python").write_text(STANDS_IN)
    (tmp_path / "python").chmod(0o700)
    environment = {"PYTHON": str(tmp_path / "python"), "REAL": sys.executable}
    done = wheelhouse("models:/fear-classifier/1", "a model/", cwd=tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("a model: 1 packages")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a model", "python"]
    assert (tmp_path / "a model" / "guard.py").is_file()


def test_the_image_is_nobodys_and_listens_to_itself_unless_told() -> None:
    assert settings()["UVICORN_HOST"] == "127.0.0.1"
    names = [name for name, _ in instructions()]
    assert names.index("USER") > max(place for place, name in enumerate(names) if name in ("COPY", "RUN"))
    assert dict(instructions())["USER"] == "10001:10001"
    assert "--no-index" in dict(instructions())["RUN"]
    assert "--require-hashes" in dict(instructions())["RUN"]
    assert json.loads(dict(instructions())["CMD"]) == ["uvicorn", "--factory", "guard:make_app"]


def test_a_mistake_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\necho 3.9\n")
    other.chmod(0o700)
    for arguments, environment, said in (
        (("models:/fear-classifier@champion",), {}, "usage: sh deploy/model/wheelhouse.sh MODEL FOLDER"),
        (("models:/m/1", "there"), {}, "error: there is there already; name a new folder"),
        (("models:/m/1", "new"), {"PYTHON": str(other)}, f"error: {other} is Python 3.9, expected 3.11"),
    ):
        done = wheelhouse(*arguments, cwd=tmp_path, **environment)
        assert (done.returncode, said in done.stderr, done.stderr.count("\n")) == (2, True, 1), done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["python", "there"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_model_serves_offline_what_predict_says(
    store: Path, final_network: Any, training_json: dict[str, Any], trained: TrainingReference, unseen: Unseen
) -> None:
    with step_run("train", {}) as run:
        uri = log_final_model(run, as_bytes(final_network), training_json)
    registry.register(run.info.run_id, uri, {}, "evidence")
    made = wheelhouse("models:/fear-classifier@challenger", "image", cwd=store)
    assert made.returncode == 0, made.stderr
    assert "note:" not in made.stderr
    print(made.stdout)
    folder = store / "image"
    assert not list((folder / "wheelhouse").glob("*[!l]")), "built packages only"
    assert not re.search("nvidia|cuda", " ".join(path.name for path in (folder / "wheelhouse").iterdir()))
    # As in the image: a new environment, no package index, what came with a hash.
    environment = store / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    installed = {"PATH": f"{environment / 'bin'}:{os.environ['PATH']}", "HOME": str(store / "nothing")}
    install = ["pip", "--isolated", "install", "--quiet", "--no-index", "--find-links", str(folder / "wheelhouse")]
    install += ["--require-hashes", "--requirement", str(folder / "requirements.txt")]
    subprocess.run([str(environment / "bin" / install[0]), *install[1:]], check=True, env=installed)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = settings() | installed | {"MODEL_FOLDER": str(folder / "model"), "UVICORN_PORT": str(port)}
    command = json.loads(dict(instructions())["CMD"])
    command[0] = str(environment / "bin" / command[0])
    with (store / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=variables, stdout=log, stderr=log)
    try:
        _wait(server, f"http://127.0.0.1:{port}/ping", store / "log")
        order = [3, 1, 5, 0, 2, 4]
        params = {"threshold": 0.4, "features": [trained.features[place] for place in order]}
        status, answer = _ask(port, {"inputs": unseen.values[:, :, order].tolist(), "params": params})
        assert status == 200, answer
        answered = pd.DataFrame(answer["predictions"])
        expected = score(final_network, unseen, trained, 0.4)
        columns = ["probability", "decision", "distance", "unusual"]
        pd.testing.assert_frame_equal(answered, expected[columns], check_dtype=False, rtol=1e-5)
        singly = [_ask(port, {"inputs": [trial.tolist()]})[1]["predictions"][0] for trial in unseen.values[:5]]
        np.testing.assert_allclose([row["probability"] for row in singly], answered["probability"][:5], atol=1e-6)
        status, answer = _ask(port, {"inputs": unseen.values[0].tolist()})
        assert status == 400
        assert "expected (trials, 21 time points, 6 features); put a single trial into a list" in answer["message"]
        assert _ask(port, {"inputs": [], "params": {"treshold": 1}})[0] == 400
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + 120
    while True:
        assert server.poll() is None, log.read_text()[-2000:]
        assert time.monotonic() < deadline, log.read_text()[-2000:]
        try:
            urllib.request.urlopen(address, timeout=2).close()  # noqa: S310 - our own server
            return
        except OSError:
            time.sleep(0.3)


def _ask(port: int, body: Any) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())
