"""MLflow's scoring server with a guard in front, which says in one line what is wrong with a request.

    MODEL_FOLDER=/model uvicorn --factory guard:make_app --host 127.0.0.1 --port 5001

What answers is MLflow's own server with the model, as `mlflow models serve` starts it. The guard looks at requests
before it and at errors after it: a request that is too large, misspells a parameter or is no JSON does not get there,
and an error says what was found and what was expected, without the data that was sent and without a stack trace. It
needs nothing of this project: MLflow, and the model's folder.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping, MutableMapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Coroutine[Any, Any, None]]

PATHS: Final = ("/ping", "/health", "/version")
SCORING: Final = "/invocations"
INPUTS: Final = ("inputs", "instances")
PARAMS: Final = "params"
MEBIBYTES: Final = 16
LARGE: Final = (
    2**20
)  # bytes; requests beyond are worked on one after the other, as each takes eight times that in memory
RECEIVE_S: Final = 60
# A text, which is a key where a colon follows. It always matches and takes nothing back: no text takes longer to read
# than its length.
_TEXT: Final = re.compile(rb'"((?:[^"\\]|\\.)*+)(?:"(\s*+:\s*+)?+)?+', re.DOTALL)
_SHOWN: Final = 60
_LONGEST_MESSAGE: Final = 500


@dataclass(frozen=True)
class Expected:
    """What a request has to hold.

    Attributes:
        features: names of the features of a trial.
        timesteps: its time points.
        params: names of parameters; True where one is a list of texts, False where it is a number.
        bytes: of a request, at most.
    """

    features: tuple[str, ...]
    timesteps: int
    params: Mapping[str, bool] = field(default_factory=dict)
    bytes: int = MEBIBYTES * 2**20

    @property
    def shape(self) -> str:
        """In words."""
        return f"(trials, {self.timesteps} time points, {len(self.features)} features)"


def make_app() -> App:
    """MLflow's server with the model in ``MODEL_FOLDER``, guarded; for ``uvicorn --factory``.

    ``MODEL_REQUEST_MIB`` is how large a request may be (16).

    Raises:
        SystemExit: a variable is not what it should be; with a line that says so.
    """
    folder, mebibytes = Path(os.environ.get("MODEL_FOLDER", "/model")), os.environ.get("MODEL_REQUEST_MIB", MEBIBYTES)
    for name in ("MLmodel", "artifacts/training.json"):
        if not (folder / name).is_file():
            raise SystemExit(f"error: {folder} has no {name}; set MODEL_FOLDER to the folder of a model")
    try:
        most = int(float(mebibytes) * 2**20)
        if most < 1:
            raise ValueError
    except (ValueError, OverflowError):  # the latter is of infinity
        raise SystemExit(f"error: MODEL_REQUEST_MIB is {mebibytes!r}, expected a number above 0") from None
    from mlflow.pyfunc import scoring_server

    model = scoring_server.load_model_with_mlflow_config(str(folder))
    trained = json.loads((folder / "artifacts" / "training.json").read_text(encoding="utf-8"))
    params = model.metadata.get_params_schema()
    expected = Expected(
        features=tuple(trained["features"]),
        timesteps=len(trained["time"]),
        params={one.name: one.shape is not None for one in params.params} if params else {},
        bytes=most,
    )
    app = scoring_server.init(model)
    # Lists of numbers by the thousand make Python look for garbage, again and again, also among all that TensorFlow has
    # loaded: one request of 64 trials in a hundred took six times as long.
    gc.collect()
    gc.freeze()
    return guarded(app, expected)


def guarded(app: App, expected: Expected) -> App:
    """An ASGI application with the guard in front."""
    turn = asyncio.Lock()

    async def guard(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == SCORING and scope["method"] == "POST":
            await _score(app, expected, turn, scope, receive, send)
        elif scope["type"] == "http" and scope["path"] not in PATHS:
            await _refuse(
                send, 404, f"nothing is at {shown(scope['path'])}, expected POST {SCORING}, or {', '.join(PATHS)}"
            )
        else:
            await app(scope, receive, send)

    return guard


async def _score(
    app: App, expected: Expected, turn: asyncio.Lock, scope: MutableMapping[str, Any], receive: Receive, send: Send
) -> None:
    kinds = [value for name, value in scope["headers"] if name == b"content-type"]
    kind = b", ".join(kinds).decode("latin-1")  # one that is said twice is none: MLflow goes by the first
    if kind.partition(";")[0].strip().lower() != "application/json":
        await _refuse(send, 415, f"the content type is {shown(kind)}, expected application/json")
        return
    try:
        async with asyncio.timeout(RECEIVE_S):
            body = await _received(receive, expected.bytes)
    except TimeoutError:
        await _refuse(send, 408, f"the request was not received within {RECEIVE_S} s; send fewer trials at once")
        return
    if body is None:
        limit = f"{expected.bytes / 2**20:g} MiB"
        await _refuse(
            send, 413, f"the request is larger than {limit}; send fewer trials at once, or fewer digits of each value"
        )
        return
    async with turn if len(body) > LARGE else nullcontext():
        await _answer(app, expected, body, scope, _replayed(body, receive), send)


async def _answer(
    app: App, expected: Expected, body: bytes, scope: MutableMapping[str, Any], receive: Receive, send: Send
) -> None:
    if line := await asyncio.to_thread(unknown_key, body, expected):
        await _refuse(send, 400, line)
        return
    error: list[Message] = []

    async def held(message: Message) -> None:
        if error or message.get("status", 200) >= 400:  # what is wrong is said below
            error.append(message)
        else:
            await send(message)

    try:
        await app(scope, receive, held)
    except Exception:  # Starlette has answered with status 500 and has it in its log
        if not error:
            raise
    if error:
        status, said = error[0]["status"], b"".join(part.get("body", b"") for part in error[1:])
        line = await asyncio.to_thread(problem_of, body, expected)
        await _refuse(send, 400 if line else status, line or _one_line(said))


def unknown_key(body: bytes, expected: Expected) -> str | None:
    """A line about a key that MLflow would ignore, or None. Numbers are passed over, so it takes little time."""
    if b"\0" in body:  # UTF-16 and 32, which Python's JSON reads and the search below does not
        return "the request is no JSON in UTF-8, expected " + '{"inputs": [trial, ...]}'
    end = 0  # of the value of params, once it was met
    met: set[str] = set()
    for match in _TEXT.finditer(body):
        if match[2] is None:
            continue
        try:
            key = json.loads(b'"' + match[1] + b'"')
            within = match.start() < end
            if within and key not in expected.params:
                return f"{PARAMS} has {shown(key)}, expected some of {', '.join(expected.params)}"
            if key in met:  # the last one would count
                return f"the request has {shown(key)} twice, expected it once"
            met.add(key)
            if key == PARAMS:
                text = body[match.end() :].decode()
                end = match.end() + len(text[: json.JSONDecoder().raw_decode(text)[1]].encode())
            elif not within and key not in INPUTS:
                where = f"; put it into {PARAMS!r}" if key in expected.params else ""
                return (
                    f"the request has {shown(key)}, expected 'inputs', {expected.shape}, and perhaps {PARAMS!r}{where}"
                )
        except (ValueError, RecursionError):
            return None  # no JSON; what is wrong with it is said later
    return None


def problem_of(body: bytes, expected: Expected) -> str | None:
    """A line about what is wrong with a request, or None where it is not its form."""
    try:
        request = json.loads(body)
    except RecursionError:
        return f"the request has lists in lists beyond counting, expected inputs of {expected.shape}"
    except ValueError as error:
        return f"the request is no JSON ({_one_line(str(error).encode())}), expected " + '{"inputs": [trial, ...]}'
    if not isinstance(request, dict):
        return f"the request is {_kind(request)}, expected " + '{"inputs": [trial, ...]}'
    given = [name for name in INPUTS if name in request]
    if len(given) != 1:
        found = " and ".join(map(repr, given)) or "no 'inputs'"
        return f"the request has {found}, expected 'inputs', {expected.shape}"
    return _problem_of_params(request.get(PARAMS), expected) or _problem_of_trials(
        given[0], request[given[0]], expected
    )


def _problem_of_params(params: Any, expected: Expected) -> str | None:
    if params is None:
        return None
    if not isinstance(params, dict):
        return f"{PARAMS} is {_kind(params)}, expected an object with some of {', '.join(expected.params)}"
    for name, value in params.items():
        if expected.params.get(name):
            if not isinstance(value, list) or not all(isinstance(text, str | None) for text in value):
                count = len(expected.features)
                return f"{name} is {shown(value)}, expected a list of texts, one for each of {count} columns"
        elif isinstance(value, bool) or not isinstance(value, int | float | None):
            return f"{name} is {shown(value)}, expected a number"
    return None


def _problem_of_trials(name: str, trials: Any, expected: Expected) -> str | None:
    sizes, inner = [], trials
    while isinstance(inner, list):
        sizes.append(len(inner))
        inner = inner[0] if inner else None
    if not sizes:
        return f"{name} is {_kind(trials)}, expected {expected.shape}"
    if 0 in sizes:
        return f"{name} has an empty list, expected {expected.shape}, at least one trial"
    if len(sizes) != 3:
        hint = "; put a single trial into a list: [trial]" if len(sizes) == 2 else ""
        found = f"has the shape {tuple(sizes)}" if len(sizes) < 8 else f"has {len(sizes)} axes"
        return f"{name} {found}, expected {expected.shape}{hint}"
    for i, trial in enumerate(trials):
        if not isinstance(trial, list) or len(trial) != expected.timesteps:
            found = f"has {len(trial)} time points" if isinstance(trial, list) else f"is {_kind(trial)}"
            return f"trial {i} (counted from 0) {found}, expected {expected.timesteps}: {name} are {expected.shape}"
        for j, row in enumerate(trial):
            if not isinstance(row, list) or len(row) != len(expected.features):
                found = f"has {len(row)} features" if isinstance(row, list) else f"is {_kind(row)}"
                return (
                    f"trial {i} {found} at time point {j} (both counted from 0), expected {len(expected.features)}: "
                    f"{name} are {expected.shape}"
                )
            if strange := [k for k, value in enumerate(row) if not isinstance(value, int | float | None)]:
                k = strange[0]
                return (
                    f"trial {i} holds {shown(row[k])} for feature {shown(expected.features[k])} at time point {j} "
                    "(all counted from 0), expected a number"
                )
    return None


async def _received(receive: Receive, most: int) -> bytes | None:
    """The body of a request; None where it is larger, after it has come and was thrown away."""
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        if size <= most:
            parts.append(message.get("body", b""))
        else:
            parts.clear()
        more = message.get("more_body", False)
    return b"".join(parts) if size <= most else None


def _replayed(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


async def _refuse(send: Send, status: int, line: str) -> None:
    code = "INVALID_PARAMETER_VALUE" if status < 500 else "INTERNAL_ERROR"
    body = json.dumps({"error_code": code, "message": line}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _one_line(said: bytes) -> str:
    """The message of an error of MLflow's, without what it holds beside."""
    try:
        text = json.loads(said)["message"]
    except (ValueError, KeyError, TypeError):
        text = said.decode(errors="replace")
    lines = str(text).split("\nError: ")[-1].splitlines() or ["no reason was given"]
    return lines[0] if len(lines[0]) <= _LONGEST_MESSAGE else f"{lines[0][:_LONGEST_MESSAGE]}…"


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else shown(value)


def shown(value: Any) -> str:
    """What somebody sent, as a message may say it."""
    text = repr(value) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
