"""Resolve the loose lists of pyproject.toml: `python scripts/lock.py` (or `make lock`).

Writes requirements-dev.txt (everything, with hashes, for development and tests), conda.yaml (what the project runs
on, exact pins, the same versions) and deploy/server/requirements.txt (what a tracking server runs on, with hashes, the
same versions). None names a package index. `--upgrade` moves to newer versions.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import uv
import yaml

ROOT = Path(__file__).parents[1]
PYTHON = "3.11"
LOCK = "requirements-dev.txt"
SERVER = "deploy/server/requirements"
HEADER = "# Written by scripts/lock.py from {}; do not edit.\n"
# The installer is part of the conda environment itself.
PIP = "pip"


def compile_requirements(source: str, *options: str) -> str:
    """What uv resolves a loose list to, as the text of a requirements file."""
    command = [uv.find_uv_bin(), "pip", "compile", source, "--python-version", PYTHON, "--no-header"]
    command += ["--python-platform", "linux", "--no-annotate", "--no-emit-index-url", "--quiet", *options]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    """Write all three files."""
    upgrade = [] if "--upgrade" in sys.argv[1:] or not (ROOT / LOCK).exists() else ["--constraint", LOCK]
    extras = [word for name in ("dev", "baselines", "formats", "onnx", "tune") for word in ("--extra", name)]
    lock = compile_requirements("pyproject.toml", *extras, "--generate-hashes", *upgrade)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("\n".join(re.findall(r"^[\w.\-]+(?:\[[^\]]*\])?==[^ \\]+", lock, re.MULTILINE)))
        constraints.flush()
        pins = compile_requirements("pyproject.toml", "--constraint", constraints.name).split("\n")
        server = compile_requirements(f"{SERVER}.in", "--generate-hashes", "--constraint", constraints.name)
    (ROOT / LOCK).write_text(HEADER.format("pyproject.toml") + lock, encoding="utf-8")
    (ROOT / f"{SERVER}.txt").write_text(HEADER.format(f"{SERVER}.in") + server, encoding="utf-8")
    environment = {
        "name": "fear-classification",
        "channels": ["conda-forge"],
        "dependencies": [f"python={PYTHON}", PIP, {"pip": [pin.strip() for pin in pins if pin.strip()]}],
    }
    text = yaml.safe_dump(environment, sort_keys=False, width=200)
    (ROOT / "conda.yaml").write_text(HEADER.format("pyproject.toml") + text, encoding="utf-8")


if __name__ == "__main__":
    main()
