"""Where a tracking server may send us for artifacts: to itself, and to where the user allows.

A server names the place of every run's and model's artifacts, and MLflow's client writes and reads there with all that
its user may do. A server that is hostile or broken could so have files of this machine overwritten, or private ones
copied into the record. So every place that a server has named goes through here before anything is written or read.
"""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from mlflow.utils.file_utils import local_file_uri_to_path

from steps.tracking.store.tracking_uri import is_remote, show_uri

ALLOWED = "FEAR_ALLOWED_ARTIFACT_STORES"
_LOCAL = ("", "file")
_PORTS = {"http": 80, "https": 443}
_SHOWN = 200


class PlaceError(PermissionError):
    """A tracking server keeps artifacts where it may not send us."""


def checked(uri: str, tracking_uri: str) -> str:
    """The place, if the store may name it: a local store any, a server its own and those in ``ALLOWED``.

    Raises:
        PlaceError: it may not.
    """
    if not is_remote(tracking_uri) or may_name(uri, tracking_uri):
        return uri
    place = ascii(show_uri(uri)[:_SHOWN])[1:-1]
    mend = "start it with --serve-artifacts and without --default-artifact-root, and use a new experiment; or, "
    raise PlaceError(
        f"{show_uri(tracking_uri)} keeps artifacts in {place}, where a server cannot send us unasked: "
        f"{mend if urlsplit(tracking_uri).scheme in _PORTS else ''}if that is right, name the place in {ALLOWED}"
    )


def may_name(uri: str, server: str) -> bool:
    """Whether a server may send us to a place: to itself, or to what the user has allowed."""
    return _is_own(uri, server) or any(_is_within(uri, place) for place in _allowed())


def names_web_place() -> bool:
    """Whether the user has allowed a store that is spoken to over HTTP at addresses which a server signs."""
    return any(urlsplit(place).scheme in _PORTS for place in _allowed())


def _allowed() -> list[str]:
    return [place.strip() for place in os.environ.get(ALLOWED, "").split(",") if place.strip()]


def _is_own(uri: str, server: str) -> bool:
    """Whether the server itself hands out what is there."""
    place, own = urlsplit(uri), urlsplit(server)
    if own.scheme in _PORTS:
        if place.scheme == "mlflow-artifacts":
            return not place.netloc or _is_same_host(place._replace(scheme=own.scheme), own)
        return place.scheme == own.scheme and _is_same_host(place, own)
    if own.scheme == "databricks" or server == "databricks":
        return place.scheme == "dbfs"
    # Beside a database server, MLflow itself puts artifacts into a folder here.
    return _is_within(uri, str(Path.cwd() / "mlruns"))


def _is_same_host(one: SplitResult, other: SplitResult) -> bool:
    try:
        ports = [parts.port or _PORTS[parts.scheme] for parts in (one, other)]
    except ValueError:  # a port that is no number
        return False
    return one.hostname == other.hostname and ports[0] == ports[1] and "@" not in one.netloc


def _is_within(uri: str, place: str) -> bool:
    inner, outer = urlsplit(uri), urlsplit(place)
    if inner.scheme in _LOCAL and outer.scheme in _LOCAL:
        path, folder = (Path(local_file_uri_to_path(each)).resolve() for each in (uri, place))
        return path.is_relative_to(folder)
    if (inner.scheme, inner.netloc) != (outer.scheme, outer.netloc):
        return False
    path_in, path_of = (posixpath.normpath("/" + parts.path.lstrip("/")) for parts in (inner, outer))
    return path_of == "/" or path_in == path_of or path_in.startswith(f"{path_of}/")
