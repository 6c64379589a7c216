"""Write ``MLproject`` from the tables in steps/parameters.py: `python scripts/mlproject.py` (or `make mlproject`)."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from steps.parameter_types import as_text  # noqa: E402
from steps.parameters import PARAMETERS, STEPS  # noqa: E402

HEADER = """\
# Written by scripts/mlproject.py from steps/parameters.py; do not edit. MLflow has no integers: float takes both.
name: fear-classification

conda_env: conda.yaml

entry_points:
"""


def mlproject() -> str:
    """The text of ``MLproject``: every entry point with its parameters, and a command that hands all of them on."""
    return HEADER + "\n".join(_entry_point(name) for name in STEPS)


def _entry_point(entry_point: str) -> str:
    names = STEPS[entry_point].parameters
    lines = [f"  {entry_point}:", "    parameters:"]
    for name in names:
        parameter = PARAMETERS[name]
        default = as_text(parameter.default)
        if parameter.mlproject_type != "float":
            default = _text(default)
        lines.append(f"      {name}: {{type: {parameter.mlproject_type}, default: {default}}}")
    handed_on = " ".join(f"--{name} {{{name}}}" for name in names)
    lines.append(f'    command: "python -m steps.{entry_point} {handed_on}"')
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    """Text as YAML takes it between braces, in quotes where it would be read as something else."""
    return value if yaml.safe_load(f"[{value}]") == [value] else f'"{value}"'


if __name__ == "__main__":
    (ROOT / "MLproject").write_text(mlproject(), encoding="utf-8")
