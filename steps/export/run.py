"""The whole step: a final model converted, compared, recorded as a model and written to a file."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Final

import click

from steps.configuration import Export
from steps.core.data.labelling import SCORE
from steps.core.data.normalise import SUBJECT
from steps.core.data.training_reference import TrainingReference
from steps.core.models import onnx_file
from steps.errors import UserError, shown
from steps.parameter_values import AUTO, NONE, parse_threshold
from steps.system.private_files import write_private
from steps.system.untrusted_files import size
from steps.tracking import record
from steps.tracking.models import final_model, loading, registry
from steps.tracking.models.fold_model import MODEL
from steps.tracking.session import step_run
from steps.tracking.spool import current, id_on_server
from steps.tracking.store.ui import say_where
from steps.writing.markdown import plain

DEFAULT_THRESHOLD: Final = 0.5
_SUFFIX: Final = ".onnx"
# What whoever uses the file has to know. Nothing of single people: the file is made to be given away.
_OF_TRAINING: Final = (
    "features", "units", "time", "time_unit", "time_normalised", "timing", "normalise", "labels", "labelling",
    "description", "dataset_digest", "mean", "sd", "usual_distance",
)  # fmt: skip


def export_and_record(configuration: Export) -> None:
    """The whole step; nothing but the run itself is recorded unless the ONNX file says what the network says.

    Raises:
        UserError: a package is missing, the file cannot be written, there is no such model, or it cannot be converted.
    """
    onnx_file.check_installed()
    path = None if configuration.to == NONE else _path(configuration.to, overwrite=configuration.overwrite)
    with step_run("export", configuration.given) as run:
        run_id = run.info.run_id
        model = loading.fetch(registry.resolve(configuration.model_uri))
        trained, uri = model.training, model.reference.uri
        network = loading.load_network(model)
        about = metadata(model, registry.commit_of(model.reference))
        try:
            content = onnx_file.as_onnx(network, about, _description(trained))
        except onnx_file.NotAnOnnxFileError as error:
            raise UserError(f"{uri} cannot be written as ONNX: {error}") from error
        trials = onnx_file.trials_to_compare(trained)
        difference = onnx_file.largest_difference(content, network, trials)
        if not difference <= onnx_file.TOLERANCE:
            raise UserError(
                f"{uri} as ONNX differs from its network by {difference:.2g}, expected at most "
                f"{onnx_file.TOLERANCE:g}, so nothing was written"
            )
        record.log(
            run_id,
            tags={"model_uri": uri, "model_dataset_digest": trained.dataset_digest},
            metrics={"largest_difference": difference, "bytes": len(content)},
        )
        if model.reference.model_id:
            record.log_model_input(run_id, model.reference.model_id)
        final_model.log_onnx_model(run, content, trained.model_dump(mode="json"))
        said = (
            f"{uri} as ONNX (opset {onnx_file.OPSET}, {size(len(content))}): "
            f"differs from its network by {difference:.1g} at most, over {len(trials)} trials"
        )
        record.describe(run_id, plain(said))
        if path:
            _write(path, content)
        click.echo(said)
        if path:
            click.echo(f"written to {path}")
        if address := _address(run_id):
            click.echo(f"without TensorFlow: mlflow models serve -m {address}")
        if trained.normalise == SUBJECT:
            click.echo("note: it takes recordings that are standardised per person (normalise=subject)", err=True)
        say_where(None, run)


def metadata(model: loading.FinalModel, commit: str) -> dict[str, str]:
    """What the file says of itself, each as JSON: fields of `TrainingReference`, and where the model comes from.

    Args:
        model: the model.
        commit: it was trained with; "" where that is not known.

    Raises:
        UserError: the version's tag ``threshold`` is no threshold.
    """
    trained, tags = model.training, model.reference.tags
    threshold = parse_threshold(tags.get(registry.THRESHOLD_TAG, AUTO), "the model version's tag threshold")
    facts = trained.model_dump(mode="json", include=set(_OF_TRAINING))
    facts |= {
        "subjects": len(trained.subjects),
        "threshold": threshold or DEFAULT_THRESHOLD,
        "model_uri": model.reference.uri,
        "commit": commit,
    }
    return {name: json.dumps(value) for name, value in facts.items()}


def _description(trained: TrainingReference) -> str:
    """What goes in and comes out, in a few sentences."""
    timesteps, features = trained.shape
    of_a_person = ", standardised by mean and standard deviation of all trials of their person"
    lines = [
        f"trial: (trials, {timesteps}, {features}), features, units and time as in the metadata"
        f"{of_a_person if trained.normalise == SUBJECT else ''}.",
        f"probability: (trials, 1), of {trained.labels['1']!r}; yes from the threshold in the metadata on.",
    ]
    if trained.labelling:
        said = "the score" if trained.label_kind == SCORE else "the probability of each class of labelling"
        lines.append(f"label: (trials, {trained.labelling.width}), {said}.")
    return " ".join([*lines, "Not a medical device."])


def _address(run_id: str) -> str:
    """What the store in use, or its server, calls the model of a run; "" where the server does not have it yet."""
    spool = current()
    known = id_on_server(spool, run_id) if spool else run_id
    return f"runs:/{known}/{MODEL}" if known else ""


def _path(to: str, *, overwrite: bool) -> Path:
    path = Path(to).resolve()
    try:
        _check_place(path, to, overwrite=overwrite)
        # Whether it can be written is known at once, and not once all is done.
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
            pass
    except OSError as error:
        raise UserError(f"to is {shown(to)}, which cannot be written: {error.strerror or error}") from error
    return path


def _check_place(path: Path, to: str, *, overwrite: bool) -> None:
    if path.suffix != _SUFFIX:
        raise UserError(f"to is {shown(to)}, expected a file that ends in {_SUFFIX}, such as model{_SUFFIX}")
    if not path.parent.is_dir():
        raise UserError(f"to is {shown(to)}: there is no folder {path.parent}")
    if path.is_dir():
        raise UserError(f"to is {shown(to)}, which is a folder; expected a file")
    if path.exists() and not overwrite:
        raise UserError(f"to is {shown(to)}, which exists; name another file, or say overwrite=true")


def _write(path: Path, content: bytes) -> None:
    try:
        write_private(path, content)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from error
