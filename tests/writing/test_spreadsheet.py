"""CSV for people who open it in a spreadsheet: nothing in it is computed, and nothing is lost."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from steps.tracking import record
from steps.tracking.export import export_tables
from steps.writing.spreadsheet import read_csv, to_csv

FORMULAS = [
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-x",
    "@SUM(A1)",
    "\t=1",
    "＝1",
    "'=1",
    "''",
    "-",
    "-1.5-",
    "=",
    "+49 1",
]
HARMLESS = ["knee_x", "S01", "", "a=b", "-1.5", "+2e-3", "-inf", "NA", "01", "x-y"]


@pytest.mark.parametrize("name", [*FORMULAS, *HARMLESS])
def test_a_name_begins_like_no_formula_and_is_read_back_as_it_was(name: str) -> None:
    table = pd.DataFrame({"feature": [name, "b"], name or "x": [-1.0, 2.0]})
    text = to_csv(table)
    cells = next(csv.reader(io.StringIO(text.split("\n", 1)[1])))
    assert cells[0] == (f"'{name}" if name in FORMULAS else name)
    back = read_csv(text, dtype={"feature": str}, keep_default_na=False)
    assert back.to_dict("list") == table.to_dict("list")


def test_what_holds_no_formula_is_written_as_pandas_writes_it() -> None:
    table = pd.DataFrame(
        {
            "feature": ["knee_x", "hip_y"],
            "importance": [-1.5, np.nan],
            "rank": [-1, 2],
            "mixed": [-3.5, "-3.5"],
            "kind": pd.Categorical(["a", "b"]),
        }
    )
    assert to_csv(table) == table.to_csv(index=False, lineterminator="\n")
    assert to_csv(table, index=True) == table.to_csv(lineterminator="\n")


def test_tables_of_a_run_and_beside_it_hold_no_formula(store: Path) -> None:
    client = MlflowClient()
    run = client.create_run("0")
    table = pd.DataFrame({"feature": ["=HYPERLINK(1)"], "importance": [-0.5]})
    record.log_files(run.info.run_id, {"feature_importance.csv": table})
    expected = "feature,importance\n'=HYPERLINK(1),-0.5\n"
    assert Path(client.download_artifacts(run.info.run_id, "feature_importance.csv")).read_text() == expected
    folder = export_tables("results", run, {"feature_importance": table})
    assert folder
    assert (folder / "feature_importance.csv").read_text() == expected
