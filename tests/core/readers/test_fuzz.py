"""A thousand hostile parameters and several hundred damaged files: refused in one line, or right; never a traceback.

The plain suite tries a sample; `pytest -m slow` all of it. A failure names what has to be typed to see it again.
"""

from __future__ import annotations

import importlib
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

from steps.core.data.artifact import read_artifact, write_artifact
from steps.core.data.dataset import Dataset
from steps.core.readers.load import SIMULATED, load_source
from steps.errors import UserError
from steps.parameters import PARAMETERS
from steps.tracking import datasets, lookup, record
from steps.tracking.session import step_run
from tests.deadline import TooLongError, at_most
from tests.hostile import damaged, parameter_values

VALUES, FILES = 1120, 56  # values in all; files of each of seven kinds
SAMPLE_VALUES, SAMPLE_FILES = 40, 5
LONGEST_LINE = 400
SECONDS = 30
pytestmark = pytest.mark.filterwarnings("ignore")


class ReachedError(Exception):
    """The work would begin: the values were taken."""


@pytest.fixture
def untouched() -> Iterator[None]:
    """The environment and loggers afterwards as they were before: making a study changes them."""
    environment = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(environment)
    logging.getLogger("mlflow").setLevel(logging.NOTSET)


@pytest.fixture
def study(
    store: Path, small_study: Dataset, small_study_table: str, monkeypatch: pytest.MonkeyPatch, untouched: None
) -> Path:
    """A folder with a table, a dataset, a training without models; what takes long begins by raising."""

    def reached(*_args: object, **_kwargs: object) -> None:
        raise ReachedError

    def load(source: str, **given: Any) -> Dataset:
        if source == SIMULATED:
            raise ReachedError
        return load_source(source, **given)

    monkeypatch.setattr("steps.prepare.run.load_source", load)
    monkeypatch.setattr("steps.main.run.run_step", reached)
    for name in ("train.run", "trained_folds"):
        monkeypatch.setattr(f"steps.{name}.open_pool", reached)
    for name in ("train", "evaluate", "attribute"):
        monkeypatch.setattr(f"steps.{name}.__main__.warm_up", lambda _scheduler: None)
    monkeypatch.setattr("steps.check.run._check_installation", reached)
    monkeypatch.setattr("steps.reproduce.run.run_step", reached)
    (store / "table.csv").write_text(small_study_table)
    with step_run("prepare", {}) as run:
        write_artifact(small_study, store / "dataset")
        record.log_path(run.info.run_id, store / "dataset", datasets.DATASET_FOLDER)
        uri = f"runs:/{run.info.run_id}/{datasets.DATASET_FOLDER}"
        record.log(run.info.run_id, tags={"dataset_uri": uri, "dataset_digest": small_study.digest()})
    os.environ.pop("MLFLOW_EXPERIMENT_ID", None)
    return store


@dataclass
class Attempts:
    """What was tried, and what was wrong with it."""

    tried: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)

    def check(self, what: str, attempt: Callable[[], object]) -> None:
        """Try something that may raise `UserError` or `ReachedError` and nothing else, and says no more than a line."""
        self.tried += 1
        try:
            with at_most(SECONDS):
                attempt()
        except ReachedError:
            pass
        except UserError as error:
            self.refused += 1
            if len(str(error)) > LONGEST_LINE:
                self.wrong.append(f"{what}: {len(str(error))} characters: {str(error)[:300]}")
        except TooLongError:
            self.wrong.append(f"{what}: takes longer than {SECONDS} s")
        except Exception as error:
            self.wrong.append(f"{what}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")


