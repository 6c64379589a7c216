"""Commands that we print can be pasted, whichever way the user called us."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from steps import commands
from steps.system.interpreter import this_python
from steps.tracking.children import run_step
from steps.tracking.session import step_run
from steps.tracking.spool.replicator import Backlog, degraded
from steps.tracking.spool.spool import Spool
from tests.conftest import ROOT, clean_environment, mlflow_run

PROJECT = {"mlflow.source.type": "PROJECT", "mlflow.source.name": "git@host:clone.git"}


needs_a_lasting_checkout = pytest.mark.skipif(
    commands.is_temporary(ROOT), reason="this checkout lies where MLflow's clones for one run do"
)


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("FEAR_CALLED", "MLFLOW_RUN_ID"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


def test_the_short_way_is_spelled_for_this_interpreter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert commands.command("train") == f"cd {ROOT} && python -m steps.train --cwd {tmp_path}"
    monkeypatch.chdir(ROOT)
    assert commands.command("sync", prune=True) == "python -m steps.sync --prune true"
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert commands.command("sync") == f"{sys.executable} -m steps.sync"
    assert commands.command("train", experiment="my own") == (
        f"MLFLOW_EXPERIMENT_NAME='my own' {sys.executable} -m steps.train"
    )


@needs_a_lasting_checkout
@pytest.mark.parametrize("manager", ["uv", "virtualenv", "conda", "local"])
def test_mlflow_run_is_spelled_with_its_environment_manager(monkeypatch: pytest.MonkeyPatch, manager: str) -> None:
    monkeypatch.chdir(ROOT)
    commands.remember(PROJECT | ({} if manager == "local" else {"mlflow.project.env": manager}))
    assert commands.command("train", epochs=3) == f"mlflow run . --env-manager {manager} -e train -P epochs=3"
    assert commands.command("train", experiment="a b").endswith("-e train --experiment-name 'a b'")
    commands.remember(None)  # a child inherits it
    assert commands.called().env_manager == manager


@needs_a_lasting_checkout
def test_a_clone_elsewhere_is_named_and_one_that_will_be_gone_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commands.remember(PROJECT)
    assert commands.command("sync", folder=tmp_path / "a b") == (
        f"cd '{tmp_path}/a b' && mlflow run {ROOT} --env-manager local -e sync"
    )
    monkeypatch.delenv("FEAR_CALLED")
    assert not commands.is_temporary(tmp_path / "my clone")
    monkeypatch.setattr(commands, "ROOT", tmp_path / "tmpabc_0123")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    url = "https://example.org/project.git#folder"
    commands.remember(
        {**PROJECT, "mlflow.source.name": url, "mlflow.source.git.commit": "abc", "mlflow.project.env": "uv"}
    )
    assert commands.command("sync") == f"mlflow run '{url}' -v abc --env-manager uv -e sync"


def test_values_are_quoted_for_the_shell() -> None:
    nasty = 'it\'s "$(touch x)"; `y` \\ *'
    for tags in (None, PROJECT):
        commands.remember(tags)
        words = shlex.split(commands.command("predict", folder=Path("/a b"), source=nasty).partition(" && ")[2])
        assert {nasty, f"source={nasty}"} & set(words)
        os.environ.pop("FEAR_CALLED")


def test_what_degraded_says_can_be_pasted(tmp_path: Path) -> None:
    folder = tmp_path / "it's mine"
    folder.mkdir()
    said = degraded(Spool("http://127.0.0.1:9", folder), Backlog(1, "gone"), folder)
    line = next(line for line in said.splitlines() if "steps.sync" in line)
    elsewhere = {"cwd": tmp_path, "env": clean_environment(), "capture_output": True, "text": True, "check": False}
    done = subprocess.run(["sh", "-c", line], **elsewhere)  # type: ignore[call-overload]
    assert (done.returncode, done.stdout) == (
        0,
        f"nothing to do: no study in {folder} was recorded for a tracking server\n",
    )


@pytest.mark.slow
@needs_a_lasting_checkout
def test_a_step_that_fails_says_what_can_be_pasted(tmp_path: Path, empty_store: Path) -> None:
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    failed = mlflow_run("-e", "train", "--experiment-name", "my own", cwd=tmp_path)
    assert f"first run: mlflow run {ROOT} --env-manager local -e prepare --experiment-name 'my own'\n" in failed.stderr


@pytest.fixture
def other_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, first on the path, with a python that is not ours."""
    folder = tmp_path / "other"
    folder.mkdir()
    for name in ("python", "python3"):
        (folder / name).write_text("#!/bin/sh\necho the other python >&2\nexit 3\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def test_steps_of_the_driver_run_in_its_interpreter(store: Path, other_python: Path) -> None:
    path = f"{other_python}{os.pathsep}{os.environ['PATH']}"
    os.environ["PATH"] = path
    with step_run("main", {}) as run:
        small = {"simulated_subjects": 4, "simulated_controls": 0, "simulated_features": 1, "timesteps": 5}
        run_step("prepare", {"source": "simulated", **small}, run)
    assert os.environ["PATH"] == path


@pytest.mark.parametrize("name", ["python3.11", "python"])
def test_python_is_this_interpreter_whatever_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other_python: Path, name: str
) -> None:
    if name != "python":  # beside an interpreter of that name lies another one called python
        own = other_python / name
        own.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        own.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(own))
    ask = ["python", "-c", "import sys; print(sys.prefix)"]
    with this_python():
        assert subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip() == sys.prefix
    assert subprocess.run(ask, capture_output=True, text=True, check=False).returncode == 3
