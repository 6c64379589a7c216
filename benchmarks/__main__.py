"""Everything that is measured, in one table: the plain way against the project.

    python -m benchmarks [--quick] [--output benchmark] [--torch-python PATH]

Each part is a command of its own and runs as a process of its own, one after the other, on a machine that should do
nothing else meanwhile.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from benchmarks.command import part
from benchmarks.measure import ROOT
from benchmarks.report import Result, from_json

# Training first: without the same accuracy on both sides there is nothing to compare.
PARTS: dict[str, tuple[str, ...]] = {
    "training cnn": ("training", "--model", "cnn"),
    "training cnn_wide": ("training", "--model", "cnn_wide"),
    "whole study": ("whole_study",),
    "attribution": ("attribution",),
    "ingestion": ("ingestion",),
    "tracking": ("tracking",),
    "models": ("model_logging",),
    "chain": ("chain",),
    "growth": ("growth",),
    "methods": ("methods",),
}


@part(__doc__)
@click.option("--torch-python", default=sys.executable, show_default=True, help="interpreter that has PyTorch, if any")
@click.option("--only", help=f"some of these, comma-separated: {', '.join(PARTS)}")
def main(quick: bool, torch_python: str, only: str | None) -> Result:
    """Run the parts and put their tables together."""
    wanted = {name.strip() for name in only.split(",")} if only else set(PARTS)
    if unknown := wanted - set(PARTS):
        raise click.BadParameter(f"{sorted(unknown)[0]!r}, expected some of {', '.join(PARTS)}", param_hint="--only")
    result = Result()
    with tempfile.TemporaryDirectory() as scratch:
        for name, (module, *options) in PARTS.items():
            if name not in wanted:
                continue
            output = Path(scratch) / module
            command = [sys.executable, "-m", f"benchmarks.{module}", *options, "--output", str(output)]
            command += ["--quick"] if quick else []
            command += ["--torch-python", torch_python] if module == "training" else []
            started = time.perf_counter()
            click.echo(f"== {name}", err=True)
            if subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False).returncode:
                raise click.ClickException(f"{name} failed, so there is no table: {' '.join(command)}")
            result.add(from_json(json.loads(output.with_suffix(".json").read_text(encoding="utf-8"))))
            click.echo(f"== {name}: {time.perf_counter() - started:.0f} s\n", err=True)
    return result


if __name__ == "__main__":
    main()
