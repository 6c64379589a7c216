"""The installation against what conda.yaml pins, and the machine."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import pytest

from steps.check import installation
from steps.check.checklist import CheckError
from steps.check.installation import GIB, Imports
from tests.conftest import ROOT

CONDA = (ROOT / "conda.yaml").read_text(encoding="utf-8")


def test_pins_are_those_of_the_file() -> None:
    import yaml

    listed = yaml.safe_load(CONDA)["dependencies"][-1]["pip"]
    assert installation.pins(CONDA) == dict(pin.split("==") for pin in listed)
    assert installation.pinned_python(CONDA) == (3, 11)


def test_this_environment_is_as_pinned() -> None:
    assert sys.executable in installation.check_python(CONDA)
    assert installation.check_packages(CONDA) == f"all {len(installation.pins(CONDA))} at the versions of conda.yaml"


@pytest.mark.parametrize("version", [(3, 10, 4), (3, 12, 0), (2, 7, 18)])
def test_another_python_fails(version: tuple[int, ...]) -> None:
    with pytest.raises(CheckError, match=r"Python \d\.\d+\.\d+, expected 3.11") as raised:
        installation.check_python(CONDA, version)
    assert "--env-manager uv" in raised.value.mend


def test_another_version_and_a_missing_package_fail() -> None:
    def version(name: str) -> str:
        if name == "keras":
            raise importlib.metadata.PackageNotFoundError(name)
        return "0.1" if name == "numpy" else installation.pins(CONDA)[name]

    with pytest.raises(CheckError) as raised:
        installation.check_packages(CONDA, version)
    pins = installation.pins(CONDA)
    assert raised.value.finding.startswith(f"keras is missing (pinned {pins['keras']}), numpy is 0.1 (pinned ")


def test_imports_name_what_cannot_be_imported() -> None:
    imports = Imports(("json", "no_such_module_here", "csv"))
    with pytest.raises(CheckError, match="no_such_module_here: ModuleNotFoundError: No module named"):
        imports.check()
    imports.stop()


def test_imports_survive_a_module_that_kills_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deadly.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    imports = Imports(("json", "deadly", "csv"))
    with pytest.raises(CheckError, match=r"importing deadly ended the process \(SIGILL\)"):
        imports.check()
    imports.stop()


def test_imports_say_whether_they_are_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    imports = Imports(("slow",))
    assert not imports.done(0.2)
    imports.stop()
    fast = Imports(("json",))
    assert fast.done(60)
    assert fast.check() == "json"
    fast.stop()


def test_disk() -> None:
    assert "5.0 GiB free" in installation.check_disk(Path.cwd(), lambda _: int(5 * GIB))
    assert "GiB free" in installation.check_disk(Path.cwd())
    with pytest.raises(CheckError, match=r"0\.10 GiB free"):
        installation.check_disk(Path.cwd(), lambda _: int(0.1 * GIB))


def test_memory() -> None:
    assert installation.check_memory(8 * GIB, 2) == "8.0 GiB available, 2 cores"
    assert installation.check_memory(2.5 * GIB, 4).endswith("train with -P workers=2")
    with pytest.raises(CheckError, match=r"0\.5 GiB available, 1 core; "):
        installation.check_memory(GIB / 2, 1)


def test_gpus_text() -> None:
    assert installation.gpus_text(["NVIDIA H200"]) == "seen: NVIDIA H200"
    assert installation.gpus_text([], {}, driver=False).startswith("none seen; not needed")
    assert "tensorflow[and-cuda]" in installation.gpus_text([], {}, driver=True)
    assert "hidden by CUDA_VISIBLE_DEVICES" in installation.gpus_text([], {"CUDA_VISIBLE_DEVICES": ""}, driver=True)
