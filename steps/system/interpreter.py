"""Which Python the processes that we start run in."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from steps.system.environment_variables import environment_variables


@contextmanager
def this_python() -> Iterator[None]:
    """Inside the block, ``python`` on the path is this interpreter: MLproject's commands say ``python``."""
    executable = Path(sys.executable)
    with ExitStack() as stack:
        python = executable.with_name("python")
        if python.exists() and python.samefile(executable):
            folder = str(executable.parent)
        else:  # it is called otherwise, or that one is another
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            script = Path(folder) / "python"
            script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n', encoding="utf-8")
            script.chmod(0o700)
        path = os.pathsep.join(part for part in (folder, os.environ.get("PATH")) if part)
        stack.enter_context(environment_variables({"PATH": path}))
        yield
