"""Where work is done and how much of it at a time: the parameters ``scheduler`` and ``workers`` as one value."""

from __future__ import annotations

import re
from dataclasses import dataclass

from steps.errors import UserError, shown

LOCAL = "local"
AUTO = "auto"
_ADDRESS = re.compile(r"(?:tcp|tls)://(\[[0-9a-fA-F:.]+\]|[^/:@\s]+):(\d{1,5})/?")


@dataclass(frozen=True)
class Compute:
    """Where work is done.

    Attributes:
        scheduler: ``local``, or the address of a Dask scheduler.
        workers: processes, or how much to have on a cluster at a time; None for as many as cores and memory allow, or
            as a cluster has workers.
    """

    scheduler: str = LOCAL
    workers: int | None = None

    @classmethod
    def of(cls, scheduler: str, workers: str) -> Compute:
        """What the two parameters mean.

        Raises:
            UserError: one of them is malformed.
        """
        if workers != AUTO and not (workers.isdecimal() and int(workers) > 0):
            raise UserError(f"workers={shown(workers)}, expected 'auto' or a number of at least 1")
        if scheduler != LOCAL and not _ADDRESS.fullmatch(scheduler):
            raise UserError(
                f"scheduler={shown(scheduler)}, expected 'local' or the address of a Dask scheduler, tcp://host:8786 "
                "or tls://host:8786"
            )
        return cls(scheduler, None if workers == AUTO else int(workers))

    @property
    def is_local(self) -> bool:
        """Whether this means processes of this machine."""
        return self.scheduler == LOCAL

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the scheduler.

        Raises:
            UserError: there is none.
        """
        match = _ADDRESS.fullmatch(self.scheduler)
        if match is None:
            raise UserError(f"scheduler={shown(self.scheduler)} has no address")
        return match[1].strip("[]"), int(match[2])
