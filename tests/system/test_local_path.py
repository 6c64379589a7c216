"""Which path a source means."""

from __future__ import annotations

from pathlib import Path

import pytest

from steps.errors import UserError
from steps.system.local_path import as_uri, is_remote, local_path


@pytest.mark.parametrize("name", ["study.csv", "a b#c?d%e ü.csv", "study"])
def test_home_folders_and_file_addresses_are_paths(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / name
    monkeypatch.setenv("HOME", str(tmp_path))
    addresses = [path.as_uri(), f"file://localhost{path.as_uri().removeprefix('file://')}", f"file:{path}"]
    for source in [f"~/{name}", *addresses]:
        assert local_path(source) == str(path)
        assert not is_remote(source)
        assert as_uri(source) == path.as_uri()


def test_other_paths_and_names_stay_as_they_are() -> None:
    for source in ("simulated", "./simulated", "study/recordings.csv", "a~b.csv", "x" * 300):
        assert local_path(source) == source
        assert not is_remote(source)


def test_addresses_of_artifacts_are_told_from_paths() -> None:
    for address in ("runs:/abc/dataset", "s3://bucket/dataset"):
        assert is_remote(address)
        assert as_uri(address) == address


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("file://server/study.csv", r"names the machine 'server', expected a file of this machine.*file:///folder"),
        (
            "https://me:secret@host/a.csv?token=secret",
            r"is an address \(https:\), expected a folder .*: download",
        ),
        ("s3://bucket/study.csv", r"an address \(s3:\)"),
        ("runs:/abc/dataset", r"an address \(runs:\)"),
    ],
)
def test_what_lies_elsewhere_is_no_path(source: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        local_path(source)
    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_nobody_has_no_home() -> None:
    with pytest.raises(UserError, match="Could not determine home directory"):
        local_path("~nobody-of-this-name/study.csv")
