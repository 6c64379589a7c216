"""Entry point ``main``, the driver: runs the steps in order and hands run IDs and artifact URIs on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import mlflow
from mlflow.entities import Run
from rich.console import Console
from rich.table import Table

from steps.cli import door
from steps.evaluate.thresholds import threshold_key
from steps.parameters import ENTRY_POINTS
from steps.prepare.load import source_fingerprint
from steps.tracking import lineage, record, reuse
from steps.tracking.children import run_step
from steps.tracking.session import show_uri, step_run


@dataclass(frozen=True)
class Done:
    """A step that is done: by this study, or by an earlier run that was as good."""

    entry_point: str
    run: Run
    reused: bool
    seconds: float


@door("main")
def main(parameters: dict[str, Any]) -> None:
    """Run a whole study: prepare, train, evaluate, attribute."""
    with step_run("main", parameters, run_name=parameters["run_name"]) as run:
        study = _Study(run, parameters)
        prepared = study.step("prepare", {}, source_fingerprint(parameters["source"]))
        tags = prepared.data.tags
        trained = study.step("train", {"dataset_uri": tags["dataset_uri"]}, tags["dataset_digest"])
        of_training = {"train_run_id": trained.info.run_id}
        evaluated = study.step("evaluate", of_training, trained.info.run_id)
        study.step("attribute", of_training, trained.info.run_id)
        metrics = {name: value for name, value in evaluated.data.metrics.items() if "/" in name}
        record.log(run.info.run_id, metrics=metrics)
        summary = mlflow.artifacts.load_dict(f"runs:/{evaluated.info.run_id}/summary.json")
        rows = result_rows(summary)
        record.describe(run.info.run_id, _description(rows, study.done))
        _print(rows, study.done, run)


class _Study:
    """The steps of one driver run."""

    def __init__(self, run: Run, parameters: dict[str, Any]) -> None:
        self._run = run
        self._parameters = {**parameters, "cwd": str(Path.cwd())}
        self.done: list[Done] = []

    def step(self, entry_point: str, handed_on: dict[str, str], inputs: str) -> Run:
        """Reuse or run one step and return its finished run."""
        given = {**self._parameters, **handed_on}
        parameters = {name: given[name] for name in ENTRY_POINTS[entry_point]}
        found, reason = None, "reuse=false"
        if self._parameters["reuse"]:
            identity = reuse.Identity.of(entry_point, parameters, inputs)
            found, reason = reuse.find(identity, self._run.info.experiment_id)
        if found:
            click.echo(f"{entry_point}: reused run {found.info.run_id} ({reason})")
        else:
            click.echo(f"{entry_point}: running ({reason})")
        started = time.perf_counter()
        run_id = found.info.run_id if found else run_step(entry_point, parameters, self._run)
        seconds = time.perf_counter() - started
        finished = found or lineage.find_run(entry_point, run_id, self._run.info.experiment_id)
        record.log(
            self._run.info.run_id,
            tags={f"{entry_point}_run_id": run_id},
            metrics={f"{entry_point}_wall_s": seconds},
        )
        self.done.append(Done(entry_point, finished, found is not None, seconds))
        return finished


def result_rows(summary: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The results as rows of metric, trials, subjects: value and 95% interval, or a dash where undefined."""
    names = {"auc": "AUC", "average_precision": "average precision"}
    for threshold in summary["thresholds"]:
        for metric in ("accuracy", "balanced_accuracy", "precision", "recall", "f1"):
            names[f"{threshold_key(threshold)}/{metric}"] = f"{metric.replace('_', ' ')} at {threshold:g}"

    def text(level: str, name: str) -> str:
        found = summary[level].get(name)
        if not found:
            return "–"
        interval = f" [{found['low']:.3f}, {found['high']:.3f}]" if "low" in found else ""
        return f"{found['value']:.3f}{interval}"

    return [(title, text("pooled", name), text("subject", name)) for name, title in names.items()]


_COLUMNS = ("metric", "trials", "subjects")
_CAPTION = "Held-out subjects only; in brackets 95% bootstrap intervals over subjects."


def _description(rows: list[tuple[str, str, str]], done: list[Done]) -> str:
    lines = [
        f"| {' | '.join(_COLUMNS)} |",
        "|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        _CAPTION,
        "",
    ]
    lines += [f"- {step.entry_point}: `{step.run.info.run_id}`{' (reused)' if step.reused else ''}" for step in done]
    return "\n".join(lines)


def _print(rows: list[tuple[str, str, str]], done: list[Done], run: Run) -> None:
    console = Console(highlight=False)
    results = Table(*_COLUMNS, title="Results", caption=_CAPTION)
    for row in rows:
        results.add_row(*row)
    runs = Table("step", "run", "", title="Runs")
    for step in done:
        runs.add_row(step.entry_point, step.run.info.run_id, "reused" if step.reused else f"{step.seconds:.0f} s")
    runs.add_row("main", run.info.run_id, "")
    console.print(results)
    console.print(runs)
    click.echo(_ui_hint(run))


def _ui_hint(run: Run) -> str:
    uri = mlflow.get_tracking_uri()
    page = f"#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
    if uri.startswith("http"):
        return f"see it at {show_uri(uri).rstrip('/')}/{page}"
    folder = Path.cwd()
    option = "" if uri == f"sqlite:///{folder / 'mlflow.db'}" else f" --backend-store-uri {show_uri(uri)}"
    return f"see it with: cd {folder} && mlflow ui{option}   then http://127.0.0.1:5000/{page}"


if __name__ == "__main__":
    main()
