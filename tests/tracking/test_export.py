"""Tables beside MLflow."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from steps.errors import UserError
from steps.tracking.export import check_output_dir, export_tables, plain_name

TABLES = {"results": pd.DataFrame({"subject": ["007"], "probability": [0.25]})}


def test_each_run_has_a_folder_of_its_own(store: Path) -> None:
    client = MlflowClient()
    runs = [client.create_run("0", run_name="fear") for _ in range(2)]
    folders = [export_tables("tables/of mine", run, TABLES) for run in runs]
    assert folders == [store / "tables" / "of mine" / f"fear-{run.info.run_id[:8]}" for run in runs]
    for folder in folders:
        assert folder is not None
        assert [path.name for path in folder.iterdir()] == ["results.csv"]
        assert (folder / "results.csv").read_bytes() == b"subject,probability\n007,0.25\n"
    assert export_tables("tables/of mine", runs[0], TABLES) == folders[0], "again is as good"


def test_none_is_nowhere(store: Path) -> None:
    run = MlflowClient().create_run("0")
    assert export_tables("none", run, TABLES) is None
    check_output_dir("none")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("fear", "fear"), ("../../etc/passwd", "etc_passwd"), ("a b;$(c)", "a_b_c"), ("...", "run"), ("é" * 99, "é" * 60)],
)
def test_a_name_stays_within_its_folder(name: str, expected: str) -> None:
    assert plain_name(name) == expected


def test_a_file_in_the_way_is_one_line(store: Path) -> None:
    (store / "results").write_text("")
    run = MlflowClient().create_run("0", run_name="fear")
    for output_dir in ("results", "results/deeper"):
        with pytest.raises(UserError, match=f"output_dir='{output_dir}': .*results is a file"):
            check_output_dir(output_dir)
        with pytest.raises(UserError, match=f"output_dir='{output_dir}': .* expected a folder to write to"):
            export_tables(output_dir, run, TABLES)
    check_output_dir("new/and/deeper")


def test_tables_are_for_their_owner_alone(store: Path) -> None:
    before = os.umask(0)
    try:
        folder = export_tables("tables", MlflowClient().create_run("0", run_name="fear"), TABLES)
    finally:
        os.umask(before)
    assert folder is not None
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder.parent, folder, folder / "results.csv")]
    assert modes == [0o700, 0o700, 0o600]


def test_a_folder_that_cannot_be_written_to_is_refused_early(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) != store)  # root may write everywhere
    with pytest.raises(UserError, match=r"output_dir='results': .* cannot be written to, expected another folder"):
        check_output_dir("results")
    check_output_dir("none")
