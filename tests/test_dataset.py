"""The dataset contract: canonical order, digest, artifact."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from steps.dataset import Dataset, Manifest
from steps.errors import UserError


def equal(a: Dataset, b: Dataset) -> bool:
    arrays = ("values", "labels", "subjects", "trials", "is_control")
    return a.manifest() == b.manifest() and all(np.array_equal(getattr(a, n), getattr(b, n)) for n in arrays)


def test_round_trip(small_study: Dataset, tmp_path: Path) -> None:
    manifest = small_study.save(tmp_path)
    loaded = Dataset.load(tmp_path)
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


def test_shapes_that_disagree_are_refused(small_study: Dataset) -> None:
    with pytest.raises(ValueError, match="labels has shape"):
        replace(small_study, labels=small_study.labels[:-1])
    with pytest.raises(ValueError, match="time and features name"):
        replace(small_study, time=small_study.time[:-1])


def test_a_changed_artifact_is_refused(small_study: Dataset, tmp_path: Path) -> None:
    small_study.save(tmp_path)
    table = pq.read_table(tmp_path / "trials.parquet").to_pandas()
    column = small_study.features[0]
    table.loc[0, column] += np.float32(1)
    table.to_parquet(tmp_path / "trials.parquet", index=False)
    with pytest.raises(UserError, match="was changed after it was written"):
        Dataset.load(tmp_path)


def test_what_is_no_artifact_is_named(small_study: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no trials\.parquet"):
        Dataset.load(tmp_path)
    small_study.save(tmp_path)
    shutil.copy(tmp_path / "dataset.json", tmp_path / "keep")
    (tmp_path / "dataset.json").write_text("{}")
    with pytest.raises(UserError, match=r"dataset\.json is not a dataset manifest"):
        Dataset.load(tmp_path)
    manifest = json.loads((tmp_path / "keep").read_text())
    manifest["features"][0] = "missing"
    (tmp_path / "dataset.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=r"does not match its dataset\.json"):
        Dataset.load(tmp_path)
    (tmp_path / "dataset.json").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="is not a dataset manifest"):
        Dataset.load(tmp_path)
