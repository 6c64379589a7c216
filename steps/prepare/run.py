"""The whole step: a source of recordings, read, validated, stored and recorded."""

from __future__ import annotations

import os
import shlex
import tempfile
from dataclasses import replace
from pathlib import Path

import click

from steps.compute.pace import pace
from steps.configuration import Prepare
from steps.core.audit import audit
from steps.core.data.artifact import write_artifact
from steps.core.data.manifest import Origin
from steps.core.quality.document import document, table
from steps.core.quality.look import look
from steps.core.readers.described.description import FILE
from steps.core.readers.described.suggest import suggestion
from steps.core.readers.files import Fingerprint
from steps.core.readers.load import SIMULATED, load_source, unchanged
from steps.report.audit import audit_text
from steps.report.quality import printed, quality_html
from steps.system.fetched import at_hand
from steps.system.private_files import owner_alone
from steps.tracking import datasets, record, reuse
from steps.tracking.session import step_run
from steps.writing.markdown import bullets


def suggest(folder: str) -> None:
    """Print a first description of the study in a folder, and leave it there where there is none.

    Raises:
        UserError: the folder holds nothing to describe.
    """
    with at_hand(folder) as here:
        path = Path(here.path)
        text = suggestion(path)
    click.echo(text, nl=False)
    if here.notes:
        click.echo(f"not written, as {folder} is elsewhere; keep it as a file, then: study=FILE", err=True)
        return
    try:
        handle = os.open(path / FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        click.echo(f"{path / FILE} is there already and was left as it is", err=True)
        return
    except OSError as error:
        click.echo(f"{path / FILE} was not written: {error.strerror}", err=True)
        return
    with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123, it is open already
        file.write(text)
    click.echo(
        f"written to {path / FILE}; look at it, then: python -m steps.prepare --source {shlex.quote(folder)}", err=True
    )


def prepare(configuration: Prepare) -> None:
    """Read and validate recordings and store them as a dataset artifact.

    Raises:
        UserError: the parameters or the recordings cannot be used.
    """
    with step_run("prepare", configuration.given, files=configuration.files) as run:
        fingerprint = Fingerprint()
        with (
            pace("fetching") as fetching,
            at_hand(configuration.source, fetching) as here,
            unchanged(here.path, configuration.study),
            pace("reading") as reading,
        ):
            dataset = load_source(here.path, **configuration.reading(), fingerprint=fingerprint, watch=reading)
        inputs = here.path if here.path == SIMULATED else fingerprint.hexdigest()
        run_id = run.info.run_id
        dataset = replace(
            dataset,
            source=configuration.source,
            notes=(*here.notes, *dataset.notes),
            origin=Origin(**here.origin) if here.origin else None,
        )
        quality = look(dataset)
        found = document(dataset, quality)
        with tempfile.TemporaryDirectory() as folder, owner_alone():
            manifest = write_artifact(dataset, Path(folder))
            record.log_path(run_id, Path(folder), datasets.DATASET_FOLDER)
            record.log_files(
                run_id,
                {
                    "quality.json": found,
                    "quality.csv": table(dataset, quality),
                    "quality.html": quality_html(found, dataset.source).encode(),
                    **({FILE: dataset.description.encode()} if dataset.description else {}),
                },
            )
        uri = f"runs:/{run_id}/{datasets.DATASET_FOLDER}"
        audited = audit.audit(dataset, seed=configuration.seed)
        audit_document = audit.document(audited)
        record.log_files(run_id, {"audit.json": audit_document, "audit.csv": audit.table(audited)})
        record.log(
            run_id,
            tags={
                "dataset_uri": uri,
                "dataset_digest": manifest.digest,
                **reuse.Identity.of("prepare", configuration.given, inputs).tags(),
            },
            metrics={
                "trials": manifest.trials,
                "timesteps": manifest.timesteps,
                "features": len(manifest.features),
                "subjects": manifest.patients,
                "control_subjects": len(manifest.subjects) - manifest.patients,
                "trials_negative": manifest.class_counts["0"],
                "trials_positive": manifest.class_counts["1"],
                "quality_findings": len(quality.findings),
                "quality_severe": sum(one.is_severe for one in quality.findings),
                "audit_findings": audited.findings,
            },
        )
        record.log_dataset_input(manifest, uri, context="prepare")
        said = audit_text(audit_document, dataset.label_names)
        lines = [
            *manifest.sentences,
            *manifest.notes,
            f"{printed(found)}{'' if said.cautions else f'; audit: nothing was found ({audited.checks} checks)'}",
            *said.cautions,
            f"digest {manifest.digest}",
        ]
        record.describe(run_id, bullets(lines))
        for line in lines:
            click.echo(line)
