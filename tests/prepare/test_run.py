"""What the step leaves behind: whose it is, what it says, and when it is not used again."""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import mlflow
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from mlflow import MlflowClient
from mlflow.entities import Run

from steps.configuration import Prepare
from steps.core.data.artifact import read_artifact, write_artifact
from steps.core.data.manifest import read_manifest
from steps.core.models.refit import refit_fold, training_summary
from steps.core.readers.load import source_fingerprint
from steps.errors import UserError
from steps.parameters import PARAMETERS, STEPS
from steps.prepare.__main__ import main
from steps.prepare.run import prepare
from steps.system.file_digests import digest_of_path
from steps.tracking import datasets, documents, reuse
from tests.conftest import step
from tests.core.audit.studies import study_table
from tests.core.readers.helpers import long_frame, write_folder, write_table


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
        "recordings.parquet": 0o600,
        "trials.parquet": 0o600,
    }
    (store / "made afterwards").touch()
    assert stat.S_IMODE((store / "made afterwards").stat().st_mode) == 0o666
    write_artifact(read_artifact(folder), store / "copies" / "one")
    for path in (store / "copies" / "one", store / "copies"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (store / "copies" / "one").iterdir()} == {0o600}


def test_a_source_elsewhere_is_the_same_study_and_says_where_it_was(
    study: dict[str, Any], store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = fsspec.filesystem("memory")
    elsewhere.put(study["source"], "/lab/study", recursive=True)
    try:
        prepare(Prepare.of({**study, "source": "memory://lab/study"}))
    finally:
        elsewhere.store.clear()
    run = _prepared()
    manifest = read_manifest(_dataset(run))
    assert manifest.origin is not None
    assert manifest.origin.sha256 == digest_of_path(Path(study["source"]))
    assert (manifest.source, manifest.origin.address) == ("memory://lab/study", "memory://lab/study")
    note = f"Fetched memory://lab/study: {manifest.origin.files} files, "
    assert manifest.notes[0].startswith(note)
    assert note in capsys.readouterr().out
    assert run.data.params["source"] == "memory://lab/study"
    recorded = [path.read_text() for path in _dataset(run).parent.rglob("*") if path.suffix in (".json", ".html")]
    assert not any(tempfile.gettempdir() in text for text in recorded)
    # The same files on this machine have the same inputs, so a study with either is found again.
    local = reuse.Identity.of("prepare", study, source_fingerprint(study["source"]))
    assert reuse.find(local, run.info.experiment_id)[0] is not None


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


def test_the_audit_is_printed_and_recorded(
    study: dict[str, Any], store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = store / "longer.parquet"
    study_table(1, planted="length", strength=2.5).to_parquet(path, index=False)
    prepare(Prepare.of({**study, "source": str(path), "max_gap": 10}))
    (said,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Careful")]
    assert said.startswith("Careful: the length of the recordings alone tells fear from calm (AUC of people ")
    run = _prepared()
    assert run.data.metrics["audit_findings"] == 1
    assert said in run.data.tags["mlflow.note.content"]
    document = json.loads((_dataset(run).parent / "audit.json").read_text())
    (kind,) = [one for one in document["shortcuts"] if one["kind"] == "length"]
    assert (kind["warning"], kind["strongest"]["found"]) == (True, 1)
    assert "recording,length,," in (_dataset(run).parent / "audit.csv").read_text()


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


def _spoiled() -> pd.DataFrame:
    """Eight subjects with four trials; the values of S3 are in another unit, and one trial of S5 stands still."""
    names = {f"S{number}": "fear" if number % 2 else "calm" for number in range(8)}
    frame = long_frame(names, trials=4, timesteps=40)
    course = 10 + np.sin(np.tile(np.arange(40) / 6, 32))
    frame["knee"] = np.where(frame["subject"] == "S3", 1000, 1) * (course + 0.1 * frame["knee"])
    still = (frame["subject"] == "S5") & (frame["trial"] == "t2") & (frame["time"] > 10)
    frame.loc[still, "hip"] = 0.25
    return frame


def test_what_is_found_is_printed_and_recorded_and_nothing_is_removed(
    study: dict[str, Any], store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = _spoiled()
    prepare(Prepare.of({**study, "source": write_table(frame, store / "spoiled.csv")}))
    run = _prepared()
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("Data quality"))
    assert line == (
        "Data quality: 2 findings in the recordings of 2 subjects (S3: other unit in knee; S5: flat line in hip), see "
        "quality.html; nothing was removed; audit: nothing was found (16 checks)"
    )
    assert line in run.data.tags["mlflow.note.content"]
    assert (run.data.metrics["quality_findings"], run.data.metrics["quality_severe"]) == (2, 1)
    assert len(read_artifact(_dataset(run)).trials) == 32
    found = documents.json_of(run, "quality.json", documents.Quality)["findings"]
    assert [(one["kind"], one["exclude"]) for one in found] == [("units", "S3"), ("flat", "S5/t2")]
    rows = documents.text_table_of(run, "quality.csv")
    assert rows.groupby("kind").size().to_dict() == {"units": 4, "flat": 1}
    page = documents.text_of(run, "quality.html")
    assert "S5" in page
    assert page.count("<svg") == 2


@pytest.mark.slow
def test_excluding_by_command_changes_the_dataset_and_is_recorded(store: Path) -> None:
    write_table(_spoiled(), store / "spoiled.csv")
    made = step("prepare", store, source="spoiled.csv", exclude="S3,S5/t2")
    assert made.returncode == 0, made.stderr
    assert "Left out 5 trials of 2 subjects as asked (exclude): S3/t0, S3/t1, S3/t2, S3/t3, S5/t2." in made.stdout
    assert "Data quality: nothing was found" in made.stdout
    run = _prepared()
    assert run.data.params["exclude"] == "S3,S5/t2"
    manifest = read_manifest(_dataset(run))
    assert (manifest.trials, len(manifest.subjects), len(manifest.excluded)) == (27, 7, 5)
    missing = step("prepare", store, source="spoiled.csv", exclude="S05/t2")
    assert missing.returncode == 2
    assert missing.stderr.splitlines()[-1] == (
        "error: exclude names 'S05/t2', but there is no such subject; there are 'S0', 'S1', 'S2', 'S3', 'S4', 'S5', "
        "'S6', 'S7'; did you mean 'S5'?"
    )


@pytest.mark.parametrize("case", ["alike", "constant"])
def test_recordings_that_never_differ_are_refused_in_one_line(case: str, study: dict[str, Any], store: Path) -> None:
    frame = long_frame(timesteps=20)
    if case == "alike":
        frame[["knee", "hip"]] = np.tile(frame[["knee", "hip"]].to_numpy()[:20], (len(frame) // 20, 1))
    else:
        frame[["knee", "hip"]] = 1.5
    given = {**study, "source": write_table(frame, store / "same.csv"), "duplicates": "allow", "features": "*,knee,hip"}
    with pytest.raises(UserError, match="all 8 trials hold the same values; expected recordings that differ"):
        prepare(Prepare.of(given))


def test_a_description_is_kept_whole_and_counts(study: dict[str, Any], store: Path) -> None:
    source = store / "study"
    text = "# as recorded in spring\nfiles: participants/{subject}/{label}/{trial}.csv\n"
    (source / "study.yaml").write_text(text)
    prepare(Prepare.of(study))
    run = _prepared()
    assert (_dataset(run).parent / "study.yaml").read_text() == text
    assert read_manifest(_dataset(run)).description == text
    dataset = read_artifact(_dataset(run))
    assert training_summary(dataset, refit_fold(dataset, "exclude", seed=0))["description"] == text
    identity = reuse.Identity.of("prepare", study, source_fingerprint(study["source"]))
    assert reuse.find(identity, run.info.experiment_id)[0] is not None
    (source / "study.yaml").write_text(text.replace("spring", "autumn"))
    changed = reuse.Identity.of("prepare", study, source_fingerprint(study["source"]))
    assert reuse.find(changed, run.info.experiment_id, "study") == (None, "the recordings in 'study' have changed")


def test_a_first_description_is_written_once(store: Path) -> None:
    folder = Path(write_folder(long_frame(), store / "study")) / "participants"
    command = CliRunner()
    first = command.invoke(main, ["--suggest", str(folder)])
    assert (first.exit_code, first.stderr.split(";")[0]) == (0, f"written to {folder / 'study.yaml'}")
    assert (folder / "study.yaml").read_text() == first.stdout
    assert stat.S_IMODE((folder / "study.yaml").stat().st_mode) == 0o600
    (folder / "study.yaml").write_text("# mine\n")
    again = command.invoke(main, ["--suggest", str(folder)])
    assert "was left as it is" in again.stderr
    assert (folder / "study.yaml").read_text() == "# mine\n"
    nothing = command.invoke(main, ["--suggest", str(store / "nowhere")])
    assert nothing.exit_code == 2
    assert nothing.stderr.startswith("error: ")
