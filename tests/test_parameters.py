"""The parameter table: what a command line accepts and what it says otherwise."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from steps.cli import USER_ERROR, command
from steps.configuration import Configuration
from steps.errors import UserError
from steps.parameter_types import Value, as_text
from steps.parameters import PARAMETERS, RENAMED, STEPS
from tests.conftest import ROOT, clean_environment, configured


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
    for names in (step.parameters for step in STEPS.values()):
        assert len(set(names)) == len(names)
        assert set(names) <= set(PARAMETERS)
    used = {name for names in (step.parameters for step in STEPS.values()) for name in names}
    assert used == set(PARAMETERS)


def test_a_users_mistake_is_one_line_and_exit_status_2() -> None:
    @command("evaluate")
    def typed(configuration: Configuration) -> None:
        """Fail."""
        raise UserError(f"thresholds is {configuration.given['thresholds']},\n  expected something else")

    result = CliRunner().invoke(typed, ["--thresholds", "0.7"])
    assert result.exit_code == USER_ERROR
    assert result.stderr == "error: thresholds is 0.7, expected something else\n"


def test_a_step_tells_nobody_about_a_study_unless_the_user_wants_it(tmp_path: Path) -> None:
    code = """
import os, sys
from steps.cli import command
@command("sync")
def main(configuration):
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
    def typed(configuration: Configuration) -> None:
        """Fail."""
        raise ZeroDivisionError

    assert isinstance(CliRunner().invoke(typed, []).exception, ZeroDivisionError)


def test_a_folder_that_is_not_there_is_named() -> None:
    @command("evaluate")
    def typed(configuration: Configuration) -> None:
        """Do nothing."""

    result = CliRunner().invoke(typed, ["--cwd", "no/such/folder"])
    assert result.exit_code == USER_ERROR
    assert "no/such/folder" in result.stderr


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("baselines", "majority,svm", "'svm' is no baseline; expected 'none' or some of majority, logistic"),
        ("thresholds", "0.5,1.5", "thresholds='0.5,1.5': '1.5' is not a number between 0 and 1"),
        ("cv", "kfold", "cv='kfold', expected 'loso', 'loso-plain' or 'group-kfold:K'"),
        ("class_weight", "1", "class_weight='1', expected 'balanced'"),
        ("subjects", ",", "subjects names nothing, expected 'all' or subjects"),
        ("workers", "0", "workers='0', expected 'auto' or a number"),
        ("scheduler", "host", "scheduler='host', expected 'local'"),
        ("timesteps", 1, "timesteps is 1, expected 0"),
        ("simulated_trials_max", 1, "simulated trials_max is 1, expected 5"),
    ],
)
def test_the_driver_refuses_at_once_what_a_later_step_would(name: str, text: Value, said: str) -> None:
    with pytest.raises(UserError, match=said):
        configured("main", **{name: text})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("subjects", 3, "is 3, expected a whole number from 4 to 9999"),
        ("controls", -1, "is -1, expected a whole number from 0 to 9999"),
        ("trials_min", 0, "is 0, expected a whole number from 1 to 9999"),
        ("features", 0, "is 0, expected a whole number from 1 to 10000"),
        ("effect", -0.5, "is -0.5, expected a number from 0 to 1000"),
        ("effect", float("nan"), "is nan, expected a number from 0 to 1000"),
    ],
)
def test_sizes_of_a_simulated_study_are_bounded(name: str, value: Value, expected: str) -> None:
    with pytest.raises(click.BadParameter, match=f"simulated_{name} {expected}"):
        PARAMETERS[f"simulated_{name}"].parse(value)


def test_a_baseline_that_the_method_cannot_use_is_refused() -> None:
    with pytest.raises(UserError, match="cannot use attribution_baseline=zero"):
        configured("main", method="expected_gradients", attribution_baseline="zero")


