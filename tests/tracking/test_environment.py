"""What a result was computed with."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import pytest

from steps.tracking import environment


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


def test_packages_hold_no_paths_or_urls() -> None:
    packages = environment.installed_packages()
    assert packages["mlflow"] == "3.17.2"
    assert not any("/" in version for version in packages.values())
