"""A real server, PostgreSQL and S3 store are saved, lost, and brought back; people go on where they were.

`python -m pytest -m slow tests/deploy` runs it; half a minute.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.conftest import ROOT, clean_environment, step_here
from tests.deployed import Account, Deployed, S3Store
from tests.inventory import differences, inventory
from tests.servers import Postgres, has_postgres, postgres_program

EXPERIMENT = "Fear_Classification_Experiments"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not (has_postgres() and shutil.which("pg_dump")), reason="PostgreSQL is not installed"),
]


class OfCompose(Postgres):
    """PostgreSQL with the account and the database that compose.yaml makes, which may do nothing else."""

    @property
    def uri(self) -> str:
        """The account's."""
        return f"postgresql+psycopg2://mlflow:{self.password}@127.0.0.1:{self.port}/mlflow"

    def start(self) -> None:
        """Make the cluster, and what roles.sql makes in it."""
        super().start()
        file = self.folder / "of-mlflow"
        file.write_text(self.password)
        subprocess.run(
            [
                *(postgres_program("psql") or "psql", "--no-psqlrc", "-q", "-v", "ON_ERROR_STOP=1"),
                *("-h", "127.0.0.1", "-p", str(self.port), "-U", self.USER, "-d", "postgres"),
                *("-f", str(ROOT / "deploy/database/roles.sql")),
            ],
            env=os.environ | {"PGPASSWORD": self.password, "DATABASE_PASSWORD_FILE": str(file)},
            check=True,
        )


@contextmanager
def machine(folder: Path) -> Iterator[Deployed]:
    """A machine with empty stores, whose server is not running yet."""
    folder.mkdir()
    with ExitStack() as stack:
        s3, database = S3Store(folder), OfCompose()
        stack.callback(s3.kill)
        s3.begin()
        stack.callback(database.remove)
        database.start()
        s3.make_bucket()
        server = Deployed(folder, database, s3)
        stack.callback(server.kill)
        yield server


def program(server: Deployed, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One of the programs beside a server, with what the server knows."""
    return subprocess.run(
        [sys.executable, "-m", f"deploy.{name}", *arguments],
        cwd=ROOT,
        env=clean_environment() | server._environment,
        capture_output=True,
        text=True,
    )


def record(server: Deployed, account: Account, folder: Path, subjects: int) -> None:
    done = step_here("prepare", folder, server.uri, account.environment, simulated_subjects=subjects)
    assert (done.exit_code, "degraded" in done.stderr) == (0, False), done.stderr


def test_a_server_that_was_lost_comes_back_as_it_was_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    ada, ben, user, backups = Account("ada"), Account("ben"), tmp_path / "user", str(tmp_path / "backups")
    for name, value in ada.environment.items():
        monkeypatch.setenv(name, value)
    user.mkdir()
    with machine(tmp_path / "first") as first:
        first.start()
        for account in (ada, ben):
            first.add_user(account)
        record(first, ada, user, 4)
        client = MlflowClient(first.uri)
        client.create_registered_model("fear-classifier")
        experiment = client.get_experiment_by_name(EXPERIMENT)
        first.grant(ada, ben, "experiment", experiment.experiment_id, "READ")
        before = inventory(client, EXPERIMENT)

        well = program(first, "health", "--free", "0.1")
        assert well.returncode == 0, well.stdout + well.stderr
        saved = program(first, "backup", "save", backups)  # while it runs
        assert saved.returncode == 0, saved.stderr
        assert program(first, "health", "--free", "0.1", "--backups", backups).returncode == 0

        under_it = program(first, "backup", "restore", backups, "--replace")
        assert under_it.returncode == 2
        assert "stop the server first" in under_it.stderr

        record(first, ada, user, 5)  # what the backup does not know
        assert len(inventory(client, EXPERIMENT).runs) == 2
        port = first.port

    with machine(tmp_path / "second") as second:
        second.port, second._environment["MLFLOW_PORT"] = port, str(port)  # under the first one's address
        ill = program(second, "health", "--free", "0.1")
        assert ill.returncode == 1
        assert [line.split(":")[0] for line in ill.stdout.splitlines()] == [
            *("failed  server", "failed  database", "ok      object store", "ok      disk")
        ]
        restored = program(second, "backup", "restore", backups)
        assert restored.returncode == 0, restored.stderr
        again = program(second, "backup", "restore", backups)
        assert (again.returncode, "something is there already" in again.stderr) == (2, True)
        over_it = program(second, "backup", "restore", backups, "--replace")
        assert over_it.returncode == 0, over_it.stderr

        second.start()
        client = MlflowClient(second.uri)
        assert differences(before, inventory(client, EXPERIMENT)) == []
        assert [model.name for model in client.search_registered_models()] == ["fear-classifier"]
        path, asked = "/api/2.0/mlflow/experiments", {"experiment_id": experiment.experiment_id}
        assert second.ask(ben, "GET", f"{path}/get", params=asked).status_code == 200
        renamed = {**asked, "new_name": "mine"}
        assert second.ask(ben, "POST", f"{path}/update", json=renamed).status_code == 403
        assert second.ask(Account("ben", "another password"), "GET", f"{path}/get", params=asked).status_code == 401
        assert second.ask(second.admin, "GET", f"{path}/get", params=asked).status_code == 401  # the second machine's
        assert second.ask(first.admin, "GET", f"{path}/get", params=asked).status_code == 200

        done = step_here("sync", user, second.uri, ada.environment)
        assert done.exit_code == 0, done.stderr
        assert "note: " in done.stderr
        after = inventory(client, EXPERIMENT)
        assert len(after.runs) == 2
        assert {json.dumps(sorted(run.files)) for run in after.runs.values()} == {
            json.dumps(sorted(run.files)) for run in before.runs.values()
        }
        print(saved.stdout, restored.stdout, done.stderr, done.stdout, well.stdout, ill.stdout, sep="\n")
