"""A whole study as a user with secrets and an odd taste in names runs it, on the deployed stack."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from subprocess import CompletedProcess
from urllib.parse import quote

import pytest
from click.testing import Result
from mlflow import MlflowClient

from tests.conftest import mlflow_run, step_here
from tests.deployed import Account, Deployed, deployed
from tests.inventory import Inventory, inventory
from tests.test_main import SMALL, copy_of_the_working_tree, git

EXPERIMENT = "Fear_Classification_Experiments"
SUBJECTS, EPOCHS = 4, 3
# What a shell, a format string, a command line, HTML and MLflow might each make something of.
RUN_NAME = """-it's "$(touch $PWNED)" `touch $PWNED`; touch $PWNED # {seed} %s <b>é</b>"""
STUDY_NAME = f"{RUN_NAME}: simulated, cnn, loso"  # of the driver's run
PARAMETERS = {**SMALL, "model": "cnn", "simulated_subjects": SUBJECTS, "epochs": EPOCHS, "run_name": RUN_NAME}
IN_GIT_URL, IN_KEY = "s3cret-git", "s3cret-key"
_GIT_URL = f"https://fear:{IN_GIT_URL}@git.invalid/study.git"


@dataclass(frozen=True)
class ServerStudy:
    """The study, the server it is on, whose it is, and the folder it was typed in."""

    server: Deployed
    owner: Account
    folder: Path
    commit: str
    first: CompletedProcess[str]
    again: Result

    @cached_property
    def stock(self) -> Inventory:
        """What the server holds: all of it, so an admin asks."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.server.admin.environment.items():
                patch.setenv(name, value)
            return inventory(MlflowClient(self.server.uri), EXPERIMENT)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What may be written nowhere, shown nowhere."""
        password = self.owner.password
        return (password, quote(password), quote(password, safe=""), IN_GIT_URL, IN_KEY, *self.server.secrets)

    @property
    def pwned(self) -> Path:
        """Exists when some part of a name was taken for a command."""
        return self.folder.parent / "pwned"


@contextmanager
def run_server_study(folder: Path) -> Iterator[ServerStudy]:
    """Run the study twice: the second time everything is there already.

    The server asks who everybody is (`tests.deployed`). The project comes from a git repository whose URL holds a
    token, the tracking URI holds a password, the environment holds more.
    """
    clone, user = folder / "clone", folder / "user"
    user.mkdir()
    copy_of_the_working_tree(clone)
    commit = git("rev-parse", "HEAD", cwd=clone)
    owner = Account("fear")
    environment = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{clone.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": _GIT_URL,
        **owner.environment,
        "AWS_SECRET_ACCESS_KEY": IN_KEY,
        "PWNED": str(folder / "pwned"),
    }
    with deployed(folder / "server") as server:
        server.add_user(owner)
        server.grant(server.admin, owner, "experiment", "0", "EDIT")  # where `mlflow run` without a name begins
        uri = owner.uri(server.uri)
        first = mlflow_run(
            *("-v", commit), cwd=user, uri=_GIT_URL, tracking_uri=uri, environment=environment, **PARAMETERS
        )
        assert first.returncode == 0, first.stdout[-2000:] + first.stderr[-3000:]
        again = step_here("main", user, uri, environment, **PARAMETERS)
        assert again.exit_code == 0, again.stdout[-2000:] + again.stderr[-3000:]
        study = ServerStudy(server, owner, user, commit, first, again)
        assert study.stock.runs  # before anything else is done at the server
        yield study
