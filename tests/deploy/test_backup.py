"""What a backup holds and refuses, with stores in memory; real ones are in `test_round_trip.py`."""

from __future__ import annotations

import fcntl
import json
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from deploy import backup
from deploy.backup import Backups, restore
from deploy.stores import Database, ObjectStore, StoreError, Stores

START = datetime(2026, 11, 28, 2, 15, tzinfo=UTC)
# As an object store may have them, and no folder could.
FILES = {"1/r/artifacts/a": b"one", "1/r/artifacts/a/b": b"two", "../up": b"", "/é \n": b"one", "big": b"x" * 3_000_000}


@dataclass
class Memory:
    """An object store and two databases in memory; `happens` is called whenever somebody looks at one of them."""

    files: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    rows: dict[str, str] = field(default_factory=lambda: {"users.dump": "ada, ben", "runs.dump": "r is finished"})
    asked: list[str] = field(default_factory=list)
    connected: int = 0
    happens: Callable[[], object] = lambda: None

    @property
    def stores(self) -> Stores:
        databases = {name: cast(Database, InMemory(self, name)) for name in self.rows}
        return Stores(databases, cast(ObjectStore, Objects(self)))

    def ask(self, what: str) -> None:
        self.asked.append(what)
        self.happens()


@dataclass
class InMemory:
    memory: Memory
    name: str
    shown = "mlflow at database:5432"

    def dump(self, path: Path) -> None:
        self.memory.ask(self.name)
        path.write_text(self.memory.rows[self.name])

    def restore(self, path: Path) -> None:
        self.memory.rows[self.name] = path.read_text()

    def clear(self) -> None:
        self.memory.rows[self.name] = ""

    def tables(self) -> list[str]:
        return [self.name] if self.memory.rows[self.name] else []

    def others(self) -> int:
        return self.memory.connected


@dataclass
class Objects:
    memory: Memory

    def files(self) -> dict[str, tuple[int, str]]:
        self.memory.ask("list")
        return {key: (len(content), self.mark(content)) for key, content in self.memory.files.items()}

    def mark(self, content: bytes) -> str:
        return f'"{hash(content)}"'

    def read(self, key: str) -> tuple[str, Iterator[bytes]] | None:
        self.memory.ask(key)
        content = self.memory.files.get(key)
        return None if content is None else (self.mark(content), iter([content[:1000], content[1000:]]))

    def write(self, key: str, path: Path) -> None:
        self.memory.files[key] = path.read_bytes()

    def remove(self, keys: Iterable[str]) -> None:
        for key in keys:
            del self.memory.files[key]


