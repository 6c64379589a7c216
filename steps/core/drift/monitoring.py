"""Batches of new people against the training and against each other, and how good the predictions were, or may be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd

from steps.core.data.training_reference import TrainingReference
from steps.core.drift.batch import Batch, names_of, reference_numbers
from steps.core.drift.expected import expected_accuracy, expected_auc
from steps.core.drift.later_labels import with_labels
from steps.core.drift.shift import Shift, people_needed, shift
from steps.core.metrics.conformal import DONT_KNOW
from steps.core.metrics.estimates import estimates
from steps.core.metrics.names import POOLED, SUBJECT
from steps.core.metrics.predictions import levels_of

TRAINING: Final = "training"
EARLIER: Final = "earlier"
_FEWEST = 2  # people; of one person alone nothing is said
_MAD = 1.4826  # of a normal distribution


@dataclass(frozen=True)
class Monitored:
    """What came of it.

    Attributes:
        batches: a row per batch, oldest first; the first row is the training itself. ``compared`` are the people whom
            the p values are about: the batch's, and where these are too few for an alarm those scored just before.
        drift: a row per batch, what it is compared with (``training``, ``earlier``), feature and statistic: ``z`` and
            ``p_value``.
        subjects: a row per batch and subject: the number of theirs that is farthest from the training's.
        alarms: of each batch with one, why.
        needed: people that a batch needs for an alarm against the training.
    """

    batches: pd.DataFrame
    drift: pd.DataFrame
    subjects: pd.DataFrame
    alarms: dict[str, list[str]] = field(default_factory=dict)
    needed: int = 0


def monitor(
    batches: Sequence[Batch], trained: TrainingReference, level: float, seed: int, labels: pd.DataFrame | None = None
) -> Monitored:
    """Look at every batch.

    Args:
        batches: oldest first.
        trained: of the model that scored them.
        level: a batch is an alarm where a p value is at most this.
        seed: of the permutations.
        labels: that came later, from `steps.core.drift.later_labels.read_labels`.

    Raises:
        ValueError: the model was made before what is needed was kept with it.
    """
    reference, has_scores = reference_numbers(trained)
    names = names_of(trained.features, scores=has_scores)
    rows, drift, subjects = [_of_training(trained)], [], []
    alarms: dict[str, list[str]] = {}
    sound: list[Batch] = []
    needed = people_needed(len(reference), len(names), level)
    for number, batch in enumerate(batches):
        together = _together(batches[: number + 1], needed)
        own = _people(together, has_scores)
        row, reasons, found = _described(batch, labels) | {"compared": len(own)}, list[str](), dict[str, Shift]()
        if len(own) >= _FEWEST:
            found[TRAINING] = shift(reference, own, seed)
            taken = {one.name for one in together}
            earlier = _people([one for one in sound if one.name not in taken], has_scores, without=together)
            if len(earlier) >= _FEWEST:
                found[EARLIER] = shift(earlier, own, seed)
        for against, one in found.items():
            row |= {f"p_{against}": one.p_value, f"most_{against}": _named(one, names)}
            if one.p_value <= level:
                reasons.append(f"differs from {_AGAINST[against]}: {', '.join(_beyond(one, names, level))}")
            drift += _drift_rows(batch, against, one, names)
        if row.get("auc_high") is not None and row["auc_high"] < (rows[0]["auc"] or 0):
            reasons.append(f"AUC of subjects is {row['auc']:.2f} [{row['auc_low']:.2f}, {row['auc_high']:.2f}], of the "
                           f"training's, left out, {rows[0]['auc']:.2f}")  # fmt: skip
        subjects += _farthest(batch, batch.numbers(scores=has_scores), reference, names)
        rows.append(row | {"alarm": int(bool(reasons))})
        if reasons:
            alarms[batch.name] = reasons
        else:
            sound.append(batch)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return Monitored(
        pd.DataFrame(rows, columns=columns),
        pd.DataFrame(drift, columns=["batch", "against", "feature", "statistic", "z", "p_value"]),
        pd.DataFrame(subjects, columns=["batch", "subject", "feature", "statistic", "z", "beyond_training"]),
        alarms,
        needed,
    )


_AGAINST = {TRAINING: "the training", EARLIER: "the sound batches before"}


def _together(batches: Sequence[Batch], needed: int) -> list[Batch]:
    """The last batch, and of those before it as many as it takes to have enough people."""
    together: list[Batch] = []
    people: set[str] = set()
    for batch in reversed(batches):
        together.insert(0, batch)
        people.update(batch.subjects)
        if len(people) >= needed:
            break
    return together


def _people(
    batches: Sequence[Batch], has_scores: bool, without: Sequence[Batch] = ()
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Everybody of some batches once, as they were last, but for those who are in others."""
    others = {subject for one in without for subject in one.subjects}
    latest = {
        subject: row
        for one in batches
        for subject, row in zip(one.subjects, one.numbers(scores=has_scores), strict=True)
        if subject not in others
    }
    return np.array(list(latest.values()))


