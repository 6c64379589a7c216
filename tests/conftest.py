"""Fixtures that several folders share: small studies, stores that cost nothing to make."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from steps.configuration import CONFIGURATIONS
from steps.core.data.artifact import write_artifact
from steps.core.data.dataset import Dataset
from steps.core.data.training_reference import TrainingReference
from steps.core.data.unseen import Unseen
from steps.core.models.refit import refit_fold, training_summary
from steps.core.readers.fit_to_model import fit_to_model
from steps.core.readers.recorded import Recorded, from_dataset
from steps.core.readers.simulate import SimulationSize, simulate
from steps.parameters import PARAMETERS, STEPS, Value

if TYPE_CHECKING:
    from tests.clusters import Cluster

ROOT = Path(__file__).parents[1]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# So that no process of pytest-xdist is left alone with one of them at the end.
LONGEST_FIRST = {"test_server.py", "test_main.py", "test_within_subjects.py", "test_interruption.py"}

Command = Callable[..., subprocess.CompletedProcess[str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST_FIRST)


@pytest.fixture(scope="session")
def small_study() -> Dataset:
    """Eight subjects, two controls, a short landing: quick to train on, with an easy effect."""
    size = SimulationSize(subjects=8, controls=2, trials_min=3, trials_max=4, features=6, effect=2.0)
    return simulate(size, timesteps=21, seed=1)


@pytest.fixture(scope="session")
def within_study() -> Dataset:
    """Six subjects who all have two trials with fear and two without, and two controls."""
    size = SimulationSize(subjects=12, controls=2, trials_min=4, trials_max=4, features=6, effect=2.0)
    # Every draw is made whatever the effect: the same people and landings, with fear and without.
    fear, calm = (simulate(replace(size, effect=effect), timesteps=21, seed=1) for effect in (2.0, 0.0))
    kept = (fear.labels == 1) | fear.is_control
    fear, calm = fear.select(kept), calm.select(kept)
    shows = ~fear.is_control & np.isin(fear.trials, ["01", "03"])
    values = np.where(shows[:, None, None], fear.values, calm.values)
    return replace(fear, values=values, labels=shows.astype(np.int8))


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite store; copying it saves each test the migrations."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    code = "import mlflow; mlflow.search_experiments()"
    subprocess.run([sys.executable, "-c", code], check=True, env=clean_environment(f"sqlite:///{path}"))
    return path


@pytest.fixture
def store(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh store in a fresh working folder, for code that runs in this process."""
    import mlflow

    shutil.copy(empty_store, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    # Set, so that it is undone: the code under test writes these.
    written = ("MLFLOW_EXPERIMENT_ID", "MLFLOW_TRACKING_URI", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "FEAR_CALLED")
    for name in written:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")

    def initialize(engine: Any) -> None:
        with closing(sqlite3.connect(empty_store)) as empty, closing(sqlite3.connect(engine.url.database)) as new:
            empty.backup(new)

    # Others that are made in this process, such as those of spools, are copies too.
    monkeypatch.setattr("mlflow.store.db.utils._initialize_tables", initialize)
    yield tmp_path
    while mlflow.active_run():
        mlflow.end_run()


def clean_environment(tracking_uri: str | None = None) -> dict[str, str]:
    """The environment of a command a user types: nothing of MLflow's, the interpreter of the tests first."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONWARNINGS": "default",
    }
    if tracking_uri:
        environment["MLFLOW_TRACKING_URI"] = tracking_uri
    return environment


def run_command(
    *arguments: str, cwd: Path, tracking_uri: str | None = None, timeout: float = 280, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command as a user would, from ``cwd``, and capture what it prints."""
    return subprocess.run(
        arguments,
        cwd=cwd,
        env=clean_environment(tracking_uri) | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def mlflow_run(
    *arguments: str,
    cwd: Path,
    uri: str = str(ROOT),
    tracking_uri: str | None = None,
    environment: Mapping[str, Any] | None = None,
    **parameters: Any,
) -> subprocess.CompletedProcess[str]:
    """``mlflow run`` of this project from ``cwd``, with ``-P name=value`` for each keyword."""
    values = [part for name, value in parameters.items() for part in ("-P", f"{name}={value}")]
    command = ("mlflow", "run", uri, "--env-manager", "local", *arguments, *values)
    return run_command(*command, cwd=cwd, tracking_uri=tracking_uri, **(environment or {}))


def step(name: str, cwd: Path, **parameters: Any) -> subprocess.CompletedProcess[str]:
    """``python -m steps.<name>`` from ``cwd``."""
    options = [part for key, value in parameters.items() for part in (f"--{key}", str(value))]
    return run_command(sys.executable, "-m", f"steps.{name}", *options, cwd=cwd, PYTHONPATH=str(ROOT))


def step_here(
    name: str,
    cwd: Path,
    tracking_uri: str | None = None,
    environment: Mapping[str, str] | None = None,
    /,
    **parameters: Any,
) -> Result:
    """`step` in this process, which has imported MLflow, TensorFlow and the rest already: most of a step's time.

    Errors that a step does not turn into one line are raised. What other processes print is not in the result.
    """
    from steps.cli import USER_ERROR

    main = import_module(f"steps.{name}.__main__").main
    options = [f"--{key}={value}" for key, value in parameters.items()]
    with pytest.MonkeyPatch.context() as patch:
        for variable in [variable for variable in os.environ if variable.startswith("MLFLOW_")]:
            patch.delenv(variable)
        patch.setenv("MLFLOW_TRACKING_URI", tracking_uri or f"sqlite:///{cwd / 'mlflow.db'}")
        for variable, value in (environment or {}).items():
            patch.setenv(variable, value)
        result = CliRunner().invoke(main, ["--cwd", str(cwd), *options])
    if result.exception and result.exit_code not in (0, USER_ERROR):
        raise result.exception
    return result


@pytest.fixture(scope="session")
def small_study_folder(small_study: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small study as a dataset artifact."""
    folder = tmp_path_factory.mktemp("dataset")
    write_artifact(small_study, folder)
    return folder


@pytest.fixture(scope="session")
def small_study_table() -> str:
    """A long table of four subjects, as a user would bring it."""
    rows = ["subject,label,trial,time,x,y"]
    rows += [
        f"S{subject},{'fear' if subject % 2 else 'calm'},{trial},{time},{subject + time * time},{trial * time}"
        for subject in range(4)
        for trial in range(2)
        for time in range(5)
    ]
    return "\n".join(rows) + "\n"


@pytest.fixture(scope="session")
def training_json(small_study: Dataset) -> dict[str, Any]:
    """What a model of the small study would be stored with."""
    return training_summary(small_study, refit_fold(small_study, "exclude", seed=0))


def left_out_scores(training: dict[str, Any], probabilities: Sequence[float], trials: int = 3) -> dict[str, Any]:
    """Made-up scores of the subjects of a training, alternately of either class; drawn from ``probabilities``."""
    subjects = np.repeat(np.arange(len(training["subjects"])), trials)
    drawn = np.random.default_rng(5).choice(np.asarray(probabilities, dtype=np.float64), len(subjects))
    return {"subject": subjects.tolist(), "label": (subjects % 2).tolist(), "probability": drawn.tolist()}


@pytest.fixture(scope="session")
def trained(training_json: dict[str, Any]) -> TrainingReference:
    return TrainingReference.model_validate(training_json)


@pytest.fixture(scope="session")
def new_people() -> Dataset:
    """Four other subjects of the small study's population, and one control."""
    size = SimulationSize(subjects=4, controls=1, trials_min=3, trials_max=4, features=6, effect=2.0)
    people = simulate(size, timesteps=21, seed=1, people=5)
    return replace(people, subjects=np.char.replace(people.subjects, "S", "N"))


@pytest.fixture(scope="session")
def recorded(new_people: Dataset) -> Recorded:
    return from_dataset(new_people, "new")


@pytest.fixture(scope="session")
def unseen(recorded: Recorded, trained: TrainingReference) -> Unseen:
    return fit_to_model(recorded, trained)


@pytest.fixture(scope="session")
def final_network(small_study: Dataset) -> Any:
    """An untrained network behind the small study's scaler: any weights will do for what is tested here."""
    import keras

    from steps.core.models import networks
    from steps.core.models.fit import standardisation

    keras.utils.set_random_seed(0)
    network = networks.build("cnn", small_study.timesteps, len(small_study.features))
    networks.set_scaler(network, *standardisation(small_study.values))
    return network


@pytest.fixture(scope="session")
def dask_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Dask scheduler with two workers, which every test leaves as it found them."""
    from tests.clusters import cluster

    with cluster(tmp_path_factory.mktemp("dask"), workers=2) as made:
        yield made


def configured(entry_point: str, **given: Value) -> Any:
    """The configuration of an entry point whose other parameters have their defaults."""
    defaults = {name: PARAMETERS[name].default for name in STEPS[entry_point].parameters}
    return CONFIGURATIONS[entry_point].of(defaults | given)
