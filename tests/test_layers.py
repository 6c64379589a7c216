"""The house: which room may know which, read from the imports of every module.

``docs/architecture.md`` draws this table.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median

import pytest

from tests.conftest import ROOT

LONGEST, MEDIAN = 350, 130

# What any room may use: it knows nothing of the rest.
GROUND = {"errors", "system", "writing"}
CORE = {
    f"core.{room}"
    for room in (
        "data",
        "formats",
        "signals",
        "readers",
        "quality",
        "models",
        "baselines",
        "metrics",
        "audit",
        "drift",
        "attribution",
        "tuning",
        "figures",
    )
}
TRACKING = {"tracking", "tracking.store", "tracking.models", "tracking.spool", "tracking.carry"}
TABLES = {"parameters", "parameter_types", "parameter_values", "presets", "commands"}
# A step knows everything below it, and no other step.
BELOW_STEPS = (
    GROUND
    | CORE
    | TRACKING
    | TABLES
    | {"cli", "configuration", "configuration_base", "compute", "report", "trained_folds"}
)
STEPS = (
    "prepare",
    "train",
    "evaluate",
    "attribute",
    "tune",
    "predict",
    "compare",
    "promote",
    "export",
    "monitor",
    "check",
    "sync",
    "main",
    "reproduce",
)

# Room -> the rooms it may import. A package is named by its path; a module directly under ``steps/`` by its name.
MAY_KNOW: dict[str, set[str]] = {
    "errors": set(),
    "writing": set(),
    "system": {"errors"},
    "parameter_types": {"errors"},
    "presets": {"parameter_types"},
    "parameter_values": {"errors"},
    "parameters": {
        "errors",
        "parameter_types",
        "parameter_values",
        "presets",
        "core.data",
        "core.models",
        "core.baselines",
    },
    "configuration_base": {"parameters", "compute", "core.readers"},
    "configuration": {
        "errors",
        "configuration_base",
        "parameters",
        "parameter_values",
        "compute",
        "core.data",
        "core.readers",
        "core.models",
        "core.attribution",
    },
    "parameter_files": GROUND | {"parameters", "parameter_types", "core.readers"},
    "commands": GROUND,
    "cli": GROUND | TABLES | {"configuration", "parameter_files"},
    "core.data": GROUND,
    "core.formats": GROUND,
    "core.signals": {"errors"},
    "core.readers": GROUND | {"core.data", "core.formats", "core.signals"},
    "core.quality": GROUND | {"core.data"},
    "core.models": GROUND | {"core.data"},
    "core.baselines": GROUND | {"core.data", "core.models"},
    "core.metrics": GROUND | {"core.data", "core.baselines"},
    "core.audit": GROUND | {"core.data", "core.models", "core.baselines"},
    "core.drift": GROUND | {"core.data", "core.metrics"},
    "core.attribution": GROUND | {"core.data", "core.models"},
    "core.tuning": GROUND | {"core.data", "core.models", "core.metrics"},
    "core.figures": GROUND | {"core.data", "core.metrics", "core.attribution"},
    "compute": GROUND,
    "tracking.store": GROUND | {"commands"},
    "tracking.spool": GROUND | {"commands", "tracking.store"},
    "tracking.models": GROUND | {"commands", "core.data", "core.models", "tracking.store", "tracking.spool"},
    "tracking": GROUND | TABLES | {"core.data", "tracking.store", "tracking.models", "tracking.spool"},
    "tracking.carry": GROUND | {"commands", "tracking.store", "tracking.spool", "tracking.models", "tracking"},
    "report": GROUND | TABLES | CORE | TRACKING,
    "trained_folds": GROUND | TABLES | TRACKING | {"core.data", "compute"},
    **dict.fromkeys(STEPS, BELOW_STEPS),
}
# Library -> the rooms that may know it.
ONLY_IN = {
    "mlflow": TRACKING | set(STEPS) | {"report", "trained_folds"},
    "distributed": {"compute"},
    "dask": {"compute"},
    "optuna": {"core.tuning"},
    "onnx": {"core.models"},
    "tf2onnx": {"core.models"},
    "onnxruntime": {"core.models", "tracking.models"},  # the last: the script in a model
    "tensorflow": {"core.models", "core.attribution", "system", "tracking.models"},  # likewise
}


def modules() -> dict[str, Path]:
    """Every module of ``steps`` by its dotted name, packages by their own."""
    paths = {}
    for path in sorted((ROOT / "steps").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        paths[name.removesuffix(".__init__")] = path
    return paths


def imports(name: str, path: Path) -> Iterator[str]:
    """What a module imports, at its top or inside its functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else str(node.module)


