"""What came of copying a spool to its server."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

_NAMED = 3


@dataclass
class SyncResult:
    """What a pass from a spool to its server did.

    Attributes:
        waiting: runs and registered versions that the server did not have as they are in the spool.
        runs: runs that were new or had changed.
        models: models that were copied.
        versions: registered versions that were made.
        duplicates: copies removed, because an answer was lost and a request was carried out twice.
        refused: what the server did not take or the spool lacks, with the reason.
        notes: what has changed on the server, a line each.
    """

    waiting: int = 0
    runs: int = 0
    models: int = 0
    versions: int = 0
    duplicates: int = 0
    refused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def sentence(self, server: str, left: int) -> str:
        """What was done, in one line.

        Args:
            server: its address, fit for printing.
            left: runs that could not be copied.
        """
        return (
            f"{server}: {self.runs} of {self.waiting} runs, {self.models} models and {self.versions} registered "
            f"versions copied and checked; {self.duplicates} duplicates removed; {left} runs left"
        )

    def reasons(self) -> list[str]:
        """What was refused, one line for each reason."""
        what = defaultdict(list)
        for line in self.refused:
            name, _, reason = line.partition(": ")
            what[reason].append(name)
        more = {reason: f" and {len(names) - _NAMED} more" * (len(names) > _NAMED) for reason, names in what.items()}
        return [f"{', '.join(names[:_NAMED])}{more[reason]}: {reason}" for reason, names in what.items()]
