"""What the step leaves behind: whose it is, what it says, and when it is not used again."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from steps.configuration import Prepare
from steps.core.data.artifact import read_artifact, write_artifact
from steps.core.readers.load import source_fingerprint
from steps.errors import UserError
from steps.parameters import PARAMETERS, STEPS
from steps.prepare.run import prepare
from steps.tracking import datasets, reuse
from tests.core.readers.helpers import long_frame, write_folder


@pytest.fixture
def umask() -> Iterator[None]:
    """Everybody may do everything."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def study(store: Path) -> dict[str, Any]:
    """Parameters of a prepare run of a small folder, as the command line gives them."""
    defaults = {name: PARAMETERS[name].default for name in STEPS["prepare"].parameters}
    return {**defaults, "source": write_folder(long_frame(), store / "study")}


def _prepared() -> Run:
    (run, *_) = mlflow.search_runs(search_all_experiments=True, output_format="list")
    return run


def _dataset(run: Run) -> Path:
    return Path(run.info.artifact_uri.removeprefix("file://")) / datasets.DATASET_FOLDER


@pytest.mark.usefixtures("umask")
def test_a_dataset_is_for_its_owner_alone(study: dict[str, Any], store: Path) -> None:
    prepare(Prepare.of(study))
    folder = _dataset(_prepared())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {
        "dataset.json": 0o600,
        "trials.parquet": 0o600,
    }
    (store / "made afterwards").touch()
    assert stat.S_IMODE((store / "made afterwards").stat().st_mode) == 0o666
    write_artifact(read_artifact(folder), store / "copies" / "one")
    for path in (store / "copies" / "one", store / "copies"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (store / "copies" / "one").iterdir()} == {0o600}


def test_what_was_not_read_is_printed_and_recorded(
    study: dict[str, Any], store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (store / "study" / "participants" / "S1" / "fear" / "t7.mot").touch()
    prepare(Prepare.of(study))
    note = "WARNING: Not read: 1 file .mot (participants/S1/fear/t7.mot)."
    assert note in capsys.readouterr().out.splitlines()
    run = _prepared()
    assert note in run.data.tags["mlflow.note.content"]
    assert read_artifact(_dataset(run)).notes == (note,)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("truncated", "trials.parquet does not match its dataset.json"),
        ("flipped", "was changed after it was written"),
        ("manifest", "dataset/dataset.json of prepare run .* is damaged"),
        ("other", "has digest .*…, expected"),
        ("gone", "holds no trials.parquet"),
    ],
)
def test_a_damaged_dataset_is_prepared_again(damage: str, reason: str, study: dict[str, Any]) -> None:
    prepare(Prepare.of(study))
    run = _prepared()
    identity = reuse.Identity.of("prepare", study, source_fingerprint(study["source"]))
    reusable, _ = reuse.find(identity, run.info.experiment_id)
    assert reusable is not None
    folder = _dataset(run)
    trials = folder / "trials.parquet"
    content = trials.read_bytes()
    if damage == "truncated":
        trials.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        place = content.index(read_artifact(folder).values[0, :, 0].tobytes())
        trials.write_bytes(content[:place] + b"\0\0\0\1" + content[place + 4 :])
    elif damage == "manifest":
        (folder / "dataset.json").write_text("{")
    elif damage == "gone":
        trials.unlink()
    else:
        loaded = read_artifact(folder)
        write_artifact(loaded.select(loaded.subjects != "S1"), folder)
    reusable, why = reuse.find(identity, run.info.experiment_id)
    assert reusable is None
    assert why.startswith(f"run {run.info.run_id} matches, but ")
    assert re.search(reason, why)
    prepare(Prepare.of(study))
    reusable, _ = reuse.find(identity, run.info.experiment_id)
    assert reusable is not None
    assert reusable.info.run_id != run.info.run_id


def test_in_a_read_only_folder_artifacts_lie_beside_the_store(
    study: dict[str, Any], store: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("read-only")
    monkeypatch.chdir(folder)
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != folder and access(path, mode))  # root may write
    prepare(Prepare.of(study))
    assert _dataset(_prepared()).is_relative_to(store / "mlruns")
    assert not list(folder.iterdir())


def test_bad_recordings_leave_no_dataset(study: dict[str, Any], store: Path) -> None:
    (store / "study" / "controls").mkdir()
    with pytest.raises(UserError, match="controls/"):
        prepare(Prepare.of(study))
    run = _prepared()
    assert run.info.status == "FAILED"
    assert not [
        item.path
        for item in MlflowClient().list_artifacts(run.info.run_id)
        if item.path not in ("packages.json", "parameters.json")
    ]
