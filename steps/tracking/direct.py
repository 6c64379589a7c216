"""Writing to a tracking server itself, for who can do without it: workers of a cluster, whose driver has a spool."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from steps.tracking.spool import TRACKING_URI, bounded_patience


@contextmanager
def straight_to(tracking_uri: str) -> Iterator[None]:
    """MLflow's client means this server inside the block, and gives up within seconds when it does not answer."""
    given = os.environ.get(TRACKING_URI)
    os.environ[TRACKING_URI] = tracking_uri
    try:
        with bounded_patience():
            yield
    finally:
        if given is None:
            del os.environ[TRACKING_URI]
        else:
            os.environ[TRACKING_URI] = given
