"""Writing to a tracking server itself, for who can do without it: workers of a cluster, whose driver has a spool."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from steps.environment_variables import environment_variables
from steps.tracking.spool import TRACKING_URI, bounded_patience


@contextmanager
def straight_to(tracking_uri: str) -> Iterator[None]:
    """MLflow's client means this server inside the block, and gives up within seconds when it does not answer."""
    with environment_variables({TRACKING_URI: tracking_uri}), bounded_patience():
        yield
