"""Builds the package with a copy of the project's own statistics: the modules of ``steps/core/metrics`` it needs.

They are taken from the clone that this folder is part of, when the package is built, so that there is one source.
"""

from __future__ import annotations

import ast
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
FROM, TO = "steps.core.metrics", "mlflow_subjectwise.statistics"
BEGIN = ("estimates", "predictions")
NOTE = '"""The statistics of fear-classification, as they are in its ``steps/core/metrics``."""\n'


def statistics(root: Path = HERE.parent) -> dict[str, str]:
    """The modules, by name: what the first ones import, and so on, with their imports renamed.

    Raises:
        SystemExit: this folder is not in a clone of the project, or they need something else of it.
    """
    folder, found, wanted = root / Path(*FROM.split(".")), {}, list(BEGIN)
    while wanted:
        name = wanted.pop()
        if name in found:
            continue
        try:
            text = (folder / f"{name}.py").read_text(encoding="utf-8")
        except OSError as error:
            reason = f"{error.filename}: {error.strerror}; install from a clone, or from git+…#subdirectory=plugins"
            raise SystemExit(reason) from error
        for module in _imported(ast.parse(text)):
            package, _, needed = module.rpartition(".")
            if package != FROM:
                raise SystemExit(f"{FROM}.{name} imports {module}, which this package has not")
            wanted.append(needed)
        found[name] = text.replace(f"from {FROM}.", f"from {TO}.")
    return found


def _imported(tree: ast.Module) -> list[str]:
    """What of the project a module imports when it runs, not for its types only."""
    nodes = [node for node in tree.body if not isinstance(node, ast.If)]
    imports = [each for node in nodes for each in ast.walk(node) if isinstance(each, ast.ImportFrom)]
    return [node.module for node in imports if node.module and node.module.startswith("steps.")]


class WithStatistics(build_py):
    """`build_py`, and the statistics."""

    def run(self) -> None:
        """Build."""
        super().run()
        folder = Path(self.build_lib, *TO.split("."))
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in {"__init__": NOTE, **statistics()}.items():
            (folder / f"{name}.py").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    setup(cmdclass={"build_py": WithStatistics})
