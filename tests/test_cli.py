"""The command of a step in odd surroundings: odd values, odd encodings, odd environments."""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

from steps.cli import USER_ERROR, command
from steps.configuration import Configuration
from steps.errors import LONGEST_MESSAGE, UserError
from steps.parameters import STEPS
from steps.tracking.session import step_run
from tests.conftest import ROOT, clean_environment, configured


@command("main")
def typed(configuration: Configuration) -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "1e8"], "epochs is '1e8', expected a whole number from 1 to 1000000"),
        (["--timesteps", "100000000"], "timesteps is '100000000', expected a whole number from 0 to 100000"),
        (["--epochs", "1_0"], "epochs is '1_0', expected a whole number from 1 to 1000000"),
        (["--epochs", "１２"], "epochs is '１２', expected a whole number from 1 to 1000000"),
        (["--learning_rate", "1e400"], "learning_rate is '1e400', expected a number from 0 to 1000"),
        (["--reuse", "perhaps"], "reuse is 'perhaps', expected true or false"),
        (["--model", "rnn"], "model is 'rnn', expected one of cnn, cnn_wide, soft_minirocket, soft_multirocket"),
        (["--source", "a\0b"], r"source is 'a\x00b', which holds characters that are none; expected text in UTF-8"),
        (["--source", "\udcff"], r"source is '\udcff', which holds characters that are none; expected text in UTF-8"),
        (["--cwd", "no\nwhere"], r"cwd is 'no\nwhere': No such file or directory, expected a folder"),
        (["--mode", "cnn"], "No such option '--mode'. (Did you mean one of: '--method', '--model'?)"),
        (["--epochs"], "Option '--epochs' requires an argument."),
        (["now\nplease"], "Got unexpected extra argument (now please)"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(typed, arguments)
    assert (result.exit_code, result.output) == (USER_ERROR, f"error: {message}\n")


@pytest.mark.parametrize("name", sorted(set(STEPS["main"].parameters) - {"cwd", "subjects", "exclude"}))
def test_no_value_is_echoed_without_end(name: str) -> None:
    result = CliRunner().invoke(typed, [f"--{name}", "9" * 100_000])
    assert result.exit_code == USER_ERROR
    assert result.output.startswith(f"error: {name} is '999")
    assert len(result.output) < 250
    assert result.output.count("\n") == 1


def test_a_message_is_one_printable_line_and_has_an_end() -> None:
    assert str(UserError("a\nb\x1b[31m\u202ec \udcff")) == r"a b\x1b[31m\u202ec \udcff"
    assert len(str(UserError("x" * 10_000))) == LONGEST_MESSAGE


def test_a_simulated_study_that_fits_no_computer_is_refused() -> None:
    assert configured("prepare").simulation.subjects == 24
    with pytest.raises(UserError, match="would hold 10005 x 10 x 100000 x 24 numbers"):
        configured("prepare", simulated_subjects=9999, timesteps=100_000)
    configured("prepare", simulated_subjects=9999, timesteps=100_000, source="table.csv")


SAYS_MUELLER = """
import sys
from pathlib import Path
from steps.cli import command
@command("sync")
def main(configuration):
    print("Müller", "日本")
    print(sys.argv[-1], file=sys.stderr)
    Path("Müller.txt").write_text("ü", encoding="utf-8")
main()
"""


@pytest.mark.parametrize(
    ("environment", "printed"),
    [
        ({"PYTHONIOENCODING": "ascii"}, "M\\xfcller \\u65e5\\u672c\n"),
        ({"PYTHONIOENCODING": "latin-1:strict"}, "M\xfcller \\u65e5\\u672c\n"),
        # Python's own way out of LANG=C, taken away.
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "Müller 日本\n"),
    ],
)
def test_output_that_cannot_show_a_name_ends_nothing(tmp_path: Path, environment: dict[str, str], printed: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(SAYS_MUELLER, encoding="utf-8")
    folder = tmp_path / "Zürich"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, str(script), "--cwd", str(folder)],
        env=clean_environment() | environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    encoding = "latin-1" if "latin-1" in environment.get("PYTHONIOENCODING", "") else "utf-8"
    assert (done.returncode, done.stdout.decode(encoding)) == (0, printed), done.stderr
    assert (folder / "Müller.txt").exists()


@pytest.mark.parametrize("experiment_id", ["77", "../x", "'", "9" * 400])
def test_an_experiment_that_is_not_there_is_named(
    store: Path, monkeypatch: pytest.MonkeyPatch, experiment_id: str
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", experiment_id)
    said = r"MLFLOW_EXPERIMENT_ID is .*, which is no experiment of sqlite"
    with pytest.raises(UserError, match=said), step_run("prepare", {}):
        pytest.fail("nothing should have been recorded")
    assert [experiment.name for experiment in MlflowClient().search_experiments()] == ["Default"]


def test_an_experiment_that_was_deleted_is_named(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = MlflowClient()
    client.delete_experiment(client.create_experiment("mine"))
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "1")
    with pytest.raises(UserError, match="experiment 'mine' was deleted; restore it with"), step_run("prepare", {}):
        pytest.fail("nothing should have been recorded")


@pytest.mark.parametrize("run_id", ["f" * 32, "../x", "x' or 1=1"])
def test_a_run_that_is_not_there_is_named(store: Path, monkeypatch: pytest.MonkeyPatch, run_id: str) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    with pytest.raises(UserError, match=r"MLFLOW_RUN_ID is .*, which is no run of sqlite"), step_run("prepare", {}):
        pytest.fail("nothing should have been recorded")


def test_a_run_that_was_deleted_is_named(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = MlflowClient()
    run_id = client.create_run("0").info.run_id
    client.delete_run(run_id)
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    with pytest.raises(UserError, match="a run that was deleted"), step_run("prepare", {}):
        pytest.fail("nothing should have been recorded")


@pytest.mark.parametrize("error", [None, UserError("no"), ZeroDivisionError()])
def test_what_a_command_changes_in_its_process_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    def process() -> tuple[object, ...]:
        umask = os.umask(0o022)
        os.umask(umask)
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        return (
            dict(os.environ),
            Path.cwd(),
            handlers,
            umask,
            tempfile.gettempdir(),
            logging.getLogger("alembic").filters[:],
            gc.get_threshold(),
        )

    monkeypatch.setenv("GIVEN", "1")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    before = process()
    inside: list[object] = []

    @command("sync")
    def changes(configuration: Configuration) -> None:
        """Change more than the command itself does."""
        inside.extend(process())
        os.environ["MADE"] = "1"
        del os.environ["GIVEN"]
        os.chdir(tmp_path.parent)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if error:
            raise error

    CliRunner().invoke(changes, ["--cwd", str(tmp_path)])
    assert process() == before
    assert [during != outside for during, outside in zip(inside, before, strict=True)] == [True] * 7
    assert inside[1] == tmp_path
