"""`mlflow models serve`, really: the same numbers over HTTP as from the step, and clear refusals."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from steps.core.data.dataset import Dataset
from steps.core.data.training_reference import TrainingReference
from steps.core.data.unseen import Unseen
from steps.core.metrics.conformal import DONT_KNOW
from steps.core.metrics.scores import by_subject, score, with_answers
from steps.core.models.keras_file import as_bytes
from steps.core.models.refit import refit_fold, training_summary
from steps.core.readers.fit_to_model import fit_to_model
from steps.core.readers.recorded import from_dataset
from steps.tracking.models import registry
from steps.tracking.models.final_model import log_final_model
from steps.tracking.session import step_run
from tests.conftest import clean_environment, left_out_scores
from tests.units import in_other_units


@dataclass(frozen=True)
class Model:
    """A model, what it is stored with, and people it has not seen; every feature has a unit of its own."""

    network: Any
    summary: dict[str, Any]
    unseen: Unseen


@pytest.fixture(scope="module")
def model(small_study: Dataset, new_people: Dataset) -> Model:
    from steps.core.models import networks
    from steps.core.models.fit import standardisation

    study = in_other_units(small_study)
    summary = training_summary(study, refit_fold(study, "exclude", seed=0))
    network = networks.build("cnn", study.timesteps, len(study.features), seed=0)
    networks.set_scaler(network, *standardisation(study.values))
    recorded = from_dataset(in_other_units(new_people), "new")
    unseen = fit_to_model(recorded, TrainingReference.model_validate(summary))
    summary["left_out_scores"] = left_out_scores(summary, np.asarray(network(unseen.values))[:, 0].tolist())
    return Model(network, summary, unseen)


@pytest.fixture
def served(store: Path, model: Model) -> Iterator[str]:
    """The registered model behind a server on a free port of the loopback address."""
    with step_run("train", {}) as run:
        uri = log_final_model(run, as_bytes(model.network), model.summary)
    registry.register(run.info.run_id, uri, {}, "evidence")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        *(sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/fear-classifier@challenger"),
        *("--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)),
    ]
    environment = clean_environment(f"sqlite:///{store / 'mlflow.db'}")
    address = f"http://127.0.0.1:{port}"
    with (store / "log").open("w") as log:
        # A session of its own: the server has workers, and all of them are to end with it.
        process = subprocess.Popen(command, cwd=store, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            deadline = time.monotonic() + 120
            while not _is_up(address):
                assert process.poll() is None, (store / "log").read_text()[-2000:]
                assert time.monotonic() < deadline, (store / "log").read_text()[-2000:]
                time.sleep(0.3)
            yield address
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=30)
    assert "type hint" not in (store / "log").read_text()


def _is_up(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/ping", timeout=2) as answer:  # noqa: S310 - our own server
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def ask(address: str, **body: Any) -> tuple[int, Any]:
    """Status and content of the answer to a scoring request."""
    request = urllib.request.Request(  # noqa: S310 - our own server
        f"{address}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def _tables(model: Model, trained: TrainingReference) -> tuple[pd.DataFrame, pd.DataFrame]:
    table = score(model.network, model.unseen, trained, 0.5)
    return table, by_subject(table, 0.5)


def test_a_served_model_gives_the_numbers_of_predict_in_any_unit(served: str, model: Model) -> None:
    unseen, trained = model.unseen, TrainingReference.model_validate(model.summary)
    trials = unseen.values[:3].tolist()
    loaded = mlflow.pyfunc.load_model("models:/fear-classifier@challenger")
    for threshold in (0.5, 0.1):
        expected = score(model.network, unseen, trained, threshold)[:3]
        assert np.ptp(expected["probability"]) > 1e-4
        assert (expected["distance"] < 10).all()
        scored = loaded.predict(unseen.values[:3], params={"threshold": threshold})
        pd.testing.assert_frame_equal(scored, expected[list(scored)], check_dtype=False, rtol=1e-6)
        for key in ("inputs", "instances"):
            status, answer = ask(served, **{key: trials}, params={"threshold": threshold})
            assert status == 200
            answered = pd.DataFrame(answer["predictions"])
            columns = ["probability", "decision", "distance", "unusual"]
            pd.testing.assert_frame_equal(answered, expected[columns], check_dtype=False, rtol=1e-5)
    answer = ask(served, inputs=trials)[1]
    assert answer == ask(served, inputs=trials, params={"threshold": 0.5})[1]
    order = [3, 1, 5, 0, 2, 4]
    named = {"features": [trained.features[place] for place in order]}
    named["units"] = [trained.units[name] for name in named["features"]]
    mixed = unseen.values[:3, :, order].tolist()
    assert ask(served, inputs=mixed, params=named)[1] == answer

    together = loaded.predict(unseen.values)["probability"]
    singly = [loaded.predict(trial[np.newaxis])["probability"][0] for trial in unseen.values]
    np.testing.assert_allclose(singly, together, rtol=0, atol=1e-6)

    given: set[str] = set()
    for error_rate in (0.3, 0.4, 0.5):
        expected, _ = with_answers(*_tables(model, trained), trained, error_rate)
        scored = loaded.predict(unseen.values, params={"error_rate": error_rate})
        assert scored["answer"].tolist() == expected["answer"].tolist()
        _, answer = ask(served, inputs=unseen.values.tolist(), params={"error_rate": error_rate})
        assert [row["answer"] for row in answer["predictions"]] == expected["answer"].tolist()
        given |= set(expected["answer"])
    assert given == {*trained.labels.values(), DONT_KNOW}

    broken = unseen.values[:1].tolist()
    broken[0][2][1] = float("nan")
    refused = {
        "a NaN": ({"inputs": broken}, "trial 0 holds nan for feature 'ankle_moment_y' at time point 2"),
        "too few features": ({"inputs": [[row[1:] for row in trials[0]]]}, "(-1, 21, 6)"),
        "one trial without its axis": ({"inputs": trials[0]}, "(-1, 21, 6)"),
        "text": ({"inputs": [[["high"] * 6] * 21]}, "high"),
        "a threshold beyond 1": ({"inputs": trials, "params": {"threshold": 2}}, "threshold is 2.0, expected a prob"),
        "another feature": (
            {"inputs": mixed, "params": {"features": ["hip", *named["features"][1:]]}},
            '"INVALID_PARAMETER_VALUE", "message": "the features of the request are not the model\'s: missing',
        ),
        "another unit": (
            {"inputs": mixed, "params": named | {"units": ["lb", *named["units"][1:]]}},
            f"is in 'lb', the model was trained on '{named['units'][0]}'; convert it",
        ),
        "an error rate beyond a half": ({"inputs": trials, "params": {"error_rate": 0.6}}, "error_rate is 0.6"),
    }
    for case, (body, message) in refused.items():
        status, text = ask(served, **body)
        assert status == 400, case
        assert message in text, (case, text)
