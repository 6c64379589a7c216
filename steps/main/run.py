"""The driver: runs the steps in order and hands run IDs and artifact URIs on."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steps.compute import check_reachable
from steps.compute.pace import pace
from steps.configuration import Main
from steps.core.attribution.settings import no_controls
from steps.core.data.normalise import SUBJECT
from steps.core.readers.load import source_fingerprint
from steps.errors import UserError
from steps.parameters import STEPS
from steps.system.fetched import at_hand
from steps.tracking import lookup, record, reuse
from steps.tracking.children import run_step
from steps.tracking.export import NOWHERE, check_output_dir, export_tables
from steps.tracking.models import registry
from steps.tracking.models.final_model import ONE_PERSON
from steps.tracking.session import step_run
from steps.tracking.spool import Replicator, recording
from steps.tracking.store.ui import run_page

if TYPE_CHECKING:
    from mlflow.entities import Run

    from steps.report.data import ReportData


@dataclass(frozen=True)
class Outcome:
    """A finished study.

    Attributes:
        data: what its report was made of.
        model: address and version of the model for new people; empty where none was registered.
        report: where the report lies beside MLflow; empty where it does not.
    """

    data: ReportData
    model: str
    report: str


def run_study(configuration: Main) -> None:
    """Run a whole study: prepare, train, evaluate, attribute; print what came of it.

    Raises:
        UserError: the parameters cannot be used, or a step failed.
    """
    check_output_dir(configuration.output_dir)
    check_reachable(configuration.compute)
    with (
        recording(Path.cwd()) as replicator,
        step_run("main", configuration.given, run_name=_name(configuration), files=configuration.files) as run,
    ):
        study = _Study(run, configuration)
        outcome = _run(study, run, configuration)
    _print(outcome, run, replicator)


def _name(configuration: Main) -> str:
    """What tells studies apart in a list: ``fear: recordings, cnn, loso``."""
    parts = (Path(configuration.source).stem, configuration.model, str(configuration.cv))
    return f"{configuration.run_name}: {', '.join(parts)}"


def _run(study: _Study, run: Run, configuration: Main) -> Outcome:
    """The steps and what is made of them."""
    # Imported while the first step runs in another process: what draws the report takes seconds.
    threading.Thread(target=import_module, args=("steps.report.render",), daemon=True).start()
    with pace("fetching") as fetching, at_hand(configuration.source, fetching) as here:  # prepare takes the same copy
        with pace("looking at files") as looking:
            fingerprint = source_fingerprint(here.path, configuration.study, looking)
        prepared = study.step("prepare", {}, fingerprint)
    if configuration.attribution_baseline == "control" and not prepared.data.metrics["control_subjects"]:
        raise no_controls()
    tags = prepared.data.tags
    trained = study.step("train", {"dataset_uri": tags["dataset_uri"]}, tags["dataset_digest"])
    of_training = {"train_run_id": trained.info.run_id}
    study.step("evaluate", of_training, trained.info.run_id)
    study.step("attribute", of_training, trained.info.run_id)
    from steps.core.metrics.flat_metrics import headline_metrics, primary_metrics
    from steps.report.collect import report_data
    from steps.report.render import description, report_html, report_markdown
    from steps.report.runtime import runtime_summary

    data = report_data(run, configuration.given, study.done)
    record.log(run.info.run_id, metrics=headline_metrics(data.summary))
    record.log_dataset_input(data.manifest, tags["dataset_uri"], context="study")
    if (fitted := lookup.final_model(trained)) and fitted.model_id:
        record.log_model_output(run.info.run_id, fitted.model_id)
    pages = {"report.html": report_html(data), "report.md": report_markdown(data)}
    runtime = runtime_summary(data)
    record.log_files(run.info.run_id, {**{name: page.encode() for name, page in pages.items()}, "runtime.csv": runtime})
    record.describe(run.info.run_id, description(data))
    tables = {"results": data.results, "subjects": data.subjects, "feature_importance": data.importance}
    report = {"report.html": pages["report.html"]}
    folder = export_tables(configuration.output_dir, run, {**tables, "runtime": runtime}, report)
    model = ""
    if configuration.register:
        evidence = {name: f"{value:.6g}" for name, value in primary_metrics(data.summary).items()}
        said = f"{ONE_PERSON}\n\n" if configuration.normalise == SUBJECT else ""
        text = said + description(data, registry.DESCRIPTION_LENGTH - len(said))
        model = _register(trained, evidence | {"main_run_id": run.info.run_id}, text)
    return Outcome(data, model, str(folder / "report.html") if folder else "")


def _register(trained: Run, evidence: dict[str, str], text: str) -> str:
    """Register the model fitted on all subjects; returns its address and version."""
    model = lookup.final_model(trained)
    if model is None:
        raise UserError(f"train run {trained.info.run_id} has no final model to register; train again: reuse=false")
    runs = {"train_run_id": trained.info.run_id, "dataset_digest": trained.data.tags["dataset_digest"]}
    version = registry.register(model.run_id, model.uri, {**runs, **evidence}, text)
    return f"models:/{version.name}@{registry.CHALLENGER}, version {version.version}"


class _Study:
    """The steps of one driver run."""

    def __init__(self, run: Run, configuration: Main) -> None:
        self._run = run
        # The driver exports the tables of all steps itself.
        self._parameters = {**configuration.given, "cwd": str(Path.cwd()), "output_dir": NOWHERE}
        self.done: dict[str, tuple[Run, bool]] = {}  # of each step its run, and whether an earlier study had made it

    def step(self, entry_point: str, handed_on: dict[str, str], inputs: str) -> Run:
        """Reuse or run one step and return its finished run."""
        given = {**self._parameters, **handed_on}
        parameters = {name: given[name] for name in STEPS[entry_point].parameters}
        reusable, reason = None, "reuse=false"
        if self._parameters["reuse"]:
            identity = reuse.Identity.of(entry_point, parameters, inputs)
            reusable, reason = reuse.find(identity, self._run.info.experiment_id, str(parameters.get("source", "")))
        if reusable:
            click.echo(f"{entry_point}: reused run {reusable.info.run_id} ({reason})")
        else:
            click.echo(f"{entry_point}: running ({reason})")
        started = time.perf_counter()
        run_id = reusable.info.run_id if reusable else run_step(entry_point, parameters, self._run)
        seconds = time.perf_counter() - started
        finished = reusable or lookup.find_run(entry_point, run_id, self._run.info.experiment_id)
        record.log(
            self._run.info.run_id,
            tags={f"{entry_point}_run_id": run_id},
            metrics={f"{entry_point}_wall_s": seconds},
        )
        if not reusable:
            click.echo(f"{entry_point}: run {run_id}, {seconds:.0f} s")
        self.done[entry_point] = finished, reusable is not None
        return finished


def _print(outcome: Outcome, run: Run, replicator: Replicator | None) -> None:
    from steps.report import terminal

    to = terminal.console()
    terminal.show_results(outcome.data.summary, to)
    page = run_page(run)
    if replicator:
        page = [address] if (address := replicator.page_of(run.info.run_id)) else []
    terminal.show_closing(terminal.closing_lines(outcome.data, outcome.model, outcome.report, page), to)
