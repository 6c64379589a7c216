"""The guard before MLflow's own scoring server, with the real schema and the real script; a sum is the network."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow.models import Model
from mlflow.pyfunc import PyFuncModel, scoring_server

from deploy.model.guard import App, Expected, guarded, make_app, unknown_key
from steps.core.data.training_reference import TrainingReference
from steps.tracking.models.final_model import _signature
from steps.tracking.models.scorer import FearScorer

POINTS, FEATURES = 21, 6
TRIAL = np.random.default_rng(0).normal(size=(POINTS, FEATURES)).round(3).tolist()


class Served:
    """What MLflow calls the model."""

    def __init__(self, trained: TrainingReference) -> None:
        self.scorer = FearScorer()
        self.scorer.training = json.loads(trained.model_dump_json())
        self.scorer.network = lambda trials: 1 / (1 + np.exp(-trials.mean(axis=(1, 2)))[:, None])

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        return self.scorer.predict(None, model_input, params)


@pytest.fixture(scope="module")
def servers(trained: TrainingReference) -> tuple[App, App]:
    """MLflow's, and the same behind the guard."""
    meta = Model(signature=_signature((POINTS, FEATURES)))
    meta.add_flavor("python_function", loader_module="mlflow.pyfunc.loaders.code_model")
    with pytest.MonkeyPatch.context() as patch:  # MLflow notes in the environment that this is a server
        patch.setenv("_MLFLOW_IS_IN_SERVING_ENVIRONMENT", "")
        app = scoring_server.init(PyFuncModel(meta, Served(trained)))
    kinds = {one.name: one.shape is not None for one in meta.signature.params.params}
    return app, guarded(app, Expected(tuple(trained.features), POINTS, kinds, bytes=100_000))


