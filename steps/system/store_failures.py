"""Why a store elsewhere (S3, Google's, Azure's, a web server) fails, in a few words, whichever library says it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from steps.errors import one_line
from steps.system.signatures import without_signatures

NOT_THERE: Final = "there is no such file or folder"
_SHOWN: Final = 300
_NO_CREDENTIALS: Final = {
    *("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError", "RefreshError"),
    *("ClientAuthenticationError", "CredentialUnavailableError"),
}
_AWAY: Final = {
    *("EndpointConnectionError", "ConnectionClosedError", "ClientConnectorError", "gaierror", "ConnectionRefusedError"),
    *("ServiceRequestError", "NewConnectionError"),
}
_LATE: Final = {"TimeoutError", "ReadTimeoutError", "ConnectTimeoutError"}
_DAMAGED: Final = {"FlexibleChecksumError", "DataCorruption"}
_BROKEN: Final = {
    *("ClientPayloadError", "IncompleteReadError", "ServerDisconnectedError", "ConnectionResetError"),
    "ResponseStreamingError",
}


def why(error: BaseException, seconds: float | None = None) -> str:
    """What went wrong and what to do about it, one line, without what may be a token.

    Args:
        error: what a library raised.
        seconds: after how long one without an answer is given up, if that is known.
    """
    chain = list(_chain(error))
    kinds = {kind.__name__ for link in chain for kind in type(link).__mro__}
    statuses = {status for link in chain for status in _statuses(link)}
    if kinds & _NO_CREDENTIALS:
        return "there are no credentials for this store; docs/prepare.md says where it looks for them"
    if "PermissionError" in kinds or statuses & {401, 403}:
        return "access was denied; look at the credentials for this store, and at what they may do there"
    if kinds & _DAMAGED:
        return "a file came damaged, its checksum is not what the store says; run this again"
    if kinds & _AWAY:
        return "the store cannot be reached; look at the address and at the network"
    if kinds & _LATE:
        after = f" within {seconds:g} s" if seconds else ""
        return f"no answer{after}; look at the address and at the network, or run this again"
    if kinds & _BROKEN:
        return "the connection broke off in the middle; run this again"
    if ("FileNotFoundError" in kinds and not statuses - {404}) or statuses == {404}:
        return NOT_THERE
    if statuses:
        return f"the store answered {min(statuses)}; look at the address, or run this again"
    return without_signatures(one_line(f"{type(error).__name__}: {error}", _SHOWN))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and step not in seen:
        seen.append(step)
        yield step
        step = step.__cause__ or step.__context__


def _statuses(error: BaseException) -> Iterator[int]:
    """HTTP statuses that an exception holds, as aiohttp, Azure's, Google's and Amazon's libraries have them."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        found: Any = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        names = (
            name for name in ("status", "status_code", "code") if hasattr(type(error), name) or name in vars(error)
        )
        found = getattr(error, next(names, ""), None)
    if isinstance(found, int) and 400 <= found < 600:
        yield int(found)
