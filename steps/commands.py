"""Commands that we print, ready to be pasted: they name the project, programs and environment manager of this call."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from steps.system.project import ROOT
from steps.system.scratch import common_folder

# Tells a child of a driver how the user called the driver.
_CALLED = "FEAR_CALLED"
# What `mlflow run` says about itself: in the environment of what it starts, and in the tags of the run it makes.
_RUN_ID = "MLFLOW_RUN_ID"
_TYPE_TAG, _SOURCE_TAG, _MANAGER_TAG = "mlflow.source.type", "mlflow.source.name", "mlflow.project.env"
_VERSION_TAGS = ("mlflow.source.git.commit", "mlflow.source.git.branch")
# A clone that a user keeps in the folder for temporary files has another name.
_OF_MKDTEMP = re.compile(r"tmp[a-z0-9_]{8}")
_URL = ("http://", "https://", "ssh://", "git://", "git@", "file:")


@dataclass(frozen=True)
class Called:
    """How the user called us.

    Attributes:
        project: what ``mlflow run`` was given, ``.`` for the folder it was typed in; "" where it was not used.
        version: of the project, where that is a URL.
        env_manager: of ``mlflow run``.
        python: what starts this interpreter.
        mlflow: what starts MLflow.
    """

    project: str = ""
    version: str = ""
    env_manager: str = "local"
    python: str = "python"
    mlflow: str = "mlflow"


def remember(tags: Mapping[str, str] | None) -> None:
    """Keep how the user called us, for this process and those it starts; what is known already stays.

    Args:
        tags: of the run that ``mlflow run`` has made; None where it has made none.
    """
    if _CALLED not in os.environ:
        os.environ[_CALLED] = json.dumps(asdict(_called(tags)))


def called() -> Called:
    """How the user called us, as far as it can be told."""
    if given := os.environ.get(_CALLED):
        return Called(**json.loads(given))
    return _called({} if os.environ.get(_RUN_ID) else None)


def command(entry_point: str, *, folder: Path | None = None, experiment: str = "", **parameters: object) -> str:
    """The command line of an entry point, for a POSIX shell.

    Args:
        entry_point: its name.
        folder: where it has to be typed, where that need not be the current folder.
        experiment: where its run belongs, if not where it would go anyway.
        parameters: of the entry point.
    """
    how, current = called(), Path.cwd()
    texts = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in parameters.items()}
    if how.project:
        words = [how.mlflow, "run", how.project, *(["-v", how.version] if how.version else [])]
        words += ["--env-manager", how.env_manager, "-e", entry_point]
        words += ["--experiment-name", experiment] if experiment else []
        words += [word for name, text in texts.items() for word in ("-P", f"{name}={text}")]
        goes = f"cd {shlex.quote(str(folder))} && " if folder else ""
        return goes + shlex.join(words)
    words = [how.python, "-m", f"steps.{entry_point}"]
    words += [word for name, text in texts.items() for word in (f"--{name}", text)]
    place = folder or current
    if place != ROOT:
        words += ["--cwd", str(place)]
    goes = f"cd {shlex.quote(str(ROOT))} && " if folder or current != ROOT else ""
    variable = f"MLFLOW_EXPERIMENT_NAME={shlex.quote(experiment)} " if experiment else ""
    return goes + variable + shlex.join(words)


def set_up(entry_point: str = "") -> str:
    """The command that runs an entry point in an environment of its own, made from ``conda.yaml``."""
    words = [_mlflow(), "run", called().project or _project(), "--env-manager", "uv"]
    return shlex.join([*words, *(["-e", entry_point] if entry_point else [])])


def manager_to_repeat_with() -> str:
    """Environment manager for a command that is to give the same results later, also to others."""
    how = called()
    if how.project and how.env_manager != "local":
        return how.env_manager
    return "uv" if shutil.which("uv") else "local"


def is_temporary(folder: Path) -> bool:
    """Whether a folder is of those that MLflow clones a project into for one run, as `tempfile.mkdtemp` names them."""
    common = common_folder().resolve()
    inside = folder.relative_to(common).parts if folder.is_relative_to(common) else ()
    return bool(inside) and _OF_MKDTEMP.fullmatch(inside[0]) is not None


def _called(tags: Mapping[str, str] | None) -> Called:
    if tags is None or tags.get(_TYPE_TAG, "PROJECT") != "PROJECT":
        return Called(python=_python(), mlflow=_mlflow())
    source = tags.get(_SOURCE_TAG, "")
    is_fetched = source.startswith(_URL) and is_temporary(ROOT)
    version = next((tags[name] for name in _VERSION_TAGS if tags.get(name)), "")
    # It says nothing of `local`.
    manager = tags.get(_MANAGER_TAG, "local") if _TYPE_TAG in tags else _manager_of_this_environment()
    return Called(
        project=source if is_fetched else _project(),
        version=version if is_fetched else "",
        env_manager=manager,
        python=_python(),
    )


def _project() -> str:
    return "." if Path.cwd() == ROOT else str(ROOT)


def _manager_of_this_environment() -> str:
    """The environment manager that made this environment, recognised by where MLflow puts environments."""
    prefix = Path(sys.prefix)
    if prefix.name.startswith("mlflow-") and (prefix / "conda-meta").is_dir():
        return "conda"
    if prefix.name.startswith("mlflow-"):
        return "uv" if shutil.which("uv") else "virtualenv"
    return "local"


def _python() -> str:
    return "python" if _is_first_on_path("python") else sys.executable


def _mlflow() -> str:
    beside = Path(sys.executable).with_name("mlflow")
    return str(beside) if beside.exists() and not shutil.which("mlflow") else "mlflow"


def _is_first_on_path(program: str) -> bool:
    path = shutil.which(program)
    return path is not None and Path(path).absolute().parent == Path(sys.executable).parent
