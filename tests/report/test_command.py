"""The command that runs a study again."""

from __future__ import annotations

import shlex
import subprocess

from steps.parameters import PARAMETERS, STEPS
from steps.report.command import reproduce_command

DEFAULTS = {name: PARAMETERS[name].default for name in STEPS["main"].parameters}


def test_only_what_differs_from_the_defaults_is_given() -> None:
    assert reproduce_command(DEFAULTS, commit="abc") == "mlflow run . -v abc --env-manager uv"
    changed = DEFAULTS | {"epochs": 3, "learning_rate": 0.01, "reuse": False, "cwd": "/somewhere"}
    command = reproduce_command(changed, repository="https://example.org/project.git")
    assert command == (
        "mlflow run https://example.org/project.git --env-manager uv -P reuse=false -P epochs=3 -P learning_rate=0.01"
    )


def test_values_survive_the_shell() -> None:
    source = 'it\'s `here` $(touch x) "& <b>"\n;.csv'
    command = reproduce_command(DEFAULTS | {"source": source, "run_name": "a b"}, commit="abc")
    assert shlex.split(command)[-4:] == ["-P", "run_name=a b", "-P", f"source={source}"]
    words = subprocess.run(["sh", "-c", f"printf '%s\\0' {command}"], capture_output=True, text=True, check=True)
    assert words.stdout.split("\0")[:-1] == shlex.split(command)
