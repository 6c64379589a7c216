"""The text of a scoring: on the console and as the run's description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from steps.core.data.manifest import PATIENT
from steps.core.data.normalise import ENOUGH, SUBJECT, Normalise
from steps.core.data.training_reference import TrainingReference
from steps.core.data.unseen import Unseen
from steps.core.metrics.conformal import subjects_needed
from steps.core.metrics.labels.text import label_text
from steps.core.metrics.names import LEVELS
from steps.core.metrics.scores import TRAINED_PREFIX, calibration_of
from steps.core.metrics.text import level_text
from steps.writing.markdown import plain

_LISTED = 8


def warnings(predictions: pd.DataFrame, subjects: pd.DataFrame, normalise: Normalise) -> list[str]:
    """What a reader must not miss.

    Subjects the model was fitted on, trials unlike any it has seen, and subjects with too few recordings, or of one
    class only, to be compared with themselves.
    """
    sentences = []
    names = subjects["subject"].nunique()
    trained = sorted(set(subjects.loc[subjects["in_training"] == 1, "subject"]))
    if trained:
        sentences.append(
            f"the model was FITTED ON {len(trained)} of these {names} subjects ({_some(trained)}): its predictions for "
            "them say nothing about new people"
        )
    unusual = int(predictions["unusual"].sum())
    if unusual:
        who = sorted(set(predictions.loc[predictions["unusual"] == 1, "subject"]))
        sentences.append(
            f"{unusual} of {len(predictions)} trials lie further from the training trials than 99% of those do "
            f"(subjects {_some(who)}): do not rely on their probabilities"
        )
    return sentences + (_against_themselves(predictions) if normalise == SUBJECT else [])


def _against_themselves(predictions: pd.DataFrame) -> list[str]:
    """Whose recordings are too few, or all of one class, where those of a subject were standardised by themselves."""
    sentences = []
    trials = predictions.groupby("subject").size()
    if few := sorted(trials.index[trials < ENOUGH]):
        sentences.append(
            f"{len(few)} of {len(trials)} subjects have fewer than {ENOUGH} recordings ({_some(few)}): the model "
            "compares a subject's recordings with each other, and says little about so few"
        )
    if "label" in predictions:
        patients = predictions[predictions["group"] == PATIENT]
        classes = patients.groupby("subject")["label"].nunique()
        if single := sorted(classes.index[classes == 1]):
            sentences.append(
                f"all recordings of {len(single)} of {len(classes)} subjects are of one class ({_some(single)}): the "
                "model compares a subject's recordings with each other and cannot see that; do not rely on their "
                "probabilities"
            )
    return sentences


def lines(
    uri: str,
    unseen: Unseen,
    trained: TrainingReference,
    predictions: pd.DataFrame,
    importance: pd.DataFrame,
    threshold: float,
) -> list[str]:
    """What was scored, with what, and what came out."""
    positive = int(predictions["decision"].sum())
    count = predictions["subject"].nunique()
    return [
        f"{len(predictions)} trials of {count} subject{'s' if count > 1 else ''} scored by {uri}, which was fitted on "
        f"{len(trained.subjects)} subjects",
        f"{positive} trials at or above the threshold {threshold:g} ({trained.labels['1']!r}), "
        f"{len(predictions) - positive} below",
        f"most important of {len(trained.features)} features: {', '.join(importance['feature'].head(5))}",
        *unseen.notes,
    ]


def answered(
    predictions: pd.DataFrame, subjects: pd.DataFrame, trained: TrainingReference, error_rate: float
) -> list[str]:
    """How often there is an answer, or why there is none; no line where none was wanted.

    Args:
        predictions: of trials, with ``answer`` where the model can give one.
        subjects: the same of subjects.
        trained: what the model was trained on.
        error_rate: how often an answer may be wrong; 0 where none is wanted.
    """
    if not error_rate:
        return []
    calibration = calibration_of(trained)
    if calibration is None:
        return [
            'no answers with a "don\'t know" (error_rate): nothing is kept of how this model does on people it has not '
            "seen; models of soft_multirocket keep that, which predicts every training subject without it"
        ]
    counted = " and ".join(
        _counts(table, trained, unit)
        for unit, table in (("subjects", subjects), ("trials", predictions))
        if "answer" in table
    )
    lines = [f'at an error rate of {error_rate:.0%} it answers for {counted}, and says "don\'t know" of the others']
    if "answer" not in subjects:
        lines.append("no answers for whole subjects: those of the training have trials of both classes")
    needed = subjects_needed(error_rate)
    names = trained.labels["0"], trained.labels["1"]
    for label in calibration.never_ruled_out(error_rate):
        lines.append(
            f"{names[1 - label]!r} is never its answer at {error_rate:.0%}: to rule out {names[label]!r} takes "
            f"{needed} training subjects of it, and there are {calibration.subjects[label]}"
        )
    fewest, few = calibration.trials[0], int((subjects["trials"] < calibration.trials[0]).sum())
    if few and "answer" in subjects:
        lines.append(
            f"{few} of these subjects have fewer trials than any in training ({fewest}): their answers may be wrong "
            "more often"
        )
    return lines


def _counts(table: pd.DataFrame, trained: TrainingReference, unit: str) -> str:
    named = {name: int((table["answer"] == name).sum()) for name in trained.labels.values()}
    told = ", ".join(f"{name!r} {count}" for name, count in named.items())
    return f"{sum(named.values())} of {len(table)} {unit}" + (f" ({told})" if any(named.values()) else "")


def results(performance: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One line per group of subjects with labels, new ones first."""
    names = {"new_subjects": "new subjects", TRAINED_PREFIX: "subjects the model was FITTED ON (no evidence)"}
    return [
        f"{names[name]}, {line(part, level)}"
        for name, document in performance.items()
        for line, part in ((level_text, document), (label_text, document.get("labels")))
        for level in LEVELS
        if part
    ]


def markdown(points: Sequence[str], warned: Sequence[str], measured: Sequence[str]) -> str:
    """The run's description."""
    return "\n".join(
        [
            *(f"- **Warning:** {plain(text)}" for text in warned),
            *(f"- {plain(text)}" for text in (*measured, *points)),
        ]
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
