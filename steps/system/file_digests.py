"""SHA-256 of a file, and of a folder: of what ``sha256sum`` prints of its files, in the byte order of their names."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_BLOCK: Final = 1 << 20


def digest_of_path(path: Path) -> str:
    """Of a file, or of a folder.

    Raises:
        OSError: it cannot be read.
    """
    if not path.is_dir():
        return digest_of_file(path)
    files = [one for one in path.rglob("*") if one.is_file()]
    return digest_of_list({one.relative_to(path).as_posix(): digest_of_file(one) for one in files})


def digest_of_list(hashes: Mapping[str, str]) -> str:
    """Of a folder, from the SHA-256 of its files by their names below it."""
    lines = [f"{hashes[name]}  {name}\n".encode("utf-8", "surrogateescape") for name in sorted(hashes, key=os.fsencode)]
    return hashlib.sha256(b"".join(lines)).hexdigest()


def digest_of_file(path: Path, kind: str = "sha256") -> str:
    """Of a file, in hexadecimal digits; ``kind`` is ``sha256`` or ``md5``."""
    made = hashlib.new(kind, usedforsecurity=kind == "sha256")
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            made.update(block)
    return made.hexdigest()
