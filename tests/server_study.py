"""A whole study as a user with secrets and an odd taste in names runs it, on a real tracking server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from subprocess import CompletedProcess
from urllib.parse import quote

from click.testing import Result
from mlflow import MlflowClient

from tests.conftest import mlflow_run, step_here
from tests.inventory import Inventory, inventory
from tests.servers import Server, has_postgres, mlflow_server, postgres
from tests.test_main import SMALL, copy_of_the_working_tree, git

EXPERIMENT = "Fear_Classification_Experiments"
SUBJECTS, EPOCHS = 4, 3
# What a shell, a format string, a command line, HTML and MLflow might each make something of.
RUN_NAME = """-it's "$(touch $PWNED)" `touch $PWNED`; touch $PWNED # {seed} %s <b>é</b>"""
STUDY_NAME = f"{RUN_NAME}: simulated, cnn, loso"  # of the driver's run
PARAMETERS = {**SMALL, "model": "cnn", "simulated_subjects": SUBJECTS, "epochs": EPOCHS, "run_name": RUN_NAME}
IN_URI, IN_GIT_URL, IN_PASSWORD, IN_KEY = (f"s3cret-{where}" for where in ("@uri", "git", "password", "key"))
SECRETS = (IN_URI, quote(IN_URI), IN_GIT_URL, IN_PASSWORD, IN_KEY)
_GIT_URL = f"https://fear:{IN_GIT_URL}@git.invalid/study.git"


@dataclass(frozen=True)
class ServerStudy:
    """The study, the server it is on, and the folder it was typed in."""

    server: Server
    folder: Path
    commit: str
    first: CompletedProcess[str]
    again: Result

    @property
    def client(self) -> MlflowClient:
        """Client of the server."""
        return MlflowClient(self.server.uri)

    @cached_property
    def stock(self) -> Inventory:
        """What the server holds."""
        return inventory(self.client, EXPERIMENT)

    @property
    def pwned(self) -> Path:
        """Exists when some part of a name was taken for a command."""
        return self.folder.parent / "pwned"


@contextmanager
def run_server_study(folder: Path) -> Iterator[ServerStudy]:
    """Run the study twice: the second time everything is there already.

    The server's backend is PostgreSQL where that is installed, and SQLite elsewhere. The project comes from a git
    repository whose URL holds a token, the tracking URI holds a password, the environment holds more.
    """
    clone, user = folder / "clone", folder / "user"
    user.mkdir()
    copy_of_the_working_tree(clone)
    commit = git("rev-parse", "HEAD", cwd=clone)
    environment = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{clone.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": _GIT_URL,
        "MLFLOW_TRACKING_USERNAME": "fear",
        "MLFLOW_TRACKING_PASSWORD": IN_PASSWORD,
        "AWS_SECRET_ACCESS_KEY": IN_KEY,
        "PWNED": str(folder / "pwned"),
    }
    with ExitStack() as stack:
        backend = stack.enter_context(postgres()).uri if has_postgres() else None
        server = stack.enter_context(mlflow_server(folder / "server", backend))
        uri = server.uri.replace("http://", f"http://fear:{quote(IN_URI)}@")
        first = mlflow_run(
            *("-v", commit), cwd=user, uri=_GIT_URL, tracking_uri=uri, environment=environment, **PARAMETERS
        )
        assert first.returncode == 0, first.stdout[-2000:] + first.stderr[-3000:]
        again = step_here("main", user, uri, environment, **PARAMETERS)
        assert again.exit_code == 0, again.stdout[-2000:] + again.stderr[-3000:]
        yield ServerStudy(server, user, commit, first, again)
