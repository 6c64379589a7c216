"""The parameter table: what a command line accepts and what it says otherwise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from steps.cli import USER_ERROR, command
from steps.errors import UserError
from steps.parameters import ENTRY_POINTS, PARAMETERS
from tests.conftest import ROOT, clean_environment


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("epochs", "12", 12),
        ("epochs", "12.0", 12),
        ("seed", "0.0", 0),
        ("learning_rate", "1e-4", 1e-4),
        ("reuse", "false", False),
        ("cv", "loso", "loso"),
    ],
)
def test_text_becomes_the_type_of_the_default(name: str, text: str, value: object) -> None:
    parsed = PARAMETERS[name].parse(text)
    assert parsed == value
    assert type(parsed) is type(PARAMETERS[name].default)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("epochs", "0"),
        ("epochs", "2.5"),
        ("model", "rnn"),
        ("target", "2"),
        ("learning_rate", "nan"),
        ("validation_fraction", "nan"),
        ("learning_rate", "inf"),
    ],
)
def test_what_is_out_of_bounds_is_refused(name: str, text: str) -> None:
    with pytest.raises(click.BadParameter):
        PARAMETERS[name].parse(text)


def test_every_entry_point_takes_known_parameters_once() -> None:
    for names in ENTRY_POINTS.values():
        assert len(set(names)) == len(names)
        assert set(names) <= set(PARAMETERS)
    used = {name for names in ENTRY_POINTS.values() for name in names}
    assert used == set(PARAMETERS)


def test_a_users_mistake_is_one_line_and_exit_status_2() -> None:
    @command("evaluate")
    def typed(parameters: dict[str, Any]) -> None:
        """Fail."""
        raise UserError(f"thresholds is {parameters['thresholds']},\n  expected something else")

    result = CliRunner().invoke(typed, ["--thresholds", "7"])
    assert result.exit_code == USER_ERROR
    assert result.stderr == "error: thresholds is 7, expected something else\n"


def test_a_step_tells_nobody_about_a_study_unless_the_user_wants_it(tmp_path: Path) -> None:
    code = """
import os, sys
from steps.cli import command
@command("sync")
def main(parameters):
    if os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true":
        from mlflow.telemetry.client import get_telemetry_client
        sys.exit(0 if get_telemetry_client() is None else "MLflow tells")
    sys.exit("the user wants it")
main()
"""
    silencers = ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK", "CI", "PYTEST_CURRENT_TEST")
    environment = {name: value for name, value in clean_environment().items() if name not in silencers}
    command = [sys.executable, "-c", code, "--cwd", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    environment["MLFLOW_DISABLE_TELEMETRY"] = "false"
    wanted = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    assert wanted.stderr == "the user wants it\n"


def test_a_bug_keeps_its_traceback() -> None:
    @command("evaluate")
    def typed(parameters: dict[str, Any]) -> None:
        """Fail."""
        raise ZeroDivisionError

    assert isinstance(CliRunner().invoke(typed, []).exception, ZeroDivisionError)


def test_a_folder_that_is_not_there_is_named() -> None:
    @command("evaluate")
    def typed(parameters: dict[str, Any]) -> None:
        """Do nothing."""

    result = CliRunner().invoke(typed, ["--cwd", "no/such/folder"])
    assert result.exit_code == USER_ERROR
    assert "no/such/folder" in result.stderr


def test_the_driver_refuses_unknown_baselines_before_anything_runs() -> None:
    from steps.main.run import check_early

    given = {name: PARAMETERS[name].default for name in ENTRY_POINTS["main"]}
    check_early(given)
    with pytest.raises(UserError, match="'svm' is no baseline; expected 'none' or some of majority, logistic"):
        check_early({**given, "baselines": "majority,svm"})