def _named(one: Shift, names: Sequence[tuple[str, str]]) -> str:
    feature, statistic = names[one.largest]
    return f"{feature}: {statistic} {'higher' if one.z[one.largest] > 0 else 'lower'}"


def _beyond(one: Shift, names: Sequence[tuple[str, str]], level: float) -> Iterator[str]:
    beyond = [i for i in np.argsort(one.p_values, kind="stable") if one.p_values[i] <= level]
    for i in beyond[:_SHOWN]:
        yield f"{names[i][0]}: {names[i][1]} {'higher' if one.z[i] > 0 else 'lower'} (p = {one.p_values[i]:.4f})"
    if len(beyond) > _SHOWN:
        yield f"and {len(beyond) - _SHOWN} more"


_SHOWN = 4


def _drift_rows(batch: Batch, against: str, one: Shift, names: Sequence[tuple[str, str]]) -> list[tuple[Any, ...]]:
    return [
        (batch.name, against, *name, float(z), float(p)) for name, z, p in zip(names, one.z, one.p_values, strict=True)
    ]


def _farthest(
    batch: Batch, own: np.ndarray[Any, Any], reference: np.ndarray[Any, Any], names: Sequence[tuple[str, str]]
) -> list[tuple[Any, ...]]:
    """Of each subject the number farthest from the training's, in robust standard deviations.

    ``beyond_training``: whether it is farther than that of any training subject.
    """
    middle = np.median(reference, axis=0)
    spread = _MAD * np.median(np.abs(reference - middle), axis=0)
    spread = np.where(spread > 0, spread, np.inf)  # what is the same in most people says nothing
    largest = (np.abs(reference - middle) / spread).max(axis=1).max()
    z = (own - middle) / spread
    at = np.abs(z).argmax(axis=1)
    return [
        (batch.name, subject, *names[i], float(z[j, i]), int(abs(z[j, i]) > largest))
        for j, (subject, i) in enumerate(zip(batch.subjects, at, strict=True))
    ]


def _of_training(trained: TrainingReference) -> dict[str, Any]:
    row: dict[str, Any] = {"batch": TRAINING, "when": "", "subjects": len(trained.subjects)}
    scores = trained.left_out_scores
    if scores is None:
        return row | {"auc": None}
    table = pd.DataFrame(
        {
            "subject": [trained.subjects[one] for one in scores.subject],
            "trial": [str(number) for number in range(len(scores.subject))],
            "label": scores.label,
            "probability": scores.probability,
            "threshold": 0.5,
        }
    )
    table["decision"] = (table["probability"] >= 0.5).astype(np.int8)
    return row | {"trials": len(table)} | _quality(table)


def _described(batch: Batch, labels: pd.DataFrame | None) -> dict[str, Any]:
    """A row of the table of batches."""
    table = batch.predictions
    row: dict[str, Any] = {
        "batch": batch.name, "when": batch.when, "subjects": len(batch.subjects), "trials": len(table), "alarm": 0,
    }  # fmt: skip
    if not len(table):
        return row
    row["unusual"] = float(table["unusual"].mean())
    if "answer" in table:
        row["dont_know"] = float((table["answer"] == DONT_KNOW).groupby(table["subject"]).mean().mean())
    return row | _quality(with_labels(table, labels))


def _quality(table: pd.DataFrame) -> dict[str, Any]:
    """How good predictions would be if they were right, and how good they are where labels are known."""
    row: dict[str, Any] = {
        "probability": float(table.groupby("subject")["probability"].mean().mean()),
        "expected_accuracy": expected_accuracy(table),
        "expected_auc": expected_auc(table),
    }
    known = table[table["label"].notna()]
    if not len(known):
        return row
    results = known[["subject", "trial", "label", "probability"]].assign(
        test_number=1, label=known["label"].astype(np.int8)
    )
    levels, threshold = levels_of(results, None), float(known["threshold"].iloc[0])
    of_subjects: dict[str, Any] = dict(estimates(levels[SUBJECT], (threshold,)))
    of_trials: dict[str, Any] = dict(estimates(levels[POOLED], (threshold,)))
    auc = of_subjects.get("auc", {})
    means = results.groupby("subject")[["label", "probability"]].mean()
    return row | {
        "labelled": len(means),
        "auc": auc.get("value"),
        "auc_low": auc.get("low"),
        "auc_high": auc.get("high"),
        "accuracy": of_trials.get(f"threshold_{threshold:g}/accuracy", {}).get("value"),
        "brier": of_trials.get("brier", {}).get("value"),
        "more_positive_than_said": float(means["label"].mean() - means["probability"].mean()),
    }
