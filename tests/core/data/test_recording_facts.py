"""Facts of recordings beside a dataset: kept, put in order, checked, and no part of the digest."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from steps.core.data.artifact import read_artifact, write_artifact
from steps.core.data.dataset import Dataset
from steps.core.data.recording_facts import FACTS_FILE, RecordingFacts
from steps.errors import UserError


def facts(trials: int, features: int) -> RecordingFacts:
    rng = np.random.default_rng(0)
    columns = {one.name: rng.random(trials) for one in fields(RecordingFacts)}
    columns["start"][0] = np.nan
    return RecordingFacts(**{**columns, "quantisation": rng.random((trials, features))})


@pytest.fixture
def known(small_study: Dataset) -> Dataset:
    """The small study with facts."""
    return replace(small_study, facts=facts(len(small_study.labels), len(small_study.features)))


def same(one: RecordingFacts | None, other: RecordingFacts | None) -> bool:
    assert one
    assert other
    for column in fields(RecordingFacts):
        np.testing.assert_array_equal(getattr(one, column.name), getattr(other, column.name))
    return True


def test_facts_are_read_as_they_were_written(known: Dataset, small_study: Dataset, tmp_path: Path) -> None:
    assert write_artifact(known, tmp_path).digest == small_study.digest(), "no part of the digest"
    assert same(read_artifact(tmp_path).facts, known.facts)


def test_a_dataset_without_facts_leaves_none_behind(known: Dataset, small_study: Dataset, tmp_path: Path) -> None:
    write_artifact(known, tmp_path)
    write_artifact(small_study, tmp_path)
    assert not (tmp_path / FACTS_FILE).exists()
    assert read_artifact(tmp_path).facts is None


def test_facts_stay_with_their_trials(known: Dataset) -> None:
    assert known.facts
    mask = known.subjects == "S03"
    chosen = known.select(mask).facts
    assert chosen
    np.testing.assert_array_equal(chosen.samples, known.facts.samples[mask])
    order = np.random.default_rng(1).permutation(len(known.labels))
    parts = {name: getattr(known, name)[order] for name in ("values", "labels", "subjects", "trials", "is_control")}
    assert same(replace(known, **parts, facts=known.facts.select(order)).facts, known.facts)


def test_facts_of_other_trials_are_refused(known: Dataset, tmp_path: Path) -> None:
    write_artifact(known, tmp_path)
    other = tmp_path / "other"
    write_artifact(known.select(known.subjects != "S01"), other)
    (other / FACTS_FILE).rename(tmp_path / FACTS_FILE)
    with pytest.raises(UserError, match=r"recordings.parquet does not match its dataset: .*; prepare it again"):
        read_artifact(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no Parquet", b"cut"])
def test_damaged_facts_are_one_line(content: bytes, known: Dataset, tmp_path: Path) -> None:
    write_artifact(known, tmp_path)
    path = tmp_path / FACTS_FILE
    path.write_bytes(path.read_bytes()[:-40] if content == b"cut" else content)
    with pytest.raises(UserError, match=r"recordings.parquet does not match its dataset") as caught:
        read_artifact(tmp_path)
    assert "\n" not in str(caught.value)
