"""The command line, on miniatures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, run_command


@pytest.mark.slow
def test_one_command_prints_and_writes_one_table(tmp_path: Path) -> None:
    done = _benchmark("--quick", "--only", "ingestion", "--output", str(tmp_path / "found" / "table"))
    assert done["rows"][0]["work"] == "40 trial files to the dataset artifact"
    assert all(len(row["project"]) == len(row["other"]) == 2 for row in done["rows"])
    text = (tmp_path / "found" / "table.md").read_text()
    assert "python -m benchmarks --quick --only ingestion" in text
    assert "loading it again, 40 trial files" in text


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", ["training cnn", "attribution", "chain", "growth", "whole study"])
def test_parts_run_on_miniatures(part: str, tmp_path: Path) -> None:
    done = _benchmark("--quick", "--only", part, "--output", str(tmp_path / "table"))
    assert done["rows"] or done["series"]
    assert all(value > 0 for row in done["rows"] for value in (*row["project"], *row["other"]))


def _benchmark(*arguments: str) -> dict[str, Any]:
    done = run_command("python", "-m", "benchmarks", *arguments, cwd=ROOT, timeout=800, PYTHONWARNINGS="ignore")
    assert done.returncode == 0, done.stderr
    output = Path(arguments[arguments.index("--output") + 1]).with_suffix(".md")
    assert output.read_text() in done.stdout
    content: dict[str, Any] = json.loads(output.with_suffix(".json").read_text())
    return content