@pytest.mark.parametrize("entry_point", STEPS)
def test_a_configuration_has_every_parameter_in_its_type(entry_point: str) -> None:
    made = configured(entry_point)
    assert set(made.given) == set(STEPS[entry_point].parameters)
    meant = {"compute", "simulation", "choice", "label_choice"}  # by several parameters together
    known = {one.name.removesuffix("_") for one in fields(made)} - {"given", "files", *meant}
    assert known <= set(STEPS[entry_point].parameters)
    if entry_point not in ("main", "check"):  # which hand most on
        by_several = {"cwd", "config", "preset", "scheduler", "workers", "features", "ignore", "columns",
                      "label_kind", "label_order", "cut_off"}  # fmt: skip
        left = set(STEPS[entry_point].parameters) - known - by_several
        assert {name for name in left if not name.startswith("simulated_")} == set()


@given(st.data())
def test_what_a_child_is_given_as_text_is_the_same_value(data: st.DataObject) -> None:
    parameter = PARAMETERS[data.draw(st.sampled_from(sorted(PARAMETERS)))]
    value: Value
    if parameter.choices:
        value = data.draw(st.sampled_from(parameter.choices))
    elif isinstance(parameter.default, bool):
        value = data.draw(st.booleans())
    elif isinstance(parameter.default, int):
        value = data.draw(st.integers(int(parameter.minimum or 0), int(parameter.maximum or 0)))
    elif isinstance(parameter.default, float):
        value = data.draw(st.floats(parameter.minimum, parameter.maximum))
    else:
        value = data.draw(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=100))
    assert parameter.parse(as_text(value)) == value


@command("predict")
def shows(configuration: Configuration) -> None:
    """Show what of an attribution it was given."""
    print(*(f"{name}={v}" for name, v in configuration.given.items() if name in {*RENAMED, *RENAMED.values()}))


@pytest.mark.parametrize("now", [(), ("--attribution_steps", "32"), ("--attribution_steps", "16.0")])
def test_an_older_name_is_taken_with_a_note(now: tuple[str, ...]) -> None:
    """MLflow fills in the default under the name of today."""
    result = CliRunner().invoke(shows, [*now, "--steps", "16", "--baseline", "zero"])
    assert (result.exit_code, result.stdout) == (0, "attribution_steps=16 attribution_baseline=zero\n")
    assert result.stderr.splitlines() == [
        "note: parameter steps is called attribution_steps now",
        "note: parameter baseline is called attribution_baseline now",
    ]


def test_names_of_today_get_no_note() -> None:
    result = CliRunner().invoke(shows, ["--attribution_steps", "16"])
    assert (result.stdout, result.stderr) == ("attribution_steps=16 attribution_baseline=mean\n", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--steps", "16", "--attribution_steps", "8"], "steps is 16 and attribution_steps is 8, expected one of them"),
        (["--steps", "1"], "steps is '1', expected a whole number from 2 to 10000"),
        (["--baseline_trials", "8"], "No such option '--baseline_trials'"),
    ],
)
def test_an_older_name_that_cannot_be_used_is_one_line(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(shows, arguments)
    assert (result.exit_code, result.stdout) == (USER_ERROR, "")
    assert result.stderr.startswith(f"error: {said}")
    assert result.stderr.count("\n") == 1


def test_older_names_stand_in_no_help_and_in_no_entry_point() -> None:
    assert not re.search(r"--(steps|baseline|baseline_trials)\b", CliRunner().invoke(shows, ["--help"]).output)
    assert not set(RENAMED) & set(PARAMETERS)
    assert set(RENAMED.values()) <= set(PARAMETERS)


@pytest.mark.parametrize("entry_point", ["main", "train"])
def test_controls_of_one_class_are_not_standardised_by_themselves(entry_point: str) -> None:
    assert configured(entry_point, normalise="subject").normalise == "subject"
    configured(entry_point, controls="negatives")
    with pytest.raises(UserError, match="controls=negatives and normalise=subject do not go together"):
        configured(entry_point, normalise="subject", controls="negatives")


def test_a_learning_curve_of_whole_labels_is_refused_before_anything_runs() -> None:
    with pytest.raises(UserError, match="learning_curve=true needs labels that are yes or no, found label_kind=score"):
        configured("main", learning_curve="true", label_kind="score")
