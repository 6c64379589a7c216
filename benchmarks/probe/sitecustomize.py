"""First on PYTHONPATH, this notes what every Python process imports: `benchmarks.chain` reads it.

A line of JSON per process in ``$BENCHMARK_PROBE/<pid>.jsonl`` says how it was started; of a process that was forked
from one with modules already, that. One more for every import statement that is not part of another import and takes
longer than a few milliseconds says what, from when to when.
"""

import builtins
import json
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_SHORTEST_S = 0.002
_import = builtins.__import__
_state = threading.local()
_known: set[int] = set()


def _note_process(*, forked: bool) -> None:
    _known.add(os.getpid())
    _note(parent=os.getppid(), command=sys.orig_argv, forked=forked, began=time.time())


def _note(**fields: object) -> None:
    path = Path(os.environ["BENCHMARK_PROBE"], f"{os.getpid()}.jsonl")
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(fields) + "\n")


def _noting(
    name: str,
    globals: Mapping[str, object] | None = None,  # noqa: A002
    locals: Mapping[str, object] | None = None,  # noqa: A002
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> object:
    if getattr(_state, "inside", False):
        return _import(name, globals, locals, fromlist, level)
    _state.inside = True
    began = time.time()
    try:
        return _import(name, globals, locals, fromlist, level)
    finally:
        _state.inside = False
        ended = time.time()
        if ended - began > _SHORTEST_S and not level:
            if os.getpid() not in _known:
                _note_process(forked=True)
            _note(name=name, members=list(fromlist or ()), began=began, ended=ended)


if "BENCHMARK_PROBE" in os.environ:
    _note_process(forked=False)
    builtins.__import__ = _noting  # type: ignore[assignment]
