"""What a result was computed with: code, interpreter, packages, machine. Nothing secret, nothing personal."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from email.parser import HeaderParser
from functools import cache
from pathlib import Path

from steps.system.project import ROOT
from steps.tracking.store.tracking_uri import without_credentials_in

_PACKAGES = ("mlflow", "tensorflow", "keras", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy")


@cache
def code_hash() -> str:
    """SHA-256 over ``steps/`` and ``conda.yaml``: sees uncommitted changes, and needs no git."""
    sha = hashlib.sha256()
    files = (path for path in (ROOT / "steps").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    for path in [*sorted(files), ROOT / "conda.yaml"]:
        content = path.read_bytes()
        sha.update(f"{path.relative_to(ROOT).as_posix()}\x1f{len(content)}\x1f".encode() + content)
    return sha.hexdigest()


@cache
def environment_tags() -> dict[str, str]:
    """Tags to filter runs by: ``git_commit``, ``git_dirty``, ``code_sha256``, ``python``, ``os``, ``cpu``, ``gpu``, ...

    Outside a git checkout the two git tags are absent; ``code_sha256`` identifies the code all the same.
    """
    tags = {
        "code_sha256": code_hash(),
        "python": platform.python_version(),
        **machine_tags(),
        **{f"version.{name}": importlib.metadata.version(name) for name in _PACKAGES},
    }
    # On a cluster's worker the code lies in a scratch folder, which may lie within any repository.
    if (ROOT / ".git").exists() and (commit := git("rev-parse", "HEAD")):
        changed = git("status", "--porcelain", "--", "steps", "MLproject", "conda.yaml")
        tags |= {"git_commit": commit, "git_dirty": str(bool(changed)).lower()}
    return tags


@cache
def machine_tags() -> dict[str, str]:
    """What differs between the machines of a cluster: ``os``, ``cpu``, ``gpu``."""
    return {
        "os": f"{platform.system()} {platform.release()}",
        "cpu": f"{_processor()}, {os.cpu_count()} cores",
        "gpu": _gpus(),
    }


@cache
def environment_hash() -> str:
    """SHA-256 over the interpreter's version and the versions of what computes."""
    versions = [platform.python_version(), *(f"{name}=={importlib.metadata.version(name)}" for name in _PACKAGES)]
    return hashlib.sha256(" ".join(versions).encode()).hexdigest()


def installed_packages() -> dict[str, str]:
    """Name and version of every installed distribution, sorted by name."""
    packages = dict(_name_and_version(distribution) for distribution in importlib.metadata.distributions())
    return dict(
        sorted(((name, version) for name, version in packages.items() if name), key=lambda item: item[0].lower())
    )


def _name_and_version(distribution: importlib.metadata.Distribution) -> tuple[str, str]:
    """From the headers alone: parsing every package's long description takes a second on a slow machine."""
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    headers = HeaderParser().parsestr(text.partition("\n\n")[0])
    return headers.get("Name", ""), headers.get("Version", "")


def repository(tags: Mapping[str, str]) -> str:
    """A URL the code of a run was fetched from, without credentials; empty for a folder, which means nothing to others.

    Args:
        tags: of the run.
    """
    urls = (tags[name] for name in ("mlflow.source.git.repoURL", "mlflow.gitRepoURL") if tags.get(name))
    return next((without_credentials_in(url) for url in urls if not url.startswith(("file:", "/", "."))), "")


def git(*arguments: str) -> str | None:
    """What git says about this project's clone; None where it fails."""
    try:
        done = _run_git(*arguments)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def git_problem() -> str:
    """Why the commit of a clone cannot be told, in one line; empty where it can be, and where this is no clone."""
    if not (ROOT / ".git").exists():
        return ""
    try:
        done = _run_git("rev-parse", "HEAD")
    except FileNotFoundError:
        return "git is not installed"
    except (OSError, subprocess.TimeoutExpired) as error:
        return " ".join(str(error).split())
    return "" if done.returncode == 0 else f"git says {' '.join(done.stderr.split())[:200]!r}"


def _run_git(*arguments: str) -> subprocess.CompletedProcess[str]:
    # In a container the clone often belongs to somebody else, and git refuses it, as its owner might have set a trap.
    # This code comes from the same folder.
    trusted = ("-c", f"safe.directory={ROOT.resolve()}", "-c", "core.fsmonitor=false")
    command = ["git", *trusted, *arguments]
    return subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=10)


def _gpus() -> str:
    """Names of NVIDIA's GPUs, as their driver lists them; asking TensorFlow would take seconds."""
    listed = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    models = [re.search(r"^Model:\s*(.+)$", path.read_text(encoding="utf-8"), re.MULTILINE) for path in listed]
    return ", ".join(model[1].strip() for model in models if model) or "none"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
