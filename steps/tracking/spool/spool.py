"""The spool: where a study is recorded when its tracking store is a server.

A server can be slow, full or gone, and none of that may cost an experiment. So a step never writes to a server
itself. It writes to a spool, a genuine MLflow store in SQLite beside the user's files, and `replicator`
copies what is there to the server as it goes. Whatever could not be copied stays in the spool, also after a
``kill -9``, until ``sync`` copies it. Local stores need none of this and are written to directly.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import click
import mlflow
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from pydantic import BaseModel, ValidationError

from steps.errors import UserError
from steps.system.environment_variables import environment_variables
from steps.system.private_files import private_file, private_folder, write_private
from steps.system.sqlite_store import trouble
from steps.tracking.store import mend
from steps.tracking.store.opening import making
from steps.tracking.store.punctual import bounded_patience, punctual_client
from steps.tracking.store.tracking_uri import TARGET, TRACKING_URI, is_remote, show_uri, usable, without_credentials

FOLDER = ".fear-spool"
DESCRIPTION = "spool.json"


class _Description(BaseModel):
    """``spool.json``."""

    tracking_uri: str


@dataclass(frozen=True)
class Spool:
    """A spool and the server it is for.

    Attributes:
        target: URI of the server, perhaps with a password: for MLflow, never for printing or keeping.
        folder: where the spool lies.
        carried: of finished studies that only pass through: where texts of theirs say that artifacts are, though they
            have been moved -> where they are. None of a spool that steps record to.
    """

    target: str = field(repr=False)
    folder: Path
    carried: Mapping[str, str] | None = field(default=None, repr=False, compare=False)

    @property
    def uri(self) -> str:
        """The spool as a tracking URI."""
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    @property
    def lock(self) -> FileLock:
        """Held by the one process that copies to the server."""
        return FileLock(self.folder / "copying.lock")

    def client(self) -> MlflowClient:
        """Client of the spool."""
        return MlflowClient(self.uri, self.uri)

    def target_client(self) -> MlflowClient:
        """Client of the server; its calls end in time (`steps.tracking.store.punctual`)."""
        return punctual_client(self.target)

    def experiment(self, name: str, tags: dict[str, str] | None = None) -> str:
        """ID of the spool's experiment of that name, made when missing; its artifacts lie in the spool."""
        client = self.client()
        if experiment := client.get_experiment_by_name(name):
            return str(experiment.experiment_id)
        place = self.folder / "artifacts" / hashlib.sha256(name.encode()).hexdigest()[:10]
        try:
            return str(client.create_experiment(name, artifact_location=place.as_uri(), tags=tags))
        except MlflowException:  # another process was faster
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                raise
            return str(experiment.experiment_id)


def open_spool(target: str, base: Path) -> Spool:
    """The spool under ``base`` for a server, made when missing; its owner alone may read it.

    It is the same one whatever the password, and no password is written down.
    """
    address = without_credentials(target)
    known = _known(address, base)
    folder = known or base.resolve() / FOLDER / _name_of(address)
    try:
        private_folder(folder)
        for ours in (folder.parent, folder):
            ours.chmod(0o700)  # also for a spool that an earlier version made
        if not known:
            write_private(folder / DESCRIPTION, _description(address))
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written: {error.strerror}; what is recorded for {address} is kept there first, so "
            "type the command in a folder that can be written"
        ) from error
    spool = Spool(target, folder)
    _open(spool)
    private_file(folder / "mlflow.db")
    with making(spool.uri):
        spool.client().search_experiments(max_results=1)
    return spool


def spools(base: Path) -> list[Spool]:
    """The spools under ``base``, for their servers as anybody may see them: credentials have to come from elsewhere."""
    descriptions = sorted((base.resolve() / FOLDER).glob(f"*/{DESCRIPTION}"))
    spools = [Spool(_address_in(path), path.parent) for path in descriptions]
    for spool in spools:
        _open(spool)
    return spools


def remove(spool: Spool) -> None:
    """Remove a spool with all that is in it."""
    (spool.folder / DESCRIPTION).unlink()  # a spool that is half removed is none
    shutil.rmtree(spool.folder)


def _open(spool: Spool) -> None:
    """See that a spool's database can be used, wherever its folder has been.

    Raises:
        UserError: it cannot.
    """
    database = spool.folder / "mlflow.db"
    if problem := trouble(database):
        raise UserError(f"cannot open the spool for {show_uri(spool.target)}: {problem[0]}; {problem[1]}")
    for line in mend.mend_spool(database):
        click.echo(f"the spool was moved or copied: {line}", err=True)


def _known(address: str, base: Path) -> Path | None:
    """The folder of the spool for a server; None where there is none yet. Other spools may be damaged."""
    own = base.resolve() / FOLDER / _name_of(address) / DESCRIPTION
    others = sorted((base.resolve() / FOLDER).glob(f"*/{DESCRIPTION}"))
    for path in [own] * own.exists() + others:
        with suppress(UserError):
            if _address_in(path) == address:
                return path.parent
    return None


def _name_of(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()[:12]


def _description(address: str) -> bytes:
    return (json.dumps({"tracking_uri": address}) + "\n").encode()


def _address_in(path: Path) -> str:
    """The server's address in a spool's description; a password that an earlier version left there is taken out.

    Where the description is damaged, the server given now is meant if the spool is its own.

    Raises:
        UserError: it is not.
    """
    try:
        written = _Description.model_validate_json(path.read_bytes()).tracking_uri
    except (ValidationError, OSError) as error:
        given = without_credentials(os.environ.get(TRACKING_URI, ""))
        if is_remote(given) and _name_of(given) == path.parent.name:
            write_private(path, _description(given))
            return given
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        raise UserError(
            f"{path} is damaged: {reason}; it says which server the runs beside it are for. Set MLFLOW_TRACKING_URI to "
            "that server and give the same command again"
        ) from error
    if (address := without_credentials(written)) != written:
        write_private(path, _description(address))
    return address


def current() -> Spool | None:
    """The spool this process, or the driver that started it, records to; None when it writes to its store directly."""
    target, uri = os.environ.get(TARGET), os.environ.get(TRACKING_URI, "")
    if not target or not uri.startswith("sqlite:///"):
        return None
    return Spool(target, Path(uri.removeprefix("sqlite:///")).parent)


@contextmanager
def redirected(base: Path) -> Iterator[Spool | None]:
    """Record to a spool inside the block if the tracking store is a server; yields the spool this process opened.

    Children inherit it through the environment. Inside a child, and for a local store, nothing changes and None is
    yielded.

    Raises:
        UserError: the tracking URI cannot be used.
    """
    uri = mlflow.get_tracking_uri()
    if not is_remote(uri):
        yield None
        return
    spool = open_spool(usable(uri), base)
    chosen_by_script = False
    try:
        with environment_variables({TRACKING_URI: spool.uri, TARGET: uri}), bounded_patience():
            # A script that chose its server with set_tracking_uri would go on talking to it.
            chosen_by_script = mlflow.get_tracking_uri() == uri
            if chosen_by_script:
                mlflow.set_tracking_uri(spool.uri)
            yield spool
    finally:
        if chosen_by_script:
            mlflow.set_tracking_uri(uri)
