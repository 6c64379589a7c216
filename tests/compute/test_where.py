"""Where work is done, as the user writes it."""

from __future__ import annotations

import pytest

from steps.compute import Compute
from steps.errors import UserError


def test_two_parameters_are_one_value() -> None:
    assert Compute.of("local", "auto") == Compute()
    assert Compute.of("local", "7") == Compute(workers=7)
    cluster = Compute.of("tcp://[::1]:8786", "auto")
    assert not cluster.is_local
    assert cluster.address == ("::1", 8786)


@pytest.mark.parametrize("scheduler", ["", "Local", "host:8786", "http://host:8786", "tcp://host", "tcp://:8786"])
def test_a_malformed_scheduler_is_quoted(scheduler: str) -> None:
    with pytest.raises(UserError, match=f"scheduler='{scheduler}', expected 'local'"):
        Compute.of(scheduler, "auto")


@pytest.mark.parametrize("workers", ["0", "-1", "many", "1.5", "", "Auto"])
def test_malformed_workers_are_quoted(workers: str) -> None:
    with pytest.raises(UserError, match=f"workers='{workers}', expected 'auto' or a number of at least 1"):
        Compute.of("local", workers)