def ask(app: App, body: Any, path: str = "/invocations", kind: bytes = b"application/json") -> tuple[int, str, Any]:
    """Status, text and content of the answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    parts = [content[start : start + 10_000] for start in range(0, len(content), 10_000)] or [b""]
    sent: list[Any] = []
    waiting = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    waiting[-1]["more_body"] = False

    async def receive() -> Any:
        return waiting.pop(0) if waiting else await asyncio.sleep(60)

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "method": "POST" if path == "/invocations" else "GET", "path": path}
    scope |= {
        "headers": [(b"content-type", one) for one in kind.split(b"|") if one],
        "query_string": b"",
        "http_version": "1.1",
    }
    asyncio.run(app(scope | {"root_path": "", "scheme": "http"}, receive, send))
    text = b"".join(message.get("body", b"") for message in sent).decode()
    return sent[0]["status"], text, json.loads(text) if text.strip() else None


def test_what_fits_passes_unchanged(servers: tuple[App, App], trained: TrainingReference) -> None:
    mlflows, guard = servers
    for body in (
        {"inputs": [TRIAL, TRIAL]},
        {"instances": [TRIAL]},
        {"params": {"threshold": 0.9, "features": list(trained.features)[::-1]}, "inputs": [TRIAL]},
        {"inputs": [TRIAL], "params": None},
        {"inputs": [TRIAL], "params": {"threshold": None, "units": [None, *[""] * 5]}},
    ):
        found = ask(guard, body)
        assert found[0] == 200
        assert found == ask(mlflows, body)
    assert ask(guard, b"", "/ping")[0] == 200


def cases() -> dict[str, tuple[Any, str]]:
    whole = f"(trials, {POINTS} time points, {FEATURES} features)"
    text = [[*TRIAL[0][:2], "high", *TRIAL[0][3:]], *TRIAL[1:]]
    hole = [[*TRIAL[0][:2], None, *TRIAL[0][3:]], *TRIAL[1:]]
    inf = [[*TRIAL[0][:2], 1e39, *TRIAL[0][3:]], *TRIAL[1:]]
    deep = b"[" * 40_000 + b"]" * 40_000
    return {
        "fewer time points": ({"inputs": [TRIAL[1:]]}, "trial 0 (counted from 0) has 20 time points, expected 21"),
        "fewer features": ({"inputs": [[row[1:] for row in TRIAL]]}, "trial 0 has 5 features at time point 0 (both"),
        "more features": ({"inputs": [[[*row, 1] for row in TRIAL]]}, "has 7 features"),
        "one trial": ({"inputs": TRIAL}, f"inputs has the shape (21, 6), expected {whole}; put a single trial into"),
        "one row": ({"inputs": TRIAL[0]}, f"inputs has the shape (6,), expected {whole}"),
        "four axes": ({"inputs": [[TRIAL]]}, f"inputs has the shape (1, 1, 21, 6), expected {whole}"),
        "a number": ({"inputs": 3}, f"inputs is 3, expected {whole}"),
        "ragged": ({"inputs": [TRIAL, TRIAL[:3]]}, "trial 1 (counted from 0) has 3 time points"),
        "ragged rows": ({"inputs": [[*TRIAL[:5], [1], *TRIAL[6:]]]}, "trial 0 has 1 features at time point 5"),
        "text": ({"inputs": [TRIAL, text]}, "trial 1 holds 'high' for feature 'ankle_moment_z' at time point 0"),
        "null": ({"inputs": [hole]}, "trial 0 holds nan for feature 'ankle_moment_z' at time point 0"),
        "too large for 32 bits": ({"inputs": [inf]}, "trial 0 holds inf for feature 'ankle_moment_z'"),
        "nobody": ({"inputs": []}, f"inputs has an empty list, expected {whole}, at least one trial"),
        "nothing": ({"inputs": [[]]}, "inputs has an empty list"),
        "null inputs": ({"inputs": None}, "inputs is null"),
        "an object": ({"inputs": {"a": [1]}}, "the request has 'a', expected 'inputs'"),
        "too deep": (b'{"inputs": ' + deep + b"}", "lists in lists beyond counting"),
        "deep": ({"inputs": json.loads("[" * 50 + "1" + "]" * 50)}, f"inputs has 50 axes, expected {whole}"),
        "no JSON": (b'{"inputs": [[[1', "the request is no JSON (Expecting ',' delimiter"),
        "no text": (b"\xff\xfe\x00", "the request is no JSON"),
        "nothing at all": (b"", "the request is no JSON"),
        "a list": ([TRIAL], "the request is a list, expected {"),
        "another key": ({"input": [TRIAL]}, f"the request has 'input', expected 'inputs', {whole}"),
        "both keys": ({"inputs": [TRIAL], "instances": [TRIAL]}, "the request has 'inputs' and 'instances', expected"),
        "no inputs": ({"params": {}}, "the request has no 'inputs'"),
        "a table": ({"dataframe_split": {"columns": ["a"], "data": [[1]]}}, "the request has 'dataframe_split'"),
        "a misspelled parameter": (
            {"inputs": [TRIAL], "params": {"treshold": 0.4}},
            "params has 'treshold', expected some",
        ),
        "an escaped one": (b'{"inputs": [[[1]]], "params": {"tr\\u0065shold": 0.4}}', "params has 'treshold'"),
        "in UTF-16": (
            json.dumps({"inputs": [TRIAL], "params": {"treshold": 0.4}}).encode("utf-16"),
            "the request is no JSON in UTF-8",
        ),
        "trials twice": (
            b'{"inputs": %b, "inputs": [%b]}' % ((json.dumps([TRIAL]).encode(),) * 2),
            "the request has 'inputs' twice, expected it once",
        ),
        "a parameter twice": (
            b'{"params": {"threshold": 0.1, "threshold": 0.9}, "inputs": [%b]}' % json.dumps(TRIAL).encode(),
            "the request has 'threshold' twice",
        ),
        "parameters twice": (b'{"params": {}, "params": {}}', "the request has 'params' twice"),
        "a parameter outside": (
            {"inputs": [TRIAL], "threshold": 0.4},
            "the request has 'threshold', expected 'inputs', ",
        ),
        "a text for a number": (
            {"inputs": [TRIAL], "params": {"threshold": "low"}},
            "threshold is 'low', expected a num",
        ),
        "a list for a number": (
            {"inputs": [TRIAL], "params": {"threshold": [1]}},
            "threshold is [1], expected a number",
        ),
        "a text for a list": (
            {"inputs": [TRIAL], "params": {"features": "a,b"}},
            "features is 'a,b', expected a list of",
        ),
        "a list for parameters": ({"inputs": [TRIAL], "params": [1]}, "params is a list, expected an object"),
        "a threshold beyond 1": (
            {"inputs": [TRIAL], "params": {"threshold": 2}},
            "threshold is 2.0, expected a probab",
        ),
        "other features": (
            {"inputs": [TRIAL], "params": {"features": ["a", "b", "c", "d", "e", "params"]}},
            "the features of the request are not the model's: missing",
        ),
    }


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@pytest.mark.parametrize("case", cases())
def test_what_does_not_fit_is_status_400_and_one_line(
    case: str, servers: tuple[App, App], caplog: pytest.LogCaptureFixture
) -> None:
    body, said = cases()[case]
    caplog.set_level(logging.CRITICAL)
    status, text, answer = ask(servers[1], body)
    assert status == 400, text
    assert said in answer["message"]
    assert set(answer) == {"error_code", "message"}
    assert len(text) < 600
    assert "\n" not in answer["message"]
    assert "0.126" not in answer["message"], "what was sent is not sent back"


def test_what_is_no_request_at_all_is_said_too(servers: tuple[App, App]) -> None:
    status, _, answer = ask(servers[1], {"inputs": [TRIAL] * 200})
    assert (status, "larger than 0.0953674 MiB" in answer["message"]) == (413, True)
    for kind in (b"text/csv", b"", b"text/csv|application/json", b"application/json|text/csv"):  # the latter two twice
        status, _, answer = ask(servers[1], b"a,b", kind=kind)
        assert (status, "expected application/json" in answer["message"]) == (415, True)
    for path in ("/", "/docs", "/openapi.json", "/ping/"):
        assert ask(servers[1], b"", path)[0] == 404


def test_a_server_without_its_model_says_so_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_FOLDER", str(tmp_path))
    with pytest.raises(SystemExit, match="has no MLmodel; set MODEL_FOLDER to the folder of a model"):
        make_app()
    (tmp_path / "artifacts").mkdir()
    for name in ("MLmodel", "artifacts/training.json"):
        (tmp_path / name).touch()
    for size in ("16M", "inf", "nan", "-1", "0"):
        monkeypatch.setenv("MODEL_REQUEST_MIB", size)
        with pytest.raises(SystemExit, match=f"MODEL_REQUEST_MIB is '{size}', expected a number above 0"):
            make_app()


def test_no_text_takes_long_to_look_through(trained: TrainingReference) -> None:
    expected = Expected(tuple(trained.features), POINTS, {"threshold": False, "features": True})
    size = 1_000_000  # at n * n steps these would take hours
    for body in (
        b'"' + b'\\"' * size,
        b'"' + b'\\"' * size + b"\\",
        b'"' * size,
        b'"a"' + b" " * size,
        (b'"inputs"' + b" " * 1000) * 1000,
        b'{"inputs": "' + b"a" * size,
        b'{"params": {"features": ["' + b'", "' * size + b'"]}, "inputs": []}',
        b'{"params": {}, ' * 1000,
    ):
        before = time.process_time()
        unknown_key(body, expected)
        assert time.process_time() - before < 2
    assert "'params' twice" in str(unknown_key(b'{"params": {}, "params": {}}', expected))
    for text in (
        b'{"inputs": ["\\"x\\": 1", "params"], "params": {"features": ["a\\": 1", "}"]}}',
        b'{"params":\n{}}',
        b"{}",
    ):
        assert unknown_key(text, expected) is None


def test_an_error_of_the_model_keeps_its_status_and_its_trace_stays_in_the_log(
    servers: tuple[App, App], trained: TrainingReference
) -> None:
    async def failing(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 504, "headers": []})
        await send({"type": "http.response.body", "body": b"Request processing time exceeded limit"})

    guard = guarded(failing, Expected(tuple(trained.features), POINTS))
    assert ask(guard, {"inputs": [TRIAL]})[::2] == (
        504,
        {"error_code": "INTERNAL_ERROR", "message": "Request processing time exceeded limit"},
    )
