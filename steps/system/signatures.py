"""Signed addresses of stores: until one expires, whoever reads it may do what it was signed for, so it is a secret.

A client of MLflow is given such addresses (`steps.tracking.store.signed`), and libraries print them when they fail.
"""

from __future__ import annotations

import logging
import re
from typing import Final

# Of S3 (version 4, version 2), of Google's and of Azure's stores; also where they are part of another address.
_SIGNED: Final = re.compile(
    r"((?:[?&]|%3f|%26)(?:x-(?:amz|goog)-(?:signature|credential|security-token)|awsaccesskeyid|googleaccessid|"
    r"signature|sig)(?:=|%3d))[^&\s'\"<>)]+",
    re.IGNORECASE,
)
_RAISED_AS_WELL: Final = "Failed to upload file"
# Of those who ask for signed addresses: they print them whole, as a warning, when the store does not answer.
LOGGERS: Final = (
    "mlflow.store.artifact.http_artifact_repo",
    "mlflow.store.artifact.mlflow_artifacts_repo",
    "urllib3.connectionpool",
)


def without_signatures(text: str) -> str:
    """A text in which no signed address can be used."""
    return _SIGNED.sub(r"\1***", text)


class Unsigned(logging.Filter):
    """`without_signatures` for what a library logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep every message, without signatures, but for those about exceptions that are raised as well."""
        said = record.getMessage()
        if said.startswith(_RAISED_AS_WELL):
            return False
        if (kept := without_signatures(said)) != said:
            record.msg, record.args = kept, ()
            record.exc_info = record.exc_text = None
        return True


_UNSIGNED: Final = Unsigned()


def log_no_signatures() -> None:
    """From now on libraries of this process log no signature; doing it again changes nothing."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_UNSIGNED)
