"""What work can use of its process: a way to report, and objects that are kept from one call to the next."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
Send = Callable[[Any], None]

# A cluster's worker may serve two studies in turn; what it kept for older ones is dropped to save memory.
_POOLS_KEPT = 2


@dataclass
class _Process:
    """What the present call is for, and what is kept for each pool. A process does one thing at a time."""

    pool: str = ""
    send: Send | None = None
    scratch: Path | None = None
    kept: OrderedDict[str, dict[Hashable, Any]] = field(default_factory=OrderedDict)


_process = _Process()


def report(event: Any) -> None:
    """Send ``event`` to whoever opened the pool; where nobody listens, it goes nowhere."""
    if _process.send:
        _process.send(event)


def resident(make: Callable[..., T]) -> Callable[..., T]:
    """Let ``make`` be called once per process and arguments; what it returned is kept as long as its pool is used.

    Arguments are positional and hashable.
    """

    @wraps(make)
    def get(*arguments: Hashable) -> T:
        kept = _process.kept.setdefault(_process.pool, {})
        key = (make, *arguments)
        if key not in kept:
            kept[key] = make(*arguments)
        return kept[key]  # type: ignore[no-any-return]

    return get


def scratch() -> Path | None:
    """A folder of this process; its neighbours on a cluster's machine have theirs beside it. None in a local pool."""
    return _process.scratch


def work_for(pool: str, send: Send | None, scratch: Path | None = None) -> None:
    """From now on this process works for the pool of that name; what it kept for older ones is dropped."""
    _process.pool, _process.send, _process.scratch = pool, send, scratch
    _process.kept.setdefault(pool, {})
    _process.kept.move_to_end(pool)
    while len(_process.kept) > _POOLS_KEPT:
        _process.kept.popitem(last=False)
