"""What tells one source from another: the names and bytes of its files."""

from __future__ import annotations

import hashlib


class Fingerprint:
    """SHA-256 over files, in the order in which they are added."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()

    def add(self, name: str, raw: bytes) -> None:
        """Add a file: its name below the source, and what it holds."""
        for part in (name.encode("utf-8", "surrogateescape"), raw):
            self._sha.update(len(part).to_bytes(8, "little"))
            self._sha.update(part)

    def hexdigest(self) -> str:
        """The fingerprint of what was added."""
        return self._sha.hexdigest()
