"""Bringing this project's code to the workers of a cluster.

Workers need the project's environment but not its code: the driver brings it. A long-lived worker may serve drivers of
different versions; each piece of work runs with the code of the driver that handed it out.
"""

from __future__ import annotations

import hashlib
import io
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cloudpickle
from distributed.diagnostics.plugin import UploadFile

from steps.system.project import ROOT

# A study records the hash of the code and of conda.yaml.
_PACKAGE, _LOCKED = "steps", "conda.yaml"


def packed() -> tuple[str, UploadFile]:
    """The code as something that every present and future worker receives once, and its name, which says which code."""
    files = (path for path in (ROOT / _PACKAGE).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in [*sorted(files), ROOT / _LOCKED]:
            # Without the file's date, so that equal code has one name.
            archive.writestr(zipfile.ZipInfo(path.relative_to(ROOT).as_posix()), path.read_bytes())
    name = f"fear-classification-{hashlib.sha256(buffer.getvalue()).hexdigest()[:16]}"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.zip"
        file.write_bytes(buffer.getvalue())
        upload = UploadFile(str(file), load=False)
    upload.idempotent = True
    return name, upload


def work(name: str, pool: str, versions: Mapping[str, str], function: Callable[..., Any], arguments: Any) -> bytes:
    """Work for a worker as bytes; unpickling them there does it.

    So all that a scheduler sees of it is ``pickle.loads(bytes)``, and it needs nothing of this project.

    Args:
        name: of the code (`packed`).
        pool: name of the pool.
        versions: packages that the worker must have (`steps.compute.remote.versions`).
        function: what to do.
        arguments: with what.
    """
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    try:
        # The function is found by its name, but only after the code is in place.
        return bytes(cloudpickle.dumps(_Work(name, pool, versions, cloudpickle.dumps((function, arguments)))))
    finally:
        cloudpickle.unregister_pickle_by_value(module)


class _Work:
    def __init__(self, *arguments: Any) -> None:
        self._arguments = arguments

    def __reduce__(self) -> tuple[Callable[..., bytes], tuple[Any, ...]]:
        return _do, self._arguments


def _do(name: str, pool: str, versions: Mapping[str, str], payload: bytes) -> bytes:
    """On a worker: put the code in place, then do the work.

    Travels by value, so it stands on its own.
    """
    import importlib
    import io
    import sys
    import threading
    import time
    import zipfile
    from pathlib import Path

    from distributed import get_worker

    worker = get_worker()
    # A process does one thing at a time, even where Dask gives it several threads.
    with vars(worker).setdefault("fear_classification", threading.Lock()):
        folder = Path(worker.local_directory) / name
        if not folder.exists():
            deadline = time.monotonic() + 60
            while name not in worker.plugins and time.monotonic() < deadline:
                time.sleep(0.05)  # the code is on its way
            zipfile.ZipFile(io.BytesIO(worker.plugins[name].data)).extractall(folder)
        if sys.path[0] != str(folder):
            sys.path[:] = [str(folder), *(place for place in sys.path if Path(place).parent != folder.parent)]
            for module in [known for known in sys.modules if known.partition(".")[0] == "steps"]:
                del sys.modules[module]
            importlib.invalidate_caches()
        return importlib.import_module("steps.compute.remote").call(pool, versions, payload)  # type: ignore[no-any-return]
