"""A record may come from anybody: whatever is in it, nothing is read or written elsewhere, and one line says why."""

from __future__ import annotations

import hashlib
import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tests.carried import sync

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def files(record: Path) -> Files:
    """What is in a sound record."""
    with zipfile.ZipFile(record) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def listed(files: Files) -> Files:
    """The files with a list that fits them, as whoever made them would write it."""
    manifest = json.loads(files["record.json"])
    manifest["files"] = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
        if name != "record.json"
    }
    return {**files, "record.json": json.dumps(manifest).encode()}


def zipped(path: Path, files: Files, change: Callable[[zipfile.ZipInfo], None] = lambda _entry: None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            change(entry)
            archive.writestr(entry, content)
    return path


def refused(store: Path, path: Path) -> str:
    """The line that refuses a record; nothing of it is anywhere."""
    before = sorted(store.rglob("*"))
    done = sync(store, from_=path)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.output
    assert sorted(store.rglob("*")) == before
    client = MlflowClient(f"sqlite:///{store / 'mlflow.db'}")
    assert client.search_runs([one.experiment_id for one in client.search_experiments()]) == []
    return done.stderr


def artifact(files: Files, end: str) -> str:
    return next(name for name in files if name.startswith("artifacts/") and name.endswith(end))


OWNER = "0" * 32


NAMES = (
    f"artifacts/{OWNER}/../../../out",
    "/out/of/here",
    "../out",
    f"artifacts/{OWNER}//out",
    f"artifacts/{OWNER}/a\\..\\out",
    "mlflow.db",
    "tables/secrets.jsonl",
    f"artifacts/{OWNER}/{'x' * 300}",
)


def test_a_name_that_leads_elsewhere(store: Path, files: Files) -> None:
    for name in NAMES:
        line = refused(store, zipped(store / "bad.zip", listed({**files, name: b"x"})))
        assert "leads somewhere else; nothing was taken from it" in line


def test_what_is_no_ordinary_file(store: Path, files: Files) -> None:
    link = artifact(files, "report.md")

    def as_link(entry: zipfile.ZipInfo) -> None:
        if entry.filename == link:
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16

    line = refused(store, zipped(store / "bad.zip", listed({**files, link: b"/etc/passwd"}), as_link))
    assert "is no ordinary file" in line


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_does_not_fit_its_list(store: Path, files: Files) -> None:
    report = artifact(files, "report.md")
    other = bytes(reversed(files[report]))
    assert "is not the file that was packed" in refused(store, zipped(store / "a.zip", {**files, report: other}))
    assert "has another size than in its list" in refused(store, zipped(store / "b.zip", {**files, report: b"x"}))
    assert "is not in its list" in refused(store, zipped(store / "c.zip", {**files, f"artifacts/{OWNER}/x": b""}))
    without = {name: content for name, content in files.items() if name != report}
    assert "is in its list, but not in it" in refused(store, zipped(store / "d.zip", without))
    twice = zipped(store / "e.zip", files)
    with zipfile.ZipFile(twice, "a") as archive:
        archive.writestr(report, files[report])
    assert "is in it twice" in refused(store, twice)
    both = listed({**files, f"artifacts/{OWNER}/x": b"", f"artifacts/{OWNER}/x/y": b""})
    assert "is a file and a folder in it" in refused(store, zipped(store / "f.zip", both))


def test_what_is_cut_off_or_no_record(store: Path, files: Files) -> None:
    whole = zipped(store / "whole.zip", files).read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        (store / "cut.zip").write_bytes(whole[:size])
        assert "is no whole zip file" in refused(store, store / "cut.zip")
    with zipfile.ZipFile(store / "whole.zip") as archive:
        entry = archive.getinfo(artifact(files, "report.md"))
    spoiled = bytearray(whole)
    spoiled[entry.header_offset + 30 + len(entry.filename) + 5] ^= 0xFF  # in what it holds
    (store / "spoiled.zip").write_bytes(spoiled)
    refused(store, store / "spoiled.zip")
    assert "has no list record.json" in refused(store, zipped(store / "other.zip", {"a.txt": b"x"}))
    for content in (b"", b"[]", b"{", b"[" * 100_000, b'{"format": 1}'):
        assert "its list record.json is damaged" in refused(store, zipped(store / "l.zip", {"record.json": content}))
    newer = {**files, "record.json": files["record.json"].replace(b'"version": 1', b'"version": 2')}
    assert "use the version of the project that made it" in refused(store, zipped(store / "newer.zip", newer))


def test_a_bomb(store: Path, files: Files) -> None:
    bomb = listed({**files, f"artifacts/{OWNER}/zeros": bytes(80 << 20)})
    assert "unpacks to 83.89 MB, as no study's files do" in refused(store, zipped(store / "bomb.zip", bomb))


def rows(files: Files, table: str, change: Callable[[dict[str, Any]], object]) -> Files:
    """The record with every row of a table changed."""
    name, changed = f"tables/{table}.jsonl", []
    for line in files[name].splitlines():
        row = json.loads(line)
        change(row)
        changed.append(json.dumps(row))
    return listed({**files, name: "\n".join(changed).encode()})


QUICK = (
    ("runs", "run_uuid", "../../x"),
    ("tags", "run_uuid", "0" * 32),
    ("metrics", "step", 2**70),
    ("logged_models", "model_id", "m-'; DROP TABLE runs"),
    ("model_versions", "source", "file:///etc"),
)
SLOW = (
    ("runs", "run_uuid", "0" * 32),  # all the same
    ("runs", "status", "RUNNING"),
    ("runs", "experiment_id", 77),
    ("tags", "value", "\ud800"),
    ("params", "value", "x" * 10_000),
    ("metrics", "value", "1"),
    ("metrics", "is_nan", True),
    ("logged_models", "source_run_id", "0" * 32),
    ("inputs", "destination_id", None),
    ("registered_models", "name", ["x"]),
)


@pytest.mark.parametrize(
    ("table", "column", "value"), [*QUICK, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)]
)
def test_a_row_that_no_store_would_write(store: Path, files: Files, table: str, column: str, value: Any) -> None:
    bad = rows(files, table, lambda row: row.update({column: value}))
    line = refused(store, zipped(store / "bad.zip", bad))
    assert f"a row of {table} has " in line


