"""The project's files agree with each other: MLproject, parameters, environment, lock."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from scripts.mlproject import mlproject
from steps.parameters import PARAMETERS, RENAMED, STEPS
from tests.conftest import ROOT

PROJECT = yaml.safe_load((ROOT / "MLproject").read_text())


def pins(text: str) -> dict[str, str]:
    pinned = re.findall(r"^(?:\s*- )?([A-Za-z0-9_.\-]+)==([^\s\\;]+)", text, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pinned}


CONDA = pins((ROOT / "conda.yaml").read_text())
LOCK = pins((ROOT / "requirements-dev.txt").read_text())
LOOSE = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DEVELOPMENT = [*LOOSE["dependencies"], *(text for group in LOOSE["optional-dependencies"].values() for text in group)]


def closure(requirements: list[str]) -> set[str]:
    """Names of everything the requirements need, transitively, by the metadata of what is installed."""
    todo = [(Requirement(text), "") for text in requirements]
    seen: set[tuple[str, str]] = set()
    while todo:
        requirement, _ = todo.pop()
        for extra in ("", *requirement.extras):
            name = canonicalize_name(requirement.name)
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            for text in importlib.metadata.requires(name) or []:
                needed = Requirement(text)
                if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                    todo.append((needed, extra))
    return {name for name, _ in seen}


def test_mlproject_is_what_the_tables_say() -> None:
    assert (ROOT / "MLproject").read_text() == mlproject(), "run `make mlproject`"


def test_mlproject_is_read_back_as_the_tables_have_it() -> None:
    assert set(PROJECT["entry_points"]) == set(STEPS)
    for entry_point, step in STEPS.items():
        declared = PROJECT["entry_points"][entry_point]["parameters"]
        assert list(declared) == list(step.parameters), entry_point
        for name in step.parameters:
            parameter = PARAMETERS[name]
            assert declared[name]["type"] == parameter.mlproject_type, (entry_point, name)
            default = declared[name]["default"]
            assert parameter.parse(default) == parameter.default, (entry_point, name)


def module_of(entry_point: str) -> str:
    return f"steps.{entry_point}.__main__"


@pytest.mark.parametrize("entry_point", sorted(STEPS))
def test_command_line_has_the_same_defaults(entry_point: str) -> None:
    import importlib

    command = importlib.import_module(module_of(entry_point)).main
    defaults = {option.name: option.default for option in command.params if option.expose_value}
    taken = STEPS[entry_point].parameters
    older = {older: None for older, name in RENAMED.items() if name in taken}
    assert defaults == {name: PARAMETERS[name].default for name in taken} | older
    assert {option.name for option in command.params if option.hidden} == set(older)


def test_conda_environment_is_python_3_11_and_exact_pins() -> None:
    environment = yaml.safe_load((ROOT / "conda.yaml").read_text())
    assert environment["channels"] == ["conda-forge"]
    python, pip, listed = environment["dependencies"]
    assert (python, pip) == ("python=3.11", "pip")
    assert all(re.fullmatch(r"[a-z0-9.\-]+==[^=<>~]+", pin) for pin in listed["pip"])


def test_conda_environment_holds_what_pyproject_needs_transitively_and_nothing_else() -> None:
    assert set(CONDA) == closure(LOOSE["dependencies"]), "run `make lock`"


def test_lock_holds_the_same_versions_and_the_development_tools() -> None:
    assert set(LOCK) == closure(DEVELOPMENT), "run `make lock`"
    assert {name: LOCK[name] for name in CONDA} == CONDA


def test_pins_satisfy_the_loose_list() -> None:
    for text in DEVELOPMENT:
        requirement = Requirement(text)
        assert requirement.specifier.contains(Version(LOCK[canonicalize_name(requirement.name)])), text


def test_every_locked_requirement_has_hashes_and_no_index() -> None:
    text = (ROOT / "requirements-dev.txt").read_text()
    for entry in re.split(r"\n(?=[a-z])", text)[1:]:
        assert "--hash=sha256:" in entry, entry.splitlines()[0]
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text + (ROOT / "conda.yaml").read_text())


def test_tensorflow_is_imported_only_where_it_is_needed() -> None:
    without = [
        *("steps.prepare.run", "steps.main.run", "steps.predict.run", "steps.core.metrics.fold_metrics"),
        *("steps.evaluate.run", "steps.attribute.run"),  # recording and the bootstrap leave it to the pool
    ]
    code = (
        "import importlib, sys\n"
        f"for module in {without}:\n"
        "    importlib.import_module(module)\n"
        "    assert 'tensorflow' not in sys.modules, module\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("entry_point", sorted(STEPS))
def test_a_command_imports_nothing_that_reads_settings_when_it_is_imported(entry_point: str) -> None:
    module = module_of(entry_point)
    code = f"import {module}, sys; sys.exit(', '.join({{'mlflow', 'numpy', 'tensorflow'}} & set(sys.modules)) or 0)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_every_step_and_entry_point_is_documented() -> None:
    readme = (ROOT / "README.md").read_text()
    for entry_point in STEPS:
        assert f"`{entry_point}`" in readme
        assert (ROOT / "docs" / f"{entry_point}.md").is_file()


def test_no_path_of_a_machine_is_in_the_repository() -> None:
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    for name in tracked.stdout.split("\0"):
        path = Path(ROOT / name)
        if path.suffix in {".py", ".md", ".toml", ".yaml", ""} and path.is_file():
            assert not re.search(r"/(home|root|Users)/\w", path.read_text()), path
