"""The dataset contract: canonical order, digest, artifact."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steps.core.data.artifact import read_artifact, write_artifact
from steps.core.data.dataset import Dataset
from steps.core.data.manifest import Manifest
from steps.errors import UserError


def equal(a: Dataset, b: Dataset) -> bool:
    arrays = ("values", "labels", "subjects", "trials", "is_control")
    return a.manifest() == b.manifest() and all(np.array_equal(getattr(a, n), getattr(b, n)) for n in arrays)


def test_round_trip(small_study: Dataset, tmp_path: Path) -> None:
    manifest = write_artifact(small_study, tmp_path)
    loaded = read_artifact(tmp_path)
    assert equal(loaded, small_study)
    assert loaded.digest() == manifest.digest
    table = pd.read_parquet(tmp_path / "trials.parquet")
    assert len(table) == len(small_study.labels) * small_study.timesteps
    assert list(table.columns[:5]) == ["subject", "label", "trial", "group", "time"]


def test_order_of_trials_does_not_matter(small_study: Dataset) -> None:
    order = np.random.default_rng(0).permutation(len(small_study.labels))
    shuffled = replace(
        small_study,
        values=small_study.values[order],
        labels=small_study.labels[order],
        subjects=small_study.subjects[order],
        trials=small_study.trials[order],
        is_control=small_study.is_control[order],
    )
    assert equal(shuffled, small_study)


@pytest.mark.parametrize("what", ["value", "label", "subject", "feature", "unit", "time"])
def test_digest_sees_every_change_of_meaning(small_study: Dataset, what: str) -> None:
    values, labels, subjects = small_study.values.copy(), small_study.labels.copy(), small_study.subjects.copy()
    values[0, 0, 0] = np.nextafter(values[0, 0, 0], np.float32(np.inf))
    labels[0] = 1 - labels[0]
    subjects[0] = "someone"
    changed = {
        "value": {"values": values},
        "label": {"labels": labels},
        "subject": {"subjects": subjects},
        "feature": {"features": ("renamed", *small_study.features[1:])},
        "unit": {"units": {small_study.features[0]: "rad"}},
        "time": {"time_unit": "s"},
    }[what]
    assert replace(small_study, **changed).digest() != small_study.digest()  # type: ignore[arg-type]


def test_manifest_counts(small_study: Dataset) -> None:
    manifest = small_study.manifest()
    assert sum(entry.trials for entry in manifest.subjects) == manifest.trials == len(small_study.labels)
    assert sum(entry.positive_trials for entry in manifest.subjects) == manifest.class_counts["1"]
    assert sum(entry.group == "control" for entry in manifest.subjects) == 2
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest


def test_selection_by_subject(small_study: Dataset) -> None:
    names = small_study.subjects[[0, -1]].tolist()
    chosen = small_study.of_subjects(names)
    assert set(chosen.subjects) == set(names)
    assert len(chosen.labels) == np.isin(small_study.subjects, names).sum()


names = st.sampled_from(["", "a", "ab", "b", "B", "é", "a1"])


@given(st.lists(st.tuples(names, names, st.integers(0, 1)), min_size=1), st.lists(names))
def test_order_and_selection_are_those_of_plain_python(rows: list[tuple[str, str, int]], wanted: list[str]) -> None:
    dataset = Dataset(
        values=np.arange(2 * len(rows), dtype=np.float32).reshape(len(rows), 1, 2),
        labels=np.array([label for _, _, label in rows], dtype=np.int8),
        subjects=np.array([subject for subject, _, _ in rows], dtype=np.str_),
        trials=np.array([trial for _, trial, _ in rows], dtype=np.str_),
        is_control=np.zeros(len(rows), dtype=np.bool_),
        features=("x", "y"),
        time=(0.0,),
    )
    expected = sorted(range(len(rows)), key=lambda i: rows[i])
    assert dataset.values[:, 0, 0].tolist() == [2 * i for i in expected]
    chosen = [i for i in expected if rows[i][0] in wanted]
    assert dataset.of_subjects(wanted).values[:, 0, 1].tolist() == [2 * i + 1 for i in chosen]
    assert dataset.of_subjects(wanted).subjects.tolist() == [rows[i][0] for i in chosen]


def test_neighbouring_trials_are_no_copy_and_cannot_be_changed(small_study: Dataset) -> None:
    first, second, *_, last = np.unique(small_study.subjects).tolist()
    for subjects in ([second], [second, first], np.unique(small_study.subjects).tolist()):
        part = small_study.of_subjects(subjects)
        assert np.shares_memory(part.values, small_study.values)
        with pytest.raises(ValueError, match="read-only"):
            part.values[0, 0, 0] = 0
    assert not np.shares_memory(small_study.of_subjects([first, last]).values, small_study.values)
    small_study.values[0, 0, 0] = small_study.values[0, 0, 0]  # the whole is as writable as before


def test_shapes_that_disagree_are_refused(small_study: Dataset) -> None:
    with pytest.raises(ValueError, match="labels has shape"):
        replace(small_study, labels=small_study.labels[:-1])
    with pytest.raises(ValueError, match="time and features name"):
        replace(small_study, time=small_study.time[:-1])


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_how_the_trials_are_stored_does_not_matter(small_study: Dataset, tmp_path: Path, compression: str) -> None:
    write_artifact(small_study, tmp_path)
    table = pq.read_table(tmp_path / "trials.parquet")
    as_before = pa.schema([pa.field(field.name, field.type) for field in table.schema])
    pq.write_table(table.cast(as_before), tmp_path / "trials.parquet", compression=compression, row_group_size=77)
    assert equal(read_artifact(tmp_path), small_study)


def test_order_of_the_stored_trials_does_not_matter(small_study: Dataset, tmp_path: Path) -> None:
    write_artifact(small_study, tmp_path)
    table = pq.read_table(tmp_path / "trials.parquet")
    rows = np.arange(table.num_rows).reshape(-1, small_study.timesteps)[::-1].reshape(-1)
    pq.write_table(table.take(rows), tmp_path / "trials.parquet")
    assert equal(read_artifact(tmp_path), small_study)


def test_more_rows_than_are_read_at_once(small_study: Dataset, tmp_path: Path) -> None:
    write_artifact(small_study, tmp_path)
    table = pq.read_table(tmp_path / "trials.parquet")
    pq.write_table(table, tmp_path / "trials.parquet", row_group_size=200)
    assert equal(read_artifact(tmp_path, batch_rows=64), small_study)


def test_the_trials_are_stored_for_fast_loading(small_study: Dataset, tmp_path: Path) -> None:
    write_artifact(small_study, tmp_path)
    with pq.ParquetFile(tmp_path / "trials.parquet") as file:
        assert {file.schema.column(i).max_definition_level for i in range(len(file.schema))} == {0}
        encodings = [file.metadata.row_group(0).column(i).encodings for i in range(5, len(file.schema))]
    assert all("PLAIN" in names and "RLE_DICTIONARY" not in names for names in encodings)


def test_names_of_features_with_dots_and_common_beginnings(small_study: Dataset, tmp_path: Path) -> None:
    features = ("knee", "knee.x", "knee.x.y", "a b", "Ä", *small_study.features[5:])
    dataset = replace(small_study, features=features, units={"knee.x": "N.m"})
    write_artifact(dataset, tmp_path)
    assert equal(read_artifact(tmp_path), dataset)


def test_columns_of_another_type(small_study: Dataset, tmp_path: Path) -> None:
    write_artifact(small_study, tmp_path)
    table = pd.read_parquet(tmp_path / "trials.parquet")
    table.astype(dict.fromkeys(small_study.features, np.float64)).to_parquet(tmp_path / "trials.parquet")
    assert equal(read_artifact(tmp_path), small_study)
    spoilt: dict[str, str | int | None] = {small_study.features[0]: "x", "label": "x", "subject": 7, "trial": None}
    for column, value in spoilt.items():
        table.assign(**{column: value}).to_parquet(tmp_path / "trials.parquet")
        with pytest.raises(UserError, match=r"does not match its dataset\.json"):
            read_artifact(tmp_path)


def test_a_damaged_artifact_is_one_line(small_study: Dataset, tmp_path: Path) -> None:
    write_artifact(small_study, tmp_path)
    content = (tmp_path / "trials.parquet").read_bytes()
    for damaged in (content[:-1], content[: len(content) // 2], b"", content[:200] + bytes(400) + content[600:]):
        (tmp_path / "trials.parquet").write_bytes(damaged)
        with pytest.raises(UserError, match=r"does not match its dataset\.json|was changed after it was written"):
            read_artifact(tmp_path)


def test_a_changed_artifact_is_refused(small_study: Dataset, tmp_path: Path) -> None:
    write_artifact(small_study, tmp_path)
    table = pq.read_table(tmp_path / "trials.parquet").to_pandas()
    column = small_study.features[0]
    table.loc[0, column] += np.float32(1)
    table.to_parquet(tmp_path / "trials.parquet", index=False)
    with pytest.raises(UserError, match="was changed after it was written"):
        read_artifact(tmp_path)


def test_what_is_no_artifact_is_named(small_study: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no trials\.parquet"):
        read_artifact(tmp_path)
    write_artifact(small_study, tmp_path)
    shutil.copy(tmp_path / "dataset.json", tmp_path / "keep")
    (tmp_path / "dataset.json").write_text("{}")
    with pytest.raises(UserError, match=r"dataset\.json is not a dataset manifest"):
        read_artifact(tmp_path)
    manifest = json.loads((tmp_path / "keep").read_text())
    manifest["trials"] += 1
    (tmp_path / "dataset.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=r"does not match its dataset\.json: it has \d+ rows, expected \d+ x 21"):
        read_artifact(tmp_path)
    manifest["trials"] -= 1
    manifest["features"][0] = "missing"
    (tmp_path / "dataset.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=r"does not match its dataset\.json"):
        read_artifact(tmp_path)
    (tmp_path / "dataset.json").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="is not a dataset manifest"):
        read_artifact(tmp_path)
