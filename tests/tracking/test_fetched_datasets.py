"""Datasets of stores elsewhere: fetched as sources are, the right one or none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from steps.core.data.dataset import Dataset
from steps.core.data.manifest import read_manifest
from steps.errors import UserError
from steps.system.file_digests import digest_of_path
from steps.tracking import datasets
from steps.tracking.addresses import dataset_address

URI = "memory://lab/dataset"


@pytest.fixture
def elsewhere(small_study_folder: Path) -> Iterator[Any]:
    store = fsspec.filesystem("memory")
    store.pipe({f"/lab/dataset/{path.name}": path.read_bytes() for path in small_study_folder.iterdir()})
    yield store
    store.store.clear()
    store.pseudo_dirs[:] = [""]


def test_a_dataset_is_fetched_whole_and_is_the_one_that_was_meant(
    elsewhere: Any, small_study: Dataset, small_study_folder: Path, store: Path
) -> None:
    digest = digest_of_path(small_study_folder)
    for uri in (URI, f"{URI}#sha256={digest}"):
        assert datasets.resolve_dataset_uri(uri, "1") == uri
        assert datasets.load_dataset(uri).digest() == small_study.digest()
        # As a worker of another machine does, which is told the digest of the content as well.
        assert dataset_address(uri, small_study.digest()).load().digest() == small_study.digest()
    with pytest.raises(
        UserError, match=rf"dataset_uri {URI} has the SHA-256 {digest}, expected 0{{64}}: it is another"
    ):
        datasets.load_dataset(f"{URI}#sha256={'0' * 64}")
    with pytest.raises(UserError, match=f"cannot reach the dataset .*the dataset at {URI} has digest"):
        dataset_address(URI, "0" * 64).load()


def test_a_dataset_that_came_short_is_refused(elsewhere: Any, small_study_folder: Path) -> None:
    (data,) = (path for path in small_study_folder.iterdir() if path.suffix == ".parquet")
    assert read_manifest(small_study_folder).digest
    elsewhere.pipe(f"/lab/dataset/{data.name}", data.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"trials\.parquet"):
        datasets.load_dataset(URI)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("memory://lab/none", "^dataset_uri memory://lab/none cannot be fetched: there is no such file or folder$"),
        (f"{URI}/dataset.json", f"^dataset_uri {URI}/dataset.json is a file, expected the folder that 'prepare' made$"),
    ],
)
def test_what_is_no_dataset_is_one_line(elsewhere: Any, uri: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        datasets.load_dataset(uri)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("https://lab.example/dataset/", "expected 'latest', runs:/<run id>/dataset, a folder, or the address of one"),
        ("s3://lab/dataset#sha256=12", "^dataset_uri ends in #sha256=12, expected 64 digits"),
        ("s3://lab/dataset?X-Amz-Signature=s3cret", "dataset_uri holds a password or a token"),
        ("az://lab/dataset?sig=s3cret", "dataset_uri holds a password or a token"),
        ("s3://key:s3cret@lab/dataset", "dataset_uri holds a password or a token"),
    ],
)
def test_what_cannot_be_recorded_is_refused(uri: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        datasets.resolve_dataset_uri(uri, "1")
    assert "s3cret" not in str(refused.value)
