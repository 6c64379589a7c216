"""Recordings as a dataset: which class is positive, and whether each class has subjects enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from steps.core.data.dataset import Dataset
from steps.core.data.labelling import BINARY, VALUE, rest_of
from steps.core.readers.common_time import common_time
from steps.core.readers.facts import facts_of
from steps.core.readers.label_choice import AUTO as AUTO
from steps.core.readers.label_choice import PREFERRED, TWO, LabelChoice, ReadLabels, read_labels
from steps.core.readers.long_table import LongTable
from steps.core.readers.recorded import trial_names
from steps.core.readers.trials import Recording
from steps.errors import UserError, shown

_SUBJECTS_PER_CLASS = 2


def as_dataset(
    table: LongTable,
    trials: Sequence[Recording],
    positive_label: str,
    timesteps: int,
    notes: Sequence[str],
    choice: LabelChoice = TWO,
) -> Dataset:
    """Labelled recordings as float32 trials of one length.

    Args:
        table: that they were read from.
        trials: the recordings.
        positive_label: the label that becomes 1; ``auto`` takes ``fear``, else the last of two in sorted order.
        timesteps: time points to have; 0 = as recorded, or 101 where lengths differ.
        notes: what was done on the way, before this.
        choice: what labels are.

    Raises:
        UserError: labels are not what they are said to be, or a class has one subject only.
    """
    patients = [trial for trial in trials if not trial.is_control]
    if not patients:
        raise UserError(f"{table.origins[0]} holds control trials only, expected trials of two classes")
    if VALUE in table.features:  # as it is called in the table of a dataset artifact
        raise UserError(
            f"a feature is called {VALUE!r}, as a dataset calls its labels, which no feature may give away; rename it, "
            f"or leave it out: ignore={VALUE}"
        )
    read: ReadLabels | None = None
    if choice.kind == BINARY:
        label_names = _choose(sorted({trial.label for trial in patients}), positive_label)
        labels = [int(trial.label == label_names[1] and not trial.is_control) for trial in trials]
    else:
        read = read_labels(choice, positive_label, [one.label for one in patients], [one.subject for one in patients])
        label_names = read.labelling.question
        values = np.full(len(trials), np.nan, dtype=np.float32)
        values[[not trial.is_control for trial in trials]] = read.values
        labels = read.labelling.answers(values).tolist()
        notes = (*notes, *read.notes)
    common = common_time(trials, timesteps, table.has_time, table.features)
    dataset = Dataset(
        values=common.values,
        labels=np.array(labels, dtype=np.int8),
        subjects=np.array([trial.subject for trial in trials], dtype=np.str_),
        # Whole labels: a name says which trial of a subject it is whatever is asked of them.
        trials=np.array(trial_names(trials, [0] * len(trials) if read else labels), dtype=np.str_),
        is_control=np.array([trial.is_control for trial in trials], dtype=np.bool_),
        features=table.features,
        time=common.time,
        time_unit=common.time_unit,
        label_names=label_names,
        units={feature: table.units[feature] for feature in table.features if feature in table.units},
        notes=(*notes, *common.notes),
        time_normalised=common.is_normalised,
        timing=common.timing,
        facts=facts_of(trials, has_time=table.has_time, has_order=len(table.origins) == 1),
        labelling=read.labelling if read else None,
        label_values=values if read else None,
    )
    check_subjects(dataset)
    return dataset


def asked_otherwise(dataset: Dataset, choice: LabelChoice) -> Dataset:
    """A study that is made up, with the cut-off that the user wants.

    Raises:
        UserError: the order is not that of its classes, or the cut-off parts nobody.
    """
    labelling, values = dataset.labelling, dataset.label_values
    if labelling is None or values is None:
        return dataset
    if choice.order not in ((), labelling.names):
        raise UserError(
            f"label_order is {','.join(choice.order)}, expected {','.join(labelling.names)} for the {dataset.source} "
            "study"
        )
    if choice.cut_off == AUTO:
        return dataset
    patients = ~dataset.is_control
    labels = [labelling.name(value) for value in values[patients].tolist()]
    subjects = dataset.subjects[patients].tolist()
    asked = read_labels(replace(choice, order=labelling.names), AUTO, labels, subjects).labelling
    return replace(dataset, labelling=asked, labels=asked.answers(values), label_names=asked.question)


def _choose(labels: Sequence[str], positive_label: str) -> tuple[str, str]:
    """Names of the negative and the positive class, from the sorted labels of the patients."""
    listed = ", ".join(shown(label) for label in labels)
    if positive_label != AUTO and positive_label not in labels:
        raise UserError(
            f"positive_label is {shown(positive_label)}, which is no label of the data; expected one of {listed}"
        )
    if len(labels) < 2:
        raise UserError(f"the data hold one class only, {listed}; expected at least two labels")
    if positive_label == AUTO:
        if len(labels) > 2:
            raise UserError(
                f"the data hold {len(labels)} labels, {listed}; expected two, or positive_label set to one, or "
                "label_kind=classes, ordered or score"
            )
        positive_label = next((label for label in labels if label.casefold() == PREFERRED), labels[-1])
    others = [label for label in labels if label != positive_label]
    return others[0] if len(others) == 1 else rest_of(positive_label), positive_label


def check_subjects(dataset: Dataset) -> None:
    """Check that each class has subjects enough, the control group not counted.

    Raises:
        UserError: one has not.
    """
    has_classes = dataset.labelling is not None and dataset.labelling.has_classes
    names = dataset.labelling.names if dataset.labelling and has_classes else dataset.label_names
    for label, name in enumerate(names):
        subjects = np.unique(dataset.subjects[(dataset.strata == label) & ~dataset.is_control])
        if len(subjects) < _SUBJECTS_PER_CLASS:
            some = f"one subject only, {shown(str(subjects[0]))}" if len(subjects) else "no subject"
            raise UserError(
                f"class {shown(name)} has {some}; expected at least "
                f"{_SUBJECTS_PER_CLASS} subjects per class, to train on one and test on another"
            )
