"""Recordings of one person against each other: values standardised within each subject.

Where every subject has trials of both classes, how people differ from each other only hides what is asked: how one
person's trials of the two classes differ. Standardising within subjects takes it away. It uses no labels, and nothing
of one subject is used for another.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal

import numpy as np

from steps.core.data.dataset import Dataset, Floats, Strings
from steps.core.data.unseen import Unseen
from steps.errors import UserError, shown

Normalise = Literal["study", "subject"]
STUDY: Final = "study"
SUBJECT: Final = "subject"
UNIT: Final = "subject SD"
# With one recording there is nothing to compare it with; with fewer than ENOUGH it is a gamble (docs/train.md).
FEWEST: Final = 2
ENOUGH: Final = 6


def within_subjects(values: Floats, subjects: Strings) -> Floats:
    """Values standardised per subject and feature, over all of the subject's trials and time points.

    Args:
        values: shape ``(trials, timesteps, features)``.
        subjects: subject of each trial, shape ``(trials,)``.

    Returns:
        float32, same shape, in standard deviations of the subject. A feature that is constant in all trials of a
        subject is 0 there: its standard deviation counts as 1.
    """
    standardised = np.empty(values.shape, dtype=np.float32)
    for name in np.unique(subjects):
        rows = np.flatnonzero(subjects == name)
        own = values[rows].astype(np.float64)
        lowest = own.min(axis=(0, 1))
        is_constant = lowest == own.max(axis=(0, 1))
        # Exactly 0 and 1: what rounding leaves of a constant would be divided by what it leaves of its spread.
        own -= np.where(is_constant, lowest, own.mean(axis=(0, 1)))
        own /= np.where(is_constant, 1.0, own.std(axis=(0, 1)))
        standardised[rows] = own
    return standardised


def normalised(dataset: Dataset, normalise: Normalise) -> Dataset:
    """A dataset as its networks and baselines take it; its digest is no longer the prepared dataset's.

    Args:
        dataset: as it was prepared.
        normalise: ``study``: as it is, the networks' own scalers do the rest; ``subject``: `within_subjects`.
    """
    if normalise == STUDY:
        return dataset
    units = dict.fromkeys(dataset.features, UNIT)
    return replace(dataset, values=within_subjects(dataset.values, dataset.subjects), units=units)


def check_both_classes(dataset: Dataset, normalise: Normalise) -> None:
    """Refuse to standardise subjects of one class: that takes away the difference between people that is asked for.

    The control group has no classes, and is neither trained on (`steps.configuration.Train`) nor tested.

    Raises:
        UserError: ``normalise`` is ``subject``, and a subject has trials of one class only.
    """
    if normalise == STUDY:
        return
    study = dataset.select(~dataset.is_control)
    names, first, trials = np.unique(study.subjects, return_index=True, return_counts=True)
    share = np.add.reduceat(study.labels, first, dtype=np.int64) / trials
    single = np.flatnonzero((share == 0) | (share == 1))
    if len(single):
        one = int(single[0])
        raise UserError(
            f"normalise=subject, but all {trials[one]} trials of subject {shown(str(names[one]))} are "
            f"{shown(study.label_names[int(share[one])])} ({len(single)} of {len(names)} subjects are of one class); "
            "expected trials of both classes of every subject, as standardising takes away how subjects differ: use "
            "normalise=study, or leave those subjects out of the source"
        )


def normalised_unseen(unseen: Unseen, normalise: Normalise) -> Unseen:
    """Recordings of new people as a model takes them; the arguments are those of `normalised`.

    Raises:
        UserError: ``normalise`` is ``subject``, and somebody has one recording.
    """
    if normalise == STUDY:
        return unseen
    names, trials = np.unique(unseen.subjects, return_counts=True)
    few = names[trials < FEWEST]
    if len(few):
        more = f" (and {len(few) - 1} more)" if len(few) > 1 else ""
        raise UserError(
            f"subject {shown(str(few[0]))}{more} has one recording, expected at least {FEWEST}, better {ENOUGH} or "
            "more, of both classes: the model was trained with normalise=subject and compares the recordings of a "
            "person with each other; add recordings, leave the subject out, or use a model of normalise=study"
        )
    note = "Each subject's recordings were standardised by their own mean and standard deviation (normalise=subject)."
    values = within_subjects(unseen.values, unseen.subjects)
    return replace(unseen, values=values, notes=(*unseen.notes, note))
