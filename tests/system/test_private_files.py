"""Files and folders that their owner alone may read, whatever the umask."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from steps.system.private_files import owner_alone, private_file, private_folder, write_private


@pytest.fixture(params=[0o000, 0o022, 0o277])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """The user's umask: all may read, the usual one, one that takes even the owner's right to write."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def current_umask() -> int:
    now = os.umask(0o077)
    os.umask(now)
    return now


def test_what_libraries_make_inside_the_block(tmp_path: Path, umask: int) -> None:
    with owner_alone():
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "file").write_text("x")
    assert (mode(tmp_path / "folder"), mode(tmp_path / "folder" / "file")) == (0o700, 0o600)
    assert current_umask() == umask


def test_two_blocks_of_two_threads_end_in_either_order(tmp_path: Path, umask: int) -> None:
    inside, done = threading.Event(), threading.Event()

    def other() -> None:
        with owner_alone():
            inside.set()
            done.wait(10)

    thread = threading.Thread(target=other)
    with owner_alone():
        thread.start()
        assert inside.wait(10)
    (tmp_path / "file").write_text("x")  # the other thread is still inside
    done.set()
    thread.join(10)
    assert mode(tmp_path / "file") == 0o600
    assert current_umask() == umask


def test_a_block_that_fails_leaves_the_umask_as_it_was(umask: int) -> None:
    with pytest.raises(RuntimeError, match="inside"), owner_alone():
        raise RuntimeError("inside")
    assert current_umask() == umask


def test_folders_that_are_made_are_private_and_those_that_were_there_keep_their_mode(
    tmp_path: Path, umask: int
) -> None:
    tmp_path.chmod(0o755)
    assert private_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert [mode(path) for path in (tmp_path, tmp_path / "a", tmp_path / "a" / "b")] == [0o755, 0o700, 0o700]
    assert private_folder(tmp_path / "a" / "b").is_dir()


def test_a_file_for_a_library_to_write_to(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "file"
    assert mode(private_file(path)) == 0o600
    path.write_text("x")
    path.chmod(0o644)
    assert mode(private_file(path)) == 0o600
    assert path.read_text() == "x"


def test_a_link_is_never_followed_to_a_file_of_others(tmp_path: Path) -> None:
    (tmp_path / "others").write_text("x")
    (tmp_path / "others").chmod(0o644)
    (tmp_path / "file").symlink_to(tmp_path / "others")
    with pytest.raises(OSError, match="link"):
        private_file(tmp_path / "file")
    write_private(tmp_path / "file", b"y")
    assert (mode(tmp_path / "others"), (tmp_path / "others").read_text()) == (0o644, "x")


def test_writing_replaces_the_whole_file(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "file"
    for content in (b"longer", b"new"):
        write_private(path, content)
        assert (path.read_bytes(), mode(path)) == (content, 0o600)
    with pytest.raises(TypeError):
        write_private(path, "text")  # type: ignore[arg-type]
    assert path.read_bytes() == b"new"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
