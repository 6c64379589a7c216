"""Temporary files: in a folder of the process, gone at its end, or removed by the next one."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from steps.system.scratch import common_folder, temporary_files
from tests.conftest import ROOT

WAITS = """
import sys, tempfile, time
from pathlib import Path
from steps.cli import command
@command("sync")
def main(configuration):
    folder = tempfile.mkdtemp()
    (Path(folder) / "recording.csv").write_text("S01")
    print(folder, flush=True)
    time.sleep(60)
main()
"""


@pytest.fixture
def common(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The machine's folder for temporary files."""
    folder = Path(tempfile.mkdtemp(prefix="t"))  # a short path, as they are
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.delenv("FEAR_TMPDIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    shutil.rmtree(folder)


def own(common: Path) -> Path:
    return common / f"fear-{os.getuid()}"


def test_everything_temporary_is_the_owners_alone_and_gone_at_the_end(common: Path) -> None:
    with temporary_files():
        made = Path(tempfile.mkdtemp())
        (made / "file").touch()
        told = subprocess.run(
            [sys.executable, "-c", "import tempfile; print(tempfile.gettempdir())"], capture_output=True, text=True
        )
        assert made.parent.parent == own(common)
        assert Path(told.stdout.strip()) == made.parent
        assert {stat.S_IMODE(path.stat().st_mode) for path in (made.parent, own(common))} == {0o700}
        assert common_folder() == common
    assert list(own(common).iterdir()) == []
    assert (tempfile.gettempdir(), os.environ["TMPDIR"]) == (str(common), str(common))


def test_a_failure_leaves_nothing_behind_either(common: Path) -> None:
    def fail() -> None:
        with temporary_files():
            tempfile.mkdtemp()
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        fail()
    assert list(own(common).iterdir()) == []
    assert tempfile.gettempdir() == str(common)


def test_a_process_within_has_a_folder_beside_and_not_inside(common: Path) -> None:
    code = "import tempfile; from steps.system import scratch\n"
    code += "with scratch.temporary_files(): print(tempfile.gettempdir())"
    with temporary_files():
        told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        assert Path(told.stdout.strip()).parent == own(common)
        assert told.stdout.strip() != tempfile.gettempdir()


def test_what_a_killed_step_left_is_removed_by_the_next_and_what_is_in_use_is_not(common: Path) -> None:
    command = [sys.executable, "-c", WAITS, "--cwd", str(common)]
    with (
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as killed,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as working,
    ):
        assert killed.stdout
        assert working.stdout
        left, used = (Path(process.stdout.readline().strip()) for process in (killed, working) if process.stdout)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert (left / "recording.csv").exists()
        with temporary_files():
            assert not left.parent.exists()
            assert (used / "recording.csv").exists()
        working.terminate()
    assert list(own(common).iterdir()) == []


def test_a_name_that_somebody_else_has_taken_is_said(common: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = common / "elsewhere"
    elsewhere.mkdir()
    own(common).symlink_to(elsewhere)
    with temporary_files():
        assert tempfile.gettempdir() == str(common)
    assert "is not a folder of yours; temporary files go to" in capsys.readouterr().err
    assert list(elsewhere.iterdir()) == []


def test_a_folder_that_was_open_to_all_is_closed(common: Path) -> None:
    own(common).mkdir(0o777)
    own(common).chmod(0o777)
    with temporary_files():
        assert stat.S_IMODE(own(common).stat().st_mode) == 0o700


def test_a_link_in_the_folder_leads_nowhere(common: Path) -> None:
    kept = common / "kept"
    kept.mkdir()
    (kept / "file").touch()
    own(common).mkdir(0o700)
    (own(common) / "link").symlink_to(kept)
    with temporary_files():
        pass
    assert (kept / "file").exists()


def test_a_path_too_long_for_sockets_is_not_used(common: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = common / ("d" * 60)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with temporary_files():
        assert tempfile.gettempdir() == str(deep)
    assert list((deep / f"fear-{os.getuid()}").iterdir()) == []