def type_parameters(study: Path, seed: int, number: int) -> Attempts:
    """Type values at the commands of the steps."""
    attempts = Attempts()
    for entry_point, name, value in parameter_values(seed, number):
        command = importlib.import_module(f"steps.{entry_point}.__main__").main
        arguments = [f"--{name}", value]
        if name != "cwd":
            arguments += ["--cwd", str(study)]
        if entry_point in ("prepare", "main", "predict") and name not in ("source", "cwd") and len(value) % 2:
            arguments += ["--source", "table.csv"]

        known = (0, 1, 2) if entry_point == "check" else (0, 2)  # 1: it has found something wrong

        def attempt(command: Any = command, arguments: list[str] = arguments, known: tuple[int, ...] = known) -> None:
            result = CliRunner().invoke(command, arguments)
            errors = [line for line in result.stderr.splitlines() if line.startswith("error:")]
            if isinstance(result.exception, SystemExit) or result.exception is None:
                assert result.exit_code in known, f"exit status {result.exit_code}"
                assert "Traceback" not in result.output
                assert (len(errors) == 1) == (result.exit_code == 2), result.output
                if errors:
                    raise UserError(errors[0].removeprefix("error: "))
                return
            raise result.exception

        attempts.check(f"{entry_point} {arguments!r}"[:600], attempt)
    return attempts


def nothing_half_done() -> None:
    """No run seems to be running, and none of those that were refused has left a dataset or a model."""
    client = MlflowClient()
    everywhere = [experiment.experiment_id for experiment in client.search_experiments()]
    assert client.search_runs(everywhere, "attributes.status = 'RUNNING'") == []
    for run in client.search_runs(everywhere, "attributes.status = 'FAILED'", max_results=5000):
        assert {item.path for item in client.list_artifacts(run.info.run_id)} <= {"packages.json", "parameters.json"}
    assert client.search_registered_models() == []


