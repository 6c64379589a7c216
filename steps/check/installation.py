"""Is the installation what the project was tested with, and is the machine large enough?"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from steps.check.checklist import CheckError
from steps.commands import set_up
from steps.system.project import ROOT
from steps.tracking.environment import environment_tags, git_problem

_TRUST = f"install git; where it distrusts its owner, git config --global --add safe.directory {shlex.quote(str(ROOT))}"
GIB = 2**30
# The default study leaves 12 MB behind; models of cnn_wide are 30 times as large, and temporary files come on top.
_DISK_GIB = 1.0
# What a training process with TensorFlow takes at its peak on the default study, rounded up.
_PROCESS_GIB = 1.0
# Module names; those that most others depend on come first.
MODULES = (
    "numpy", "scipy", "pandas", "pyarrow", "sklearn", "matplotlib", "pydantic", "pandera", "jinja2", "rich", "psutil",
    "filelock", "mlflow", "tensorflow", "keras",
)  # fmt: skip
# Each name is printed before its import: the last one printed is the import that killed the process.
_IMPORTS = """
import importlib, json, sys
broken = {}
for name in sys.argv[1:]:
    print("import", name, flush=True)
    try:
        importlib.import_module(name)
    except BaseException as error:
        broken[name] = f"{type(error).__name__}: {error}".splitlines()[0]
gpus = []
if "tensorflow" in sys.modules and "tensorflow" not in broken:
    import tensorflow
    for device in tensorflow.config.list_physical_devices("GPU"):
        details = tensorflow.config.experimental.get_device_details(device)
        gpus.append(details.get("device_name", device.name))
print("result", json.dumps({"broken": broken, "gpus": gpus}), flush=True)
"""


def pinned_python(conda: str) -> tuple[int, int]:
    """The ``python=X.Y`` of ``conda.yaml``."""
    match = re.search(r"^\s*- python=(\d+)\.(\d+)", conda, re.MULTILINE)
    if not match:
        raise CheckError("conda.yaml pins no Python", "restore conda.yaml, or write it again: make lock")
    return int(match[1]), int(match[2])


def use_the_environment() -> str:
    """How to get the packages that the project needs."""
    listed = shlex.quote(str(ROOT / "requirements-dev.txt"))
    return f"use the project's environment: {set_up()}, or, in a fresh one, pip install -r {listed}"


def pins(conda: str) -> dict[str, str]:
    """Distribution -> version, as ``conda.yaml`` pins them; read without YAML, whose package may be missing."""
    return dict(re.findall(r"^\s*- ([A-Za-z0-9_.\-]+)==(\S+)", conda, re.MULTILINE))


def check_python(conda: str, version: tuple[int, ...] = sys.version_info[:3]) -> str:
    """The interpreter's version, when it is the pinned one."""
    wanted = pinned_python(conda)
    text = ".".join(str(part) for part in version)
    if tuple(version[:2]) != wanted:
        raise CheckError(f"Python {text}, expected {wanted[0]}.{wanted[1]}", use_the_environment())
    return f"{text}, {sys.executable}"


def check_packages(conda: str, version: Callable[[str], str] = importlib.metadata.version) -> str:
    """How many packages are there, when all of them are, at the pinned versions."""
    pinned = pins(conda)
    wrong = []
    for name, wanted in pinned.items():
        try:
            installed = version(name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{name} is missing (pinned {wanted})")
            continue
        if installed != wanted:
            wrong.append(f"{name} is {installed} (pinned {wanted})")
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise CheckError(f"{', '.join(wrong[:3])}{more}, of {len(pinned)} pins", use_the_environment())
    return f"all {len(pinned)} at the versions of conda.yaml"


def check_code() -> str:
    """How a study will identify its code: by its commit, or by its hash where this is no clone.

    Raises:
        CheckError: it is a clone, and git does not tell its commit.
    """
    if problem := git_problem():
        raise CheckError(f"the commit cannot be recorded: {problem}", _TRUST)
    tags = environment_tags()
    if "git_commit" not in tags:
        return f"no clone; known by its digest {tags['code_sha256'][:12]}…"
    return f"commit {tags['git_commit'][:12]}, {'with changes' if tags['git_dirty'] == 'true' else 'unchanged'}"


class Imports:
    """Imports the project's libraries in a separate process, because one built for another processor kills it."""

    def __init__(self, modules: tuple[str, ...] = MODULES) -> None:
        """Start the process; it works while other checks run."""
        self._modules = modules
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _IMPORTS, *modules],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self.gpus: list[str] = []

    def done(self, seconds: float) -> bool:
        """Whether the process ends within ``seconds``."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def check(self) -> str:
        """How many modules were imported, when all could be."""
        output, _ = self._process.communicate()
        lines = output.splitlines()
        result = next((line.removeprefix("result ") for line in lines if line.startswith("result ")), None)
        if result is None:
            last = next((line.removeprefix("import ") for line in reversed(lines)), "the first module")
            raise CheckError(
                f"importing {last} ended the process ({_end(self._process.returncode)})",
                "the package does not fit this processor or system libraries; " + use_the_environment(),
            )
        imported = json.loads(result)
        self.gpus = imported["gpus"]
        if broken := imported["broken"]:
            name, reason = next(iter(broken.items()))
            more = f", and {len(broken) - 1} more" if len(broken) > 1 else ""
            raise CheckError(f"{name}: {reason}{more}", use_the_environment())
        return f"{', '.join(self._modules)}"

    def stop(self) -> None:
        """End the process if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


def _end(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit status {status}"


def check_disk(folder: Path, free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free) -> str:
    """Free space in ``folder``, when it is enough for a study."""
    free_gib = free(folder) / GIB
    if free_gib < _DISK_GIB:
        raise CheckError(
            f"{free_gib:.2f} GiB free in {folder}, expected at least {_DISK_GIB:g}",
            "free some space, or work in a folder on another disk",
        )
    return f"{free_gib:.1f} GiB free in {folder}"


def check_memory(available: float, cores: int) -> str:
    """Memory and cores, when one training process fits.

    Args:
        available: bytes that can be used without swapping.
        cores: cores this process may use.
    """
    available_gib = available / GIB
    text = f"{available_gib:.1f} GiB available, {cores} core{'s' if cores > 1 else ''}"
    if available_gib < _PROCESS_GIB:
        raise CheckError(
            f"{text}; a training process needs up to {_PROCESS_GIB:g} GiB", "close other programs, or add memory"
        )
    if available_gib < _PROCESS_GIB * cores:
        return f"{text}; train with -P workers={max(1, int(available_gib / _PROCESS_GIB))}"
    return text


def gpus_text(gpus: list[str], environment: Mapping[str, str] = os.environ, driver: bool | None = None) -> str:
    """Which GPUs TensorFlow sees; none is fine, training runs on the CPU.

    Args:
        gpus: names, as TensorFlow says them.
        environment: of this process.
        driver: whether NVIDIA's driver is installed; looked up when None.
    """
    if gpus:
        return f"seen: {', '.join(gpus)}"
    if environment.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1"):
        return "none, hidden by CUDA_VISIBLE_DEVICES; not needed"
    if shutil.which("nvidia-smi") is not None if driver is None else driver:
        return "none seen, though NVIDIA's driver is there: pip install 'tensorflow[and-cuda]'; not needed"
    return "none seen; not needed, training runs on the CPU"
