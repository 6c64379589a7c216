"""The whole step: new recordings, scored, attributed and recorded."""

from __future__ import annotations

from dataclasses import replace

import click
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from steps.compute.pace import pace
from steps.configuration import Predict
from steps.core.attribution import scored
from steps.core.data.normalise import normalised_unseen
from steps.core.data.unseen import Unseen
from steps.core.drift.batch import inputs_by_subject
from steps.core.figures.heatmap import heatmap
from steps.core.figures.probabilities import probabilities
from steps.core.metrics import scores
from steps.core.metrics.conformal import DONT_KNOW
from steps.core.metrics.inference import predict_labels
from steps.core.metrics.labels import new_people as labels
from steps.core.readers.fit_to_model import fit_to_model
from steps.core.readers.new_recordings import as_prepared, check_artifact, choice_for, read_source
from steps.parameter_values import AUTO, parse_threshold
from steps.report import scoring
from steps.system.fetched import at_hand
from steps.system.local_path import as_uri, is_remote
from steps.system.source_address import is_address
from steps.tracking import datasets, record
from steps.tracking.models import loading, registry
from steps.tracking.session import step_run
from steps.tracking.store.ui import say_where

DEFAULT_THRESHOLD = 0.5


def score_and_record(configuration: Predict) -> None:
    """The whole step; nothing but the run itself is recorded unless everything went well.

    Raises:
        UserError: there is no such model, or the recordings do not fit it.
    """
    with step_run("predict", configuration.given, files=configuration.files) as run:
        run_id = run.info.run_id
        recorded, unseen, model = _read(configuration)
        trained = model.training
        threshold = choose_threshold(configuration.threshold, model.reference.tags.get(registry.THRESHOLD_TAG))
        baseline = scored.baseline_values(configuration.attribution_baseline, trained)
        network = loading.load_network(model)
        from steps.core.models.networks import label_output  # imports TensorFlow

        predictions = scores.score(network, unseen, trained, threshold)
        subjects = scores.by_subject(predictions, threshold)
        can_answer = configuration.error_rate > 0 and trained.left_out_scores is not None
        if can_answer:
            predictions, subjects = scores.with_answers(predictions, subjects, trained, configuration.error_rate)
        if trained.labelling:
            outputs = predict_labels(label_output(network), unseen.values)
            predictions, subjects = labels.with_labels(predictions, subjects, unseen, outputs, trained.labelling)
        labelled = unseen.labels is not None and not unseen.is_control.all()
        performance = scores.performance(predictions, threshold, configuration.seed) if labelled else {}
        if labelled and trained.labelling:
            labels.add_performance(performance, predictions, trained.labelling, configuration.seed)
        attributions = scored.attribute(network, unseen, baseline, configuration.attribution_steps)
        importance = scored.importance(unseen, attributions, trained)
        completeness = scored.completeness(unseen, attributions)

        uri = model.reference.uri
        record.log(
            run_id,
            tags={
                "model_uri": uri,
                "model_dataset_digest": trained.dataset_digest,
                "dataset_digest": unseen.digest,
                "threshold": threshold,
                **({"error_rate": configuration.error_rate} if can_answer else {}),
                "subjects_in_training": subjects.loc[subjects["in_training"] == 1, "subject"].nunique(),
            },
            metrics=_metrics(predictions, subjects, completeness) | scores.performance_metrics(performance),
        )
        record.log_dataset_input(unseen, as_uri(unseen.source), context="predict")
        if model.reference.model_id:
            record.log_model_input(run_id, model.reference.model_id)
        record.log_files(
            run_id,
            {
                "predictions.csv": predictions,
                "subjects.csv": subjects,
                "inputs_by_subject.csv": inputs_by_subject(recorded, trained),
                "feature_importance.csv": importance,
                "attribution_by_feature.csv": scored.by_feature(unseen, attributions, trained),
                "completeness.csv": completeness,
                "attribution.parquet": _as_parquet(scored.attribution_table(unseen, attributions, trained)),
                **({"summary.json": performance} if performance else {}),
            },
        )
        names = (trained.labels["0"], trained.labels["1"])
        drawn = {
            "probabilities": probabilities(predictions, subjects, names),
            "attribution_map": heatmap(
                scored.mean_absolute(unseen, attributions),
                trained.features,
                trained.time,
                time_unit=trained.time_unit,
                title="Attribution of the scored trials",
            ),
        }
        record.log_figures(run_id, drawn)
        points = scoring.lines(uri, unseen, trained, predictions, importance, threshold)
        points += labels.lines(subjects, trained.labelling)
        points += scoring.answered(predictions, subjects, trained, configuration.error_rate)
        measured = scoring.results(performance)
        warned = scoring.warnings(predictions, subjects, trained.normalise)
        record.describe(run_id, scoring.markdown(points, warned, measured))
        for line in (*points, *measured):
            click.echo(line)
        for line in warned:
            click.echo(f"warning: {line}", err=True)
        say_where(None, run)


def choose_threshold(given: float | None, evidence: str | None) -> float:
    """The decision threshold: what the user says, else what the model's evidence says, else 0.5.

    Args:
        given: by the user; None for ``auto``.
        evidence: the model version's tag ``threshold``, where there is one.

    Raises:
        UserError: the tag is not one number strictly between 0 and 1.
    """
    said = AUTO if evidence is None else evidence
    return given or parse_threshold(said, "the model version's tag threshold") or DEFAULT_THRESHOLD


def _read(configuration: Predict) -> tuple[Unseen, Unseen, loading.FinalModel]:
    """Recordings, as they are and as the model takes them, and model; checked without TensorFlow, so at once."""
    source = configuration.source
    model = loading.fetch(registry.resolve(configuration.model_uri))
    trained = model.training
    choice = choice_for(configuration.choice, trained)
    if is_remote(source) and not is_address(source):
        check_artifact(source, choice)
        recorded = as_prepared(datasets.load_dataset(source), source, trained.description)
    else:
        with pace("fetching") as watch, at_hand(source, watch) as here:
            recorded = read_source(
                here.path,
                configuration.max_gap,
                trim=configuration.trim,
                choice=choice,
                study=configuration.study,
                known=trained.description,
                label_kind=trained.label_kind,
            )
        recorded = replace(recorded, source=source, notes=(*here.notes, *recorded.notes))
    fitting = fit_to_model(recorded, trained)
    return fitting, normalised_unseen(fitting, trained.normalise), model


def _metrics(predictions: pd.DataFrame, subjects: pd.DataFrame, completeness: pd.DataFrame) -> dict[str, float]:
    relative = completeness["relative_error"]
    tables = {"trials": predictions, "subjects": subjects}
    return {
        **{
            f"answered_{unit}": int((table["answer"] != DONT_KNOW).sum())
            for unit, table in tables.items()
            if "answer" in table
        },
        "trials": len(predictions),
        "subjects": predictions["subject"].nunique(),
        "positive_decisions": int(predictions["decision"].sum()),
        "probability_mean": predictions["probability"].mean(),
        "unusual_trials": int(predictions["unusual"].sum()),
        "trials_in_training": int(predictions["in_training"].sum()),
        "completeness_error_max": relative.max(),
        "completeness_error_median": relative.median(),
        "trials_above_tolerance": int((~(relative <= scored.TOLERANCE)).sum()),
    }


def _as_parquet(table: pa.Table) -> bytes:
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd")
    return bytes(buffer.getvalue())