@pytest.fixture(autouse=True)
def _no_wait_for_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a crash of this machine would lose is lost anyway."""
    monkeypatch.setattr("os.sync", lambda: None)


@pytest.fixture
def backups(tmp_path: Path) -> Backups:
    return Backups(tmp_path / "backups of a server")


def save(backups: Backups, memory: Memory, day: int = 0) -> tuple[str, int]:
    """The name of a new backup, and how many files were fetched for it."""
    with backups.locked():
        name, _, _, fetched, _ = backups.save(memory.stores, START + timedelta(days=day))
    return name, fetched


def test_everything_comes_back_whatever_it_is_called(backups: Backups) -> None:
    name, fetched = save(backups, Memory())
    assert (name, fetched) == ("2026-11-28T021500Z", len(FILES))
    empty = Memory({}, {"users.dump": "", "runs.dump": ""})
    restore(backups, name, empty.stores, replace=False)
    assert (empty.files, empty.rows) == (FILES, Memory().rows)


def test_users_are_saved_before_runs_and_runs_before_files(backups: Backups) -> None:
    memory = Memory()
    save(backups, memory)
    assert memory.asked[:3] == ["users.dump", "runs.dump", "list"]


def test_every_row_has_its_file_while_people_go_on_recording(backups: Backups) -> None:
    memory = Memory({}, {"runs.dump": "begun\n"})

    def record() -> None:  # as the client does: a file, and when it is stored, the row that says so
        number = len(memory.files)
        memory.files[f"file {number}"] = b"content of %d" % number
        memory.rows["runs.dump"] += f"file {number}\n"

    memory.happens = record
    name, _ = save(backups, memory)
    manifest = backups.check(name)
    rows = (backups.folder(name) / "runs.dump").read_text().split("\n")[1:-1]
    assert rows
    assert set(rows) < set(manifest.artifacts)


def test_a_database_that_was_emptied_is_not_saved(backups: Backups) -> None:
    with pytest.raises(StoreError, match="holds no tables; nothing was saved"):
        save(backups, Memory({}, {"users.dump": "ada", "runs.dump": ""}))
    assert backups.names() == []


def test_an_object_store_that_was_emptied_is_not_saved(backups: Backups) -> None:
    first, _ = save(backups, Memory({}))  # of a new server
    second, _ = save(backups, Memory(), day=1)
    with pytest.raises(StoreError, match="is empty, and the last backup has 5 files; nothing was saved"):
        save(backups, Memory({}), day=2)
    assert backups.names() == [first, second]


def test_a_file_that_is_deleted_meanwhile_is_no_error(backups: Backups) -> None:
    memory = Memory()
    memory.happens = lambda: memory.files.pop("big", None) if "list" in memory.asked[:-1] else None
    name, fetched = save(backups, memory)
    assert fetched == len(backups.check(name).artifacts) == len(FILES) - 1


def test_only_what_is_new_is_fetched_again_and_what_was_damaged(backups: Backups) -> None:
    memory = Memory()
    first, _ = save(backups, memory)
    memory.files |= {"new": b"new", "big": b"another"}
    second, fetched = save(backups, memory, day=1)
    assert fetched == 2
    damaged = backups.object(backups.manifest(second).artifacts["1/r/artifacts/a/b"].sha256)
    damaged.write_bytes(b"TWO")
    for name in (first, second):
        with pytest.raises(StoreError, match="is not what was saved"):
            backups.check(name)
    _, fetched = save(backups, memory, day=2)
    assert fetched == 1
    for name in backups.names():  # the older ones are whole again, too
        backups.check(name)


def test_old_backups_go_and_take_along_what_only_they_need(backups: Backups, tmp_path: Path) -> None:
    memory = Memory()
    for day in range(4):
        memory.files = FILES | {f"of day {day}": b"day %d" % day}
        save(backups, memory, day)
    assert backups.forget(keep=2) == 2
    assert backups.names() == ["2026-11-30T021500Z", "2026-12-01T021500Z"]
    for name in backups.names():
        backups.check(name)
    contents = {path.read_bytes() for path in tmp_path.glob("*/objects/*/*")}
    assert contents == {*FILES.values(), b"day 2", b"day 3"}


def test_what_somebody_else_keeps_under_the_same_names_stays(backups: Backups, tmp_path: Path) -> None:
    folder = tmp_path / "backups of a server"
    theirs = [
        folder / name for name in ("objects/ab/c0ffee", f"objects/zz/{64 * 'a'}", "objects/x.new", "backups/x.new/y")
    ]
    for path in theirs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    for day in range(3):
        save(backups, Memory(), day)
    assert backups.forget(keep=1) == 2
    assert [path.read_text() for path in theirs] == ["mine"] * 4


def objects(backups: Backups, name: str) -> Path:
    return backups.object(backups.manifest(name).artifacts["big"].sha256)


def rewrite(path: Path, change: Callable[[Any], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


DAMAGE: dict[str, Callable[[Backups, str], object]] = {
    "a file's byte": lambda b, n: objects(b, n).write_bytes(b"X" + objects(b, n).read_bytes()[1:]),
    "a file cut off": lambda b, n: objects(b, n).write_bytes(objects(b, n).read_bytes()[:-1]),
    "a file gone": lambda b, n: objects(b, n).unlink(),
    "a dump": lambda b, n: (b.folder(n) / "runs.dump").write_text("r is promoted"),
    "a dump gone": lambda b, n: (b.folder(n) / "users.dump").unlink(),
    "the list": lambda b, n: rewrite(b.folder(n) / "backup.json", lambda c: c["content"]["artifacts"].pop("../up")),
    "another version": lambda b, n: rewrite(b.folder(n) / "backup.json", lambda c: c.update(format=2)),
    "lists in lists": lambda b, n: (b.folder(n) / "backup.json").write_text("[" * 100_000),
    "no list": lambda b, n: (b.folder(n) / "backup.json").write_text("[]"),
    "the list gone": lambda b, n: (b.folder(n) / "backup.json").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_backup_is_refused_and_nothing_is_changed(backups: Backups, damage: str) -> None:
    name, _ = save(backups, Memory())
    DAMAGE[damage](backups, name)
    target = Memory({"mine": b"mine"}, {"users.dump": "me", "runs.dump": "mine"})
    with pytest.raises(StoreError, match=r"is damaged: .*; use another") as refused:
        restore(backups, name, target.stores, replace=True)
    assert "\n" not in str(refused.value)
    assert (target.files, target.rows) == ({"mine": b"mine"}, {"users.dump": "me", "runs.dump": "mine"})


@pytest.mark.parametrize(("files", "users", "runs"), [({"mine": b"mine"}, "", ""), ({}, "me", ""), ({}, "", "mine")])
def test_what_is_there_goes_only_when_said(backups: Backups, files: dict[str, bytes], users: str, runs: str) -> None:
    name, _ = save(backups, Memory())
    target = Memory(dict(files), {"users.dump": users, "runs.dump": runs})
    with pytest.raises(StoreError, match=r"something is there already: . tables and . files; nothing was changed"):
        restore(backups, name, target.stores, replace=False)
    assert (target.files, target.rows) == (files, {"users.dump": users, "runs.dump": runs})
    restore(backups, name, target.stores, replace=True)
    assert (target.files, target.rows) == (FILES, Memory().rows)


def test_nothing_is_brought_back_under_a_running_server(backups: Backups) -> None:
    name, _ = save(backups, Memory())
    target = Memory({}, {"users.dump": "", "runs.dump": ""}, connected=3)
    with pytest.raises(StoreError, match=r"programs are connected to database mlflow.* \(3\); stop the server first"):
        restore(backups, name, target.stores, replace=True)
    assert target.files == {}


def test_other_databases_than_those_that_were_saved_are_refused(backups: Backups) -> None:
    name, _ = save(backups, Memory())
    with pytest.raises(StoreError, match=r"holds users.dump, runs.dump, the variables name runs.dump"):
        restore(backups, name, Memory({}, {"runs.dump": ""}).stores, replace=False)


def test_a_restore_that_breaks_off_says_so(backups: Backups) -> None:
    name, _ = save(backups, Memory())
    target = Memory({}, {"users.dump": "", "runs.dump": ""})
    target.happens = lambda: target.files.update({"../up": b"lost half"})
    with pytest.raises(StoreError, match="does not hold what was written to it; what is there now is not whole"):
        restore(backups, name, target.stores, replace=True)


def test_backups_are_for_their_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stores, "of", lambda _: Memory().stores)
    assert backup.main(["save", str(tmp_path / "backups")]) == 0
    paths = [tmp_path / "backups", *(tmp_path / "backups").rglob("*")]
    assert len(paths) > 10
    assert [path for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_one_at_a_time_and_what_a_killed_one_left_is_swept_away(backups: Backups, tmp_path: Path) -> None:
    folder = tmp_path / "backups of a server"
    (folder / "backups/2026-11-27T021500Z.new").mkdir(parents=True)
    (folder / "objects").mkdir()
    (folder / f"objects/{64 * 'a'}.new").write_bytes(b"half")
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="another backup is being made"):
            save(backups, Memory())
    name, _ = save(backups, Memory())
    assert backups.names() == [name]
    assert not list(folder.rglob("*.new"))


def test_nothing_is_restored_while_a_backup_is_made_nor_saved_while_one_is_restored(
    backups: Backups, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "backups of a server"
    memory = Memory()
    monkeypatch.setattr(Stores, "of", lambda _: memory.stores)
    save(backups, memory)
    said: list[str] = []

    def meanwhile(*command: str) -> None:
        memory.happens = lambda: None
        assert backup.main([*command, str(folder)]) == 2
        said.append(capsys.readouterr().err)

    memory.happens = lambda: meanwhile("save")
    assert backup.main(["restore", "--replace", str(folder)]) == 0
    assert "another backup is being made, or restored" in said[0]
    memory.happens = lambda: meanwhile("restore", "--replace")
    assert backup.main(["save", str(folder)]) == 0
    assert "a backup is being made" in said[1]


def test_a_backup_beside_a_damaged_one_is_made_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Stores, "of", lambda _: Memory().stores)
    older = tmp_path / "backups/2026-11-27T021500Z/backup.json"
    older.parent.mkdir(parents=True)
    older.write_text("{}")
    assert backup.main(["save", str(tmp_path)]) == 2
    (made,) = set(Backups(tmp_path).names()) - {older.parent.name}
    assert f"error: backup {made} was made, but no older one was removed: {older} is damaged" in capsys.readouterr().err
    assert len(Backups(tmp_path).check(made).artifacts) == len(FILES)


def test_the_command_says_in_one_line_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*arguments: str) -> str:
        assert backup.main(list(arguments)) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n"), err[:7]) == ("", 1, "error: ")
        return err

    monkeypatch.delenv("MLFLOW_BACKEND_STORE_URI", raising=False)
    assert "MLFLOW_BACKEND_STORE_URI is not set" in refused("save", str(tmp_path))
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", "sqlite:////folder/file.db")
    monkeypatch.setenv("MLFLOW_ARTIFACTS_DESTINATION", str(tmp_path))
    assert "this is for PostgreSQL and S3" in refused("save", str(tmp_path))
    assert "holds no backup" in refused("check", str(tmp_path))
    (tmp_path / "backups/2026-11-27T021500Z").mkdir(parents=True)
    assert "holds no backup yesterday; there are 2026-11-27" in refused("check", str(tmp_path), "--backup", "yesterday")
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(Stores, "of", lambda _: Memory().stores)
    assert "Not a directory" in refused("save", str(tmp_path / "file"))
    assert "--keep is 0" in refused("save", str(tmp_path), "--keep", "0")
