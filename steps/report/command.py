"""The command that runs a study again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from steps.parameters import PARAMETERS, STEPS, Value

# The folder the command is typed in; whoever repeats the study has another one.
_NOT_REPEATED = {"cwd"}


def changed_parameters(parameters: Mapping[str, Value]) -> dict[str, Value]:
    """Those of the driver's parameters that are not at their defaults, in the order of the table."""
    return {
        name: parameters[name]
        for name in STEPS["main"].parameters
        if name in parameters and name not in _NOT_REPEATED and parameters[name] != PARAMETERS[name].default
    }


def reproduce_command(
    parameters: Mapping[str, Value], *, commit: str = "", repository: str = "", env_manager: str = "uv"
) -> str:
    """``mlflow run`` with everything that differs from the defaults, fit to be pasted into a POSIX shell.

    Args:
        parameters: the driver's; names unknown to this version are left out.
        commit: version of the code; empty where unknown.
        repository: a git URL; without one, the command is meant for a clone.
        env_manager: of ``mlflow run``.
    """
    words = ["mlflow", "run", repository or "."]
    if commit:
        words += ["-v", commit]
    words += ["--env-manager", env_manager]
    for name, value in changed_parameters(parameters).items():
        words += ["-P", f"{name}={spelled(value)}"]
    return shlex.join(words)


def spelled(value: Value) -> str:
    """A value as the command line takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
