"""JSON beside recordings, as BIDS has it: columns, rate, start and units; near ones count more; people by any name."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steps.core.readers.described.sidecars import find_sidecars, read_sidecars
from steps.core.readers.described.suggest import suggestion
from steps.core.readers.files import Fingerprint
from steps.core.readers.load import load_source, source_fingerprint
from steps.errors import UserError

PEOPLE = ("01", "02", "03", "04")
SIDECAR: dict[str, Any] = {
    "SamplingFrequency": 50.0,
    "StartTime": -0.1,
    "Columns": ["cardiac", "respiratory"],
    "cardiac": {"Units": "mV"},
    "respiratory": {"Units": "V", "Description": "a belt"},
    "Manufacturer": "somebody",
}
PATTERN = 'files: "sub-{subject}/beh/*_run-{trial}_physio.tsv.gz"\n'


def bids(folder: Path, header: bool = False, ids: str = "sub-{}") -> Path:
    """Four people with two runs each, a sidecar for all of them at the top."""
    random = np.random.default_rng(0)
    folder.mkdir()
    (folder / "task-rest_physio.json").write_text(json.dumps(SIDECAR))
    (folder / "dataset_description.json").write_text('{"Name": "Columns", "BIDSVersion": "1.9.0"}')
    rows = "".join(f"{ids.format(one)}\t{'fear' if one > '02' else 'calm'}\n" for one in PEOPLE)
    (folder / "participants.tsv").write_text(f"participant_id\tgroup_of\n{rows}")
    for one in PEOPLE:
        for run in (1, 2):
            values = np.cumsum(random.normal(size=(30, 2)), axis=0).round(4)
            text = "\n".join("\t".join(map(str, row)) for row in values.tolist()) + "\n"
            path = folder / f"sub-{one}/beh/sub-{one}_task-rest_run-{run}_physio.tsv.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress((("cardiac\trespiratory\n" if header else "") + text).encode()))
    (folder / "study.yaml").write_text(f"{PATTERN}labels: {{table: participants.tsv, column: group_of}}\n")
    return folder


@pytest.mark.parametrize("header", [False, True])
def test_columns_rate_start_and_units(header: bool, tmp_path: Path) -> None:
    folder, fingerprint = bids(tmp_path / "study", header=header), Fingerprint()
    dataset = load_source(str(folder), fingerprint=fingerprint)
    assert dataset.features == ("cardiac", "respiratory")
    assert dataset.units == {"cardiac": "mV", "respiratory": "V"}
    np.testing.assert_allclose(dataset.time, -0.1 + np.arange(30) / 50, atol=1e-9)
    assert set(dataset.trials) == {"1", "2"}
    raw = gzip.decompress((folder / "sub-03/beh/sub-03_task-rest_run-2_physio.tsv.gz").read_bytes()).decode()
    rows = [line.split("\t") for line in raw.splitlines()[header:]]
    own = (dataset.subjects == "03") & (dataset.trials == "2")
    np.testing.assert_array_equal(dataset.values[own][0], np.array(rows, dtype=np.float32))
    assert "Unpacked 8 files (.gz)." in dataset.notes
    assert not any("task-rest_physio.json" in note or "WARNING" in note for note in dataset.notes)
    before = source_fingerprint(str(folder))
    assert fingerprint.hexdigest() == before
    (folder / "task-rest_physio.json").write_text(json.dumps(SIDECAR | {"SamplingFrequency": 40}))
    assert source_fingerprint(str(folder)) != before


def test_a_suggestion_knows_the_columns(tmp_path: Path) -> None:
    folder = bids(tmp_path / "study")
    (folder / "study.yaml").unlink()
    text = suggestion(folder)
    assert "were not recognised" not in text
    (folder / "study.yaml").write_text(text)
    assert load_source(str(folder)).features == ("cardiac", "respiratory")


def test_windows_are_cut_by_the_rate_of_the_sidecar(tmp_path: Path) -> None:
    folder = bids(tmp_path / "study")
    with (folder / "study.yaml").open("a") as file:
        file.write("trials: {windows: {length: 0.2}}\n")
    dataset = load_source(str(folder))
    assert dataset.values.shape == (4 * 2 * 3, 10, 2)


def test_what_is_nearer_counts_more() -> None:
    paths = [
        "task-rest_physio.json",
        "physio.json",
        "sub-01/sub-01_physio.json",
        "sub-01/beh/sub-01_task-rest_run-1_physio.json",
        "sub-01/beh/sub-01_task-rest_run-2_physio.json",
        "sub-01/beh/sub-01_task-rest_run-1_events.json",
        "sub-02/sub-02_physio.json",
    ]
    found = find_sidecars(["sub-01/beh/sub-01_task-rest_run-1_physio.tsv.gz", "sub-03/x.c3d"], paths)
    assert list(found.values()) == [("physio.json", paths[0], paths[2], paths[3])]
    said = read_sidecars({"a.json": b'{"SamplingFrequency": 10, "StartTime": 1}', "b.json": b'{"StartTime": 2}'})
    assert (said.rate, said.start) == (10, 2)
    assert find_sidecars(["a/t.csv"], ["a/t.csv", "x.yaml"]) == {}
    assert list(find_sidecars(["a/t1.csv"], ["a/t1.json", "a/t2.json"]).values()) == [("a/t1.json",)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"task-rest_physio\.json is not readable JSON"),
        ("[" * 100_000, r"is not readable JSON"),
        ('{"SamplingFrequency": "fast"}', r"SamplingFrequency is 'fast', expected a number"),
        ('{"SamplingFrequency": 0}', r"SamplingFrequency is 0, expected a number"),
        ('{"Columns": "x"}', r"Columns is 'x', expected a list of names"),
        ('{"Columns": ["a"], "SamplingFrequency": 1}', r"2 cells, but columns has 1 names"),
    ],
)
def test_sidecars_that_cannot_be_used(text: str, message: str, tmp_path: Path) -> None:
    folder = bids(tmp_path / "study")
    (folder / "task-rest_physio.json").write_text(text)
    with pytest.raises(UserError, match=message):
        load_source(str(folder))


@pytest.mark.parametrize("ids", ["sub-{}", "{}"])
@pytest.mark.parametrize("subject", ["sub-{subject}", "{subject}"])
def test_people_are_found_with_and_without_their_prefix(ids: str, subject: str, tmp_path: Path) -> None:
    folder = bids(tmp_path / "study", ids=ids)
    text = (folder / "study.yaml").read_text()
    (folder / "study.yaml").write_text(text.replace("sub-{subject}", subject))
    assert load_source(str(folder)).label_names == ("calm", "fear")


def test_a_table_without_zeros_is_one_line(tmp_path: Path) -> None:
    folder = bids(tmp_path / "study")
    table = (folder / "participants.tsv").read_text().replace("sub-02", "2")
    (folder / "participants.tsv").write_text(table)
    with pytest.raises(UserError, match=r"subject '02' has no row in participants\.tsv, but row 3 has '2'; write the"):
        load_source(str(folder))