def test_tables_that_are_none(store: Path, files: Files) -> None:
    for content in (b"{", b"[" * 100_000, b"1\n", b'{"key": 1}\n', b"\xff\n"):
        bad = listed({**files, "tables/tags.jsonl": content})
        assert "is refused: " in refused(store, zipped(store / "bad.zip", bad))
    without = listed({name: content for name, content in files.items() if name != "tables/tags.jsonl"})
    assert "table tags is missing" in refused(store, zipped(store / "bad.zip", without))


def test_places_of_another_machine_are_never_read(store: Path, files: Files, tmp_path: Path) -> None:
    secret = tmp_path / "private"
    secret.mkdir()
    (secret / "key.txt").write_text("s3cret")
    evil = rows(files, "runs", lambda row: row.update(artifact_uri=secret.as_uri()))
    evil = rows(evil, "experiments", lambda row: row.update(artifact_location=secret.as_uri()))
    evil = rows(evil, "logged_models", lambda row: row.update(artifact_location=str(secret)))
    evil = rows(evil, "datasets", lambda row: row.update(dataset_source=json.dumps({"uri": str(secret)})))
    done = sync(store, from_=zipped(store / "evil.zip", evil))
    assert done.exit_code == 0, done.output
    copied = [path for path in (store / "mlruns").rglob("*") if path.is_file()]
    assert copied
    assert not [path for path in copied if path.name == "key.txt" or b"s3cret" in path.read_bytes()]
    assert [path.name for path in secret.iterdir()] == ["key.txt"]
