"""Files of the time series archive: cases as trials of people of their own, with a warning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from steps.core.readers.load import load_source
from steps.errors import UserError

HEADER = "#A comment\n@problemName x\n@timeStamps false\n@univariate false\n@classLabel true fear calm\n@data\n"


def cases(count: int = 6, samples: int = 5) -> str:
    """Lines of cases of two channels, of both labels in turn."""
    rng = np.random.default_rng(0)
    channels = [[",".join(map(str, rng.normal(size=samples).round(3))) for _ in range(2)] for _ in range(count)]
    return "".join(f"{':'.join(case)}:{('fear', 'calm')[i % 2]}\n" for i, case in enumerate(channels))


def test_cases_are_trials(tmp_path: Path) -> None:
    path = tmp_path / "x.ts"
    path.write_text(HEADER + cases())
    dataset = load_source(str(path))
    assert dataset.values.shape == (6, 5, 2)
    assert dataset.features == ("dim_0", "dim_1")
    first, second = ([float(cell) for cell in part.split(",")] for part in cases().split("\n")[0].split(":")[:2])
    np.testing.assert_allclose(dataset.values[0], np.column_stack([first, second]), rtol=1e-6)
    assert any(note.startswith("WARNING: the file does not say who was recorded") for note in dataset.notes)


def test_shorter_cases_end_earlier(tmp_path: Path) -> None:
    path = tmp_path / "x.ts"
    path.write_text(HEADER + cases() + "1,2,?,?:3,4,?,?:fear\n")
    assert load_source(str(path)).time_unit == "%"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (cases(), "has no line @data"),
        (HEADER.replace("Stamps false", "Stamps true") + cases(), "has time stamps"),
        (HEADER.replace("Label true fear calm", "Label false") + cases(), "expected cases with labels"),
        (HEADER, "holds no case below @data"),
        (HEADER + cases() + "1,2:1,2:3,4:fear\n", r"row 13 has 3 channels, expected 2 as in row 7"),
        (HEADER + cases() + "1,2:1:fear\n", r"row 13 has no channels, or channels of different lengths"),
        (HEADER + "1,x:1,2:fear\n", r"row 7: .*could not convert .*x"),
    ],
)
def test_what_is_damaged_is_said(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.ts").write_text(text)
    with pytest.raises(UserError, match=message):
        load_source(str(tmp_path / "x.ts"))
