"""Arrow files and ARFF: types, compression, cases of the time series archive, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pytest

from steps.core.formats.arff import read_arff
from steps.core.formats.feather import read_feather
from steps.core.formats.file_table import RawFile
from steps.core.readers.load import load_source
from steps.errors import UserError

CASES = """% a comment
@relation 'two classes'
@attribute att1 numeric
@attribute att2 numeric
@attribute att3 numeric
@attribute att4 numeric
@attribute att5 real
@attribute target {-1,1}
@data
0.5,1,2,3,4,1
1,2,3,?,?,-1
9,8,7,6,5.5,1
3,?,3,4,7,-1
"""


def _feather(table: pa.Table, compression: str = "lz4") -> RawFile:
    sink = io.BytesIO()
    pa.feather.write_feather(table, sink, compression=compression)
    return RawFile(sink.getvalue(), "t.feather")


@pytest.mark.parametrize("compression", ["lz4", "zstd", "uncompressed"])
def test_numbers_and_text_of_any_type(compression: str) -> None:
    table = pa.table(
        {
            "name": pa.array(["a", None, "b"]).dictionary_encode(),
            "whole": pa.array([1, None, 3], pa.int16()),
            "half": pa.array([0.5, np.nan, 2], pa.float32()),
            "large": pa.array(["x", "y", "z"], pa.large_string()),
            "left": pa.array([1, 2, 3], pa.timestamp("s")),
        }
    )
    file = _feather(table, compression)
    read = read_feather(RawFile(file.raw, file.name, leaves_out=lambda name: name == "left")).table
    assert read.schema.types == [pa.string(), pa.float64(), pa.float64(), pa.string()]
    assert read["name"].to_pylist() == ["a", None, "b"]
    assert read["whole"].to_pylist() == [1.0, None, 3.0]
    with pytest.raises(
        UserError, match=r"t\.feather: column 'left' is of type 'timestamp\[s\]', expected numbers or text"
    ):
        read_feather(file)


def test_what_is_no_arrow_file() -> None:
    whole = _feather(pa.table({"x": np.arange(1000.0)}))
    for raw in (b"x", whole.raw[:500], b"ARROW1" + bytes(300)):
        with pytest.raises(UserError, match=r"t\.feather is not a readable Arrow file"):
            read_feather(RawFile(raw, "t.feather"))


def test_cases_of_the_archive_are_people_of_their_own(tmp_path: Path) -> None:
    read = read_arff(RawFile(CASES.encode(), "t.arff"))
    table = read.table.to_pandas()
    assert table.groupby("subject").size().tolist() == [5, 3, 5, 5]
    assert table["dim_0"].tolist()[5:8] == [1, 2, 3]
    assert np.isnan(table["dim_0"][14])
    assert table.groupby("subject")["label"].first().tolist() == ["1", "-1", "1", "-1"]
    (tmp_path / "study.arff").write_text(CASES)
    dataset = load_source(str(tmp_path / "study.arff"), max_gap=1)
    assert dataset.label_names == ("-1", "1")
    assert any("does not say who was recorded" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "is not a readable ARFF file|holds no row|holds neither"),
        (CASES.partition("@data")[0], "is not a readable ARFF file|holds no row"),
        (CASES.partition("@data")[0] + "@data\n", "holds no row below @data"),
        (CASES.replace("0.5,1,2", "0.5,x,2"), "is not a readable ARFF file"),
        (CASES.replace("0.5,1,2,3,4,1", "0.5,1"), "is not a readable ARFF file"),
        (CASES.replace("att5 real", "att5 {1,2}"), "is not a readable ARFF file|holds neither"),
        (CASES.replace("att5 real", "att5 string"), "several channels, or attributes of text or dates"),
        (CASES.replace("att5 real", "att5 relational\n@attribute x numeric\n@end att5"), "several channels"),
    ],
)
def test_what_cannot_be_read_is_one_line(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_arff(RawFile(text.encode(), "t.arff"))
