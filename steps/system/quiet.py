"""TensorFlow imported without its greeting: several lines about missing GPUs that no setting of it turns off.

They come from C++ before its logging is set up, so only the file descriptor can be watched.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

# Information of TensorFlow's C++, and what its logging says of itself; warnings and errors (W, E) are passed on.
GREETING = re.compile(rb"I\d{4} \d\d:\d\d:|WARNING: All log messages before absl")


@contextmanager
def without_greeting() -> Iterator[None]:
    """Hold back standard error inside the block, then print what is left of it without TensorFlow's greeting."""
    with tempfile.TemporaryFile() as held:
        try:
            with standard_error_to(held):
                yield
        finally:
            held.seek(0)
            for line in held:
                if not GREETING.match(line):
                    os.write(2, line)


@contextmanager
def standard_error_to(file: IO[bytes]) -> Iterator[None]:
    """Inside the block, what anybody in this process writes on standard error goes to a file, C++ included."""
    sys.stderr.flush()
    original = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(original, 2)
        os.close(original)
