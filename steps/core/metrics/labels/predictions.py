"""What the models of all folds say of the labels, as a table, and as numbers for trials and subjects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from steps.core.data.dataset import Dataset, Strings
from steps.core.data.labelling import CLASS_COLUMN, VALUE, Labelling, as_written, output_columns
from steps.core.metrics.names import POOLED, SUBJECT

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LabelPrediction:
    """What one fold's model says of its held-out trials.

    Attributes:
        test: the held-out trials.
        test_number: which repeat of the fold.
        outputs: probabilities of the classes ``(trials, classes)``, or scores ``(trials, 1)``.
    """

    test: Dataset
    test_number: int
    outputs: Array


@dataclass(frozen=True, eq=False)
class LabelScores:
    """Trials, or subjects, with their labels and what is said of them.

    Attributes:
        labelling: of the study.
        values: label values, shape ``(n,)``.
        outputs: as `LabelPrediction.outputs`, shape ``(n, width)``.
        subjects: whose they are, shape ``(n,)``.
    """

    labelling: Labelling
    values: Array
    outputs: Array
    subjects: Strings

    def select(self, rows: npt.NDArray[np.bool_]) -> LabelScores:
        """Those where ``rows`` is true."""
        return LabelScores(self.labelling, self.values[rows], self.outputs[rows], self.subjects[rows])

    @property
    def classes(self) -> npt.NDArray[np.intp]:
        """The most probable class of each, shape ``(n,)``."""
        return np.asarray(self.outputs.argmax(axis=1))

    @property
    def rank(self) -> Array:
        """What says how high each is, shape ``(n,)``: the score, or the mean level."""
        if not self.labelling.has_classes:
            return self.outputs[:, 0]
        return np.asarray(self.outputs @ np.arange(self.labelling.width))


def label_results_table(folds: Iterable[LabelPrediction], labelling: Labelling) -> pd.DataFrame:
    """A row per held-out trial and test number, sorted by test number, subject, trial and label.

    Returns:
        ``subject``, ``trial``, ``label_value``, ``test_number``, the columns of `output_columns`; of classes also
        ``class_name``, the label's, and ``predicted_class``, the most probable one.
    """
    columns = output_columns(labelling)
    frames = []
    for fold in folds:
        frame = pd.DataFrame({"subject": fold.test.subjects.astype(object), "trial": fold.test.trials.astype(object)})
        frame[VALUE] = as_written(np.asarray(fold.test.label_values, dtype=np.float32))
        frame["test_number"] = fold.test_number
        frames.append(frame.join(pd.DataFrame(fold.outputs, columns=columns)))
    table = pd.concat(frames).sort_values(["test_number", "subject", "trial", VALUE], ignore_index=True)
    if labelling.has_classes:
        names = np.array(labelling.names, dtype=object)
        table.insert(2, "class_name", names[table[VALUE].to_numpy(np.intp)])
        table[CLASS_COLUMN] = names[table[columns].to_numpy().argmax(axis=1)]
    return table


def label_levels(table: pd.DataFrame, labelling: Labelling) -> dict[str, LabelScores]:
    """What is said of trials (``pooled``) and of subjects (``subject``), from `label_results_table`.

    With several test numbers a trial's output is its mean over them; a subject's is the mean over the trials of one
    label.
    """
    columns = output_columns(labelling)
    trials = table.groupby(["subject", VALUE, "trial"], sort=True)[columns].mean().reset_index()
    subjects = trials.groupby(["subject", VALUE], sort=True)[columns].mean().reset_index()
    return {POOLED: _scores(trials, columns, labelling), SUBJECT: _scores(subjects, columns, labelling)}


def _scores(table: pd.DataFrame, columns: Sequence[str], labelling: Labelling) -> LabelScores:
    return LabelScores(
        labelling=labelling,
        values=table[VALUE].to_numpy(np.float64),
        outputs=table[list(columns)].to_numpy(np.float64),
        subjects=np.asarray(table["subject"].tolist(), dtype=np.str_),
    )