def test_a_sample_of_hostile_parameters(study: Path) -> None:
    attempts = type_parameters(study, seed=1, number=SAMPLE_VALUES)
    assert attempts.wrong == []
    assert attempts.refused > SAMPLE_VALUES / 2
    nothing_half_done()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_hostile_parameters(study: Path, seed: int) -> None:
    attempts = type_parameters(study, seed=100 + seed, number=VALUES // 4)
    assert "\n".join(attempts.wrong) == ""
    assert attempts.tried == VALUES // 4
    assert attempts.refused > attempts.tried / 2
    nothing_half_done()


Damage = Callable[[int], None]


def damage_file(path: Path, seed: int, other: bytes = b"\x00\x01,x,1.5\n{}") -> None:
    """Replace a file by a damaged one."""
    path.write_bytes(damaged(seed, path.read_bytes(), other))


def damage_files(
    read: Callable[[Path], object], original: Path, folder: Path, names: list[str], seeds: range
) -> Attempts:
    """Damage one of the files of a folder at a time and read the folder."""
    attempts = Attempts()
    for seed in seeds:
        copy = folder / f"case{seed}"
        shutil.copytree(original, copy)
        name = names[seed % len(names)]
        damage_file(copy / name, seed)
        attempts.check(f"{name}, seed {seed}", lambda copy=copy: read(copy))  # type: ignore[misc]
        shutil.rmtree(copy)
    return attempts


@pytest.fixture
def originals(tmp_path: Path, small_study: Dataset, small_study_table: str) -> Path:
    """One small folder of each kind of file."""
    import pandas as pd

    folder = tmp_path / "originals"
    for kind in ("csv", "parquet", "folder", "dataset"):
        (folder / kind).mkdir(parents=True)
    (folder / "csv" / "table.csv").write_text(small_study_table)
    table = pd.read_csv(folder / "csv" / "table.csv")
    table.to_parquet(folder / "parquet" / "table.parquet")
    for (subject, label, trial), rows in table.groupby(["subject", "label", "trial"]):
        parent = folder / "folder" / "participants" / str(subject) / str(label)
        parent.mkdir(parents=True, exist_ok=True)
        rows[["x", "y"]].to_csv(parent / f"{trial}.csv", index=False)
    write_artifact(small_study, folder / "dataset")
    return folder


KINDS: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "csv": (lambda folder: load_source(str(folder / "table.csv")), ["table.csv"]),
    "parquet": (lambda folder: load_source(str(folder / "table.parquet")), ["table.parquet"]),
    "folder": (
        lambda folder: load_source(str(folder)),
        [f"participants/S{n}/{'fear' if n % 2 else 'calm'}/1.csv" for n in range(4)],
    ),
    "dataset": (read_artifact, ["trials.parquet", "dataset.json"]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_of_damaged_recordings(kind: str, originals: Path, tmp_path: Path) -> None:
    read, names = KINDS[kind]
    assert read(originals / kind)
    attempts = damage_files(read, originals / kind, tmp_path, names, range(SAMPLE_FILES))
    assert attempts.wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_recordings(kind: str, originals: Path, tmp_path: Path) -> None:
    read, names = KINDS[kind]
    attempts = damage_files(read, originals / kind, tmp_path, names, range(1000, 1000 + 2 * FILES))
    assert "\n".join(attempts.wrong) == ""
    assert attempts.refused > FILES


@pytest.mark.slow
def test_damaged_networks(tmp_path: Path) -> None:
    from steps.core.models.keras_file import as_bytes
    from steps.core.models.saved_network import ResidentNetwork
    from tests.tracking.test_tracker import network

    content = as_bytes(network())
    attempts = Attempts()
    for seed in range(2000, 2000 + FILES):
        wrong = damaged(seed, content, content)
        attempts.check(f"model.keras, seed {seed}", partial(ResidentNetwork().load, wrong, "S01"))
    assert "\n".join(attempts.wrong) == ""
    assert attempts.refused > FILES / 2


@pytest.mark.slow
def test_damaged_documents_of_a_fold(store: Path) -> None:
    from steps.tracking.tracker import MLflowTracker

    texts = {
        "split.json": '{"test": ["S01"], "training": ["S02", "S03"], "validation": ["S04"]}',
        "history.csv": "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate\n"
        "1,0.7,0.5,0.7,0.5,0.001\n2,0.6,0.75,0.65,0.7,0.001\n",
    }
    with step_run("train", {}) as train:
        tracker = MLflowTracker(parent_run_id=train.info.run_id, experiment_id=train.info.experiment_id)
        run = tracker.start_run("fear", "S01", 1, {"entry_point": "fold"})
        tracker.log_artifacts(texts)
        tracker.end_run()
        tracker.close()
    place = Path(MlflowClient().get_run(run.run_id).info.artifact_uri.removeprefix("file://"))

    def read() -> None:
        (fold,) = lookup.fold_runs(train.info.run_id)
        lookup.load_history(fold)

    read()
    attempts = Attempts()
    for seed in range(3000, 3000 + FILES):
        name = sorted(texts)[seed % 2]
        (place / name).write_bytes(damaged(seed, texts[name].encode()))
        attempts.check(f"{name}, seed {seed}", read)
        (place / name).write_text(texts[name])
    assert "\n".join(attempts.wrong) == ""


@pytest.mark.slow
def test_damaged_spools(tmp_path: Path, untouched: None) -> None:
    from steps.sync.__main__ import main
    from steps.tracking.spool.spool import open_spool

    spool = open_spool("http://127.0.0.1:9", tmp_path / "study")
    files = ("spool.json", "mlflow.db")
    content = {name: (spool.folder / name).read_bytes() for name in files}
    attempts = Attempts()

    def read() -> None:
        result = CliRunner().invoke(main, ["--cwd", str(tmp_path / "study")])
        if isinstance(result.exception, SystemExit) and result.exit_code == 2:
            raise UserError(result.stderr.splitlines()[-1])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception

    for seed in range(4000, 4000 + FILES):
        name = files[int(seed % 8 == 0)]
        (spool.folder / name).write_bytes(damaged(seed, content[name]))
        attempts.check(f"{name}, seed {seed}", read)
        for each, original in content.items():
            (spool.folder / each).write_bytes(original)
    assert "\n".join(attempts.wrong) == ""


def test_every_parameter_is_tried() -> None:
    tried = {(entry_point, name) for entry_point, name, _ in parameter_values(100, VALUES // 4)}
    assert {name for _, name in tried} == set(PARAMETERS)
