"""What a result was computed with."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest
from mlflow import MlflowClient

from steps.tracking import environment, session


def test_code_hash_sees_every_uncommitted_change_under_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "steps" / "report").mkdir(parents=True)
    (tmp_path / "conda.yaml").write_text("a")
    (tmp_path / "steps" / "x.py").write_text("1")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    uncached = environment.code_hash.__wrapped__
    seen = [uncached()]
    for name, text in (("steps/x.py", "2"), ("conda.yaml", "b"), ("steps/report/page.html.j2", "<p>")):
        (tmp_path / name).write_text(text)
        seen.append(uncached())
    assert len(set(seen)) == 4
    (tmp_path / "steps" / "__pycache__").mkdir()
    (tmp_path / "steps" / "__pycache__" / "x.pyc").write_text("compiled")
    assert uncached() == seen[-1]


def test_tags_name_versions_machine_and_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tags = environment.environment_tags()
    assert tags["python"] == platform.python_version()
    assert tags["version.tensorflow"].startswith("2.21.")
    assert "cores" in tags["cpu"]
    assert all(len(value) < 5000 for value in tags.values())
    uncached = environment.environment_tags.__wrapped__
    repository = tmp_path / "clone"
    (repository / "steps").mkdir(parents=True)
    (repository / "conda.yaml").write_text("a")
    monkeypatch.setattr(environment, "ROOT", repository)
    assert "git_commit" not in uncached()
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    for command in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "all")):
        subprocess.run(["git", *identity, *command], cwd=repository, check=True, capture_output=True)
    clean = uncached()
    assert (len(clean["git_commit"]), clean["git_dirty"]) == (40, "false")
    (repository / "conda.yaml").write_text("b")
    assert uncached()["git_dirty"] == "true"


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of a project, which is the one that is asked."""
    repository = tmp_path / "clone"
    (repository / "steps").mkdir(parents=True)
    (repository / "conda.yaml").write_text("a")
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    for command in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "all")):
        subprocess.run(["git", *identity, *command], cwd=repository, check=True, capture_output=True)
    monkeypatch.setattr(environment, "ROOT", repository)
    return repository


def test_a_clone_of_somebody_else_is_trusted_as_its_code_is(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in containers: git itself refuses to say anything."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    if os.getuid() == 0:
        for path in (clone, *clone.rglob("*")):
            os.chown(path, 65534, 65534)
    else:
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    plain = subprocess.run(["git", "rev-parse", "HEAD"], cwd=clone, capture_output=True, text=True)
    assert "dubious ownership" in plain.stderr
    assert len(environment.environment_tags.__wrapped__()["git_commit"]) == 40
    assert environment.git_problem() == ""


def test_a_commit_that_cannot_be_told_is_said(
    clone: Path, store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (clone / ".git" / "HEAD").unlink()
    monkeypatch.setattr(session, "environment_tags", environment.environment_tags.__wrapped__)
    with session.step_run("prepare", {}) as run:
        pass
    assert "git_commit" not in MlflowClient().get_run(run.info.run_id).data.tags
    said = capsys.readouterr().err
    assert (
        said.count("warning: the commit is not recorded, only the digest of the code: git says 'fatal: not a git") == 1
    )
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(clone))
        assert environment.git_problem() == "git is not installed"
    shutil.rmtree(clone / ".git")
    assert environment.git_problem() == ""


def test_packages_hold_no_paths_or_urls() -> None:
    packages = environment.installed_packages()
    assert packages["mlflow"] == "3.17.2"
    assert not any("/" in version for version in packages.values())