def room(module: str) -> str:
    """The room a module lies in."""
    parts = module.split(".")[1:]
    while parts and ".".join(parts) not in MAY_KNOW:
        parts.pop()
    return ".".join(parts)


MODULES = modules()


def test_every_module_lies_in_a_room() -> None:
    assert [name for name in MODULES if not room(name) and name not in ("steps", "steps.core")] == []


@pytest.mark.parametrize("name", [name for name in MODULES if room(name)])
def test_a_room_knows_only_those_below_it(name: str) -> None:
    own = room(name)
    known = {(room(other), other) for other in imports(name, MODULES[name]) if other.startswith("steps.")}
    assert sorted(other for its_room, other in known if its_room not in MAY_KNOW[own] | {own}) == []


def test_the_spool_is_used_through_its_face_only() -> None:
    inside = {
        (name, other)
        for name, path in MODULES.items()
        for other in imports(name, path)
        if other.startswith("steps.tracking.spool.") and room(name) != "tracking.spool"
    }
    assert sorted(inside) == []


def test_a_step_is_a_command_a_run_and_perhaps_a_worker() -> None:
    own = {"check", "promote", "reproduce"}  # what they try, judge and compare is nobody else's
    files = {path for step in {*STEPS} - own for path in (ROOT / "steps" / step).glob("*.py")}
    assert {path.name for path in files} == {"__init__.py", "__main__.py", "run.py", "worker.py"}


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_known_in_its_rooms_only(library: str) -> None:
    knowing = {name for name, path in MODULES.items() if any(i.split(".")[0] == library for i in imports(name, path))}
    assert sorted(name for name in knowing if room(name) not in ONLY_IN[library]) == []


def test_rooms_and_modules_run_in_no_circle() -> None:
    TopologicalSorter({own: known - {own} for own, known in MAY_KNOW.items()}).prepare()
    graph = {
        name: {other for other in imports(name, path) if other in MODULES and other != name and other != "steps"}
        for name, path in MODULES.items()
    }
    TopologicalSorter(graph).prepare()


def test_modules_are_small() -> None:
    lines = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()}
    assert {name: count for name, count in lines.items() if count > LONGEST} == {}
    assert median(lines.values()) < MEDIAN


def test_core_knows_neither_the_environment_nor_the_working_directory() -> None:
    for name, path in MODULES.items():
        if room(name).startswith("core."):
            nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            asked = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
            assert not asked & {"environ", "getenv", "getcwd", "cwd", "chdir"}, name


def rooms_drawing() -> list[str]:
    """The table as Mermaid: an arrow from each room to those it may know, but for what other arrows lead to anyway.

    All steps know the same, so they are one box.
    """
    known = {own: {other for other in others if other not in GROUND} for own, others in MAY_KNOW.items()}
    drawn = {f"steps[{', '.join(STEPS)}]": BELOW_STEPS - GROUND}
    drawn |= {own: others for own, others in known.items() if own not in STEPS}
    lines = []
    for own, others in drawn.items():
        further = {beyond for other in others for beyond in known[other]}
        lines += [f"    {own} --> {other}" for other in sorted(others - further)]
    return lines


def mermaid(number: int) -> list[str]:
    """Lines of one of the drawings in ``docs/architecture.md``, without the first."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    return page.split("```mermaid\n")[number].split("```")[0].splitlines()[1:]


def test_the_drawing_of_the_rooms_is_the_table() -> None:
    assert mermaid(2) == rooms_drawing()


def test_the_data_goes_through_rooms_that_exist() -> None:
    labels = [line.split('-- "')[1].split('" -->')[0] for line in mermaid(1)]
    assert labels
    assert set(labels) <= set(MAY_KNOW)
