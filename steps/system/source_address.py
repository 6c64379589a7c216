"""What a source's address says: which store, which file or folder there, and the digest that is expected of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from steps.errors import UserError, shown

# Scheme -> what has to be installed beside fsspec. Wrappers of other stores are not among them.
SCHEMES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("az", "abfs", "abfss"), "adlfs"),
    **dict.fromkeys(("http", "https"), "aiohttp"),
    **dict.fromkeys(("sftp", "ssh"), "paramiko"),
    "ftp": "",
    "smb": "smbprotocol",
    "webhdfs": "",
    "hdfs": "",
    **dict.fromkeys(("webdav", "dav"), "webdav4[fsspec]"),
    "hf": "huggingface_hub",
    "oss": "ossfs",
    "oci": "ocifs",
    "memory": "",
}
DIGEST: Final = "#sha256="
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def is_address(source: str) -> bool:
    """Whether a source lies in a store that it can be fetched from."""
    return scheme_of(source) in SCHEMES


def scheme_of(source: str) -> str:
    """``s3`` of ``s3://…``; empty for a path."""
    return found[1].lower() if (found := _SCHEME.match(source)) else ""


def split_digest(source: str, called: str = "source") -> tuple[str, str]:
    """A source without ``#sha256=…`` at its end, and that digest in small letters; "" where there is none.

    Args:
        source: as the user gave it.
        called: what the message calls it.

    Raises:
        UserError: what follows is no SHA-256.
    """
    named, mark, digest = source.partition(DIGEST)
    if mark and not _SHA256.fullmatch(digest.lower()):
        raise UserError(f"{called} ends in {DIGEST}{shown(digest)[1:-1]}, expected 64 digits 0-9, a-f after {DIGEST}")
    return named, digest.lower()
