"""One tidy table for statistics elsewhere (R, SPSS, JASP, Excel), and the codebook that explains it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from steps.core.metrics.names import IN_FOLD, rule_name

_KEY = ["subject", "label", "test_number"]


class Variable(NamedTuple):
    """One column of the export.

    Attributes:
        name: ASCII, at most 64 characters, a letter first, then letters, digits and single underscores.
        kind: ``text``, ``integer`` or ``number``.
        level: measurement level as SPSS has it: ``nominal``, ``ordinal`` or ``scale``.
        meaning: one sentence.
        values: which values there are.
    """

    name: str
    kind: str
    level: str
    meaning: str
    values: str


def codebook(label_names: Sequence[str]) -> list[Variable]:
    """The columns of `export_table`, in their order.

    Args:
        label_names: names of class 0 and class 1.
    """
    classes = f"0 = {label_names[0]}; 1 = {label_names[1]}"
    share, yes = "0 to 1", "0 = no; 1 = yes"
    return [
        Variable("subject", "text", "nominal", "Name of the subject", "as in the data"),
        Variable("trial", "text", "nominal", "Name of the trial, unique within a subject and class", "as in the data"),
        Variable("label", "integer", "nominal", "True class", classes),
        Variable("class_name", "text", "nominal", "Name of the true class", f"{label_names[0]}; {label_names[1]}"),
        Variable("fold", "text", "nominal", "Fold whose model had not seen the subject", "name of the fold"),
        Variable("test_number", "integer", "nominal", "Repeat of the fold, trained with another seed", "1, 2, ..."),
        Variable("threshold_name", "text", "nominal", "Rule of the decision",
                 "threshold_0.5 and so on = declared beforehand; threshold_in_fold = chosen in the fold"),
        Variable("threshold", "number", "scale", "Threshold applied", share),
        Variable("threshold_source", "text", "nominal", "Where the threshold comes from",
                 "declared; left_out, validation = chosen in the fold, by these subjects; no_validation, one_class, "
                 "no_better_than_chance = "
                 "the fold could not choose one and took the first declared one"),
        Variable("probability", "number", "scale", f"Predicted probability of {label_names[1]}", share),
        Variable("decision", "integer", "nominal", "Predicted class: 1 where probability >= threshold", classes),
        Variable("correct", "integer", "nominal", "Whether the decision is the true class", yes),
        Variable("outcome", "text", "nominal", "Cell of the confusion matrix",
                 "tp = true positive; fp = false positive; fn = false negative; tn = true negative"),
        Variable("subject_trials", "integer", "scale", "Trials of the subject in this class", "1, 2, ..."),
        Variable("subject_probability", "number", "scale",
                 "Mean probability over the subject's trials of this class and test number", share),
        Variable("subject_decision", "integer", "nominal",
                 "Predicted class of the subject: 1 where subject_probability >= threshold", classes),
        Variable("subject_votes", "integer", "scale", "How many of these trials are decided 1", "0, 1, ..."),
        Variable("subject_vote", "integer", "nominal",
                 "Majority of these trials' decisions; subject_decision where they are split evenly", classes),
    ]  # fmt: skip


def export_table(
    results: pd.DataFrame, thresholds: Sequence[float], in_fold: pd.DataFrame, label_names: Sequence[str]
) -> pd.DataFrame:
    """A row per subject, trial, test number and threshold; columns as in `codebook`.

    Rows that belong to one subject, or to one trial, are not independent: a model needs random effects for them.

    Args:
        results: from `steps.core.metrics.predictions.results_table`.
        thresholds: the declared ones.
        in_fold: from `steps.core.metrics.in_fold_threshold.in_fold_table`, with every subject and test number.
        label_names: names of class 0 and class 1.
    """
    chosen = in_fold[["subject", "test_number", "fold", "threshold", "source"]]
    base = results[["subject", "trial", "label", "test_number", "probability"]].merge(
        chosen, on=["subject", "test_number"], how="left", validate="many_to_one"
    )
    if base["fold"].isna().any():
        raise ValueError(f"subject {base['subject'][base['fold'].isna()].iloc[0]!r} is in no fold")
    rules = [
        base.assign(threshold_name=rule_name(threshold), threshold=threshold, source="declared")
        for threshold in thresholds
    ]
    table = pd.concat([*rules, base.assign(threshold_name=rule_name(IN_FOLD))], ignore_index=True)
    table = table.rename(columns={"source": "threshold_source"})
    truth, decided = table["label"] == 1, table["probability"] >= table["threshold"]
    table["class_name"] = np.where(truth, label_names[1], label_names[0])
    table["decision"] = decided
    table["correct"] = decided == truth
    table["outcome"] = np.select([truth & decided, ~truth & decided, truth & ~decided], ["tp", "fp", "fn"], "tn")
    of_subject = table.groupby([*_KEY, "threshold_name"], sort=False)
    table["subject_trials"] = of_subject["probability"].transform("size")
    table["subject_probability"] = of_subject["probability"].transform("mean")
    table["subject_decision"] = table["subject_probability"] >= table["threshold"]
    table["subject_votes"] = of_subject["decision"].transform("sum")
    twice = 2 * table["subject_votes"].astype(int)
    table["subject_vote"] = np.where(
        twice == table["subject_trials"], table["subject_decision"], twice > table["subject_trials"]
    )
    kinds = {"text": object, "integer": np.int64, "number": np.float64}
    variables = codebook(label_names)
    table = table.astype({variable.name: kinds[variable.kind] for variable in variables})
    order = ["subject", "label", "trial", "test_number"]
    ordered = table.sort_values(order, kind="stable", ignore_index=True)
    return ordered[[variable.name for variable in variables]]


def codebook_table(label_names: Sequence[str]) -> pd.DataFrame:
    """The codebook as a table: ``variable``, ``type``, ``measurement``, ``meaning``, ``values``."""
    rows = [variable._asdict() for variable in codebook(label_names)]
    columns = {"name": "variable", "kind": "type", "level": "measurement"}
    return pd.DataFrame(rows).rename(columns=columns)


def as_parquet(table: pd.DataFrame) -> bytes:
    """A table as Parquet, without an index."""
    target = io.BytesIO()
    table.to_parquet(target, index=False, compression="zstd")
    return target.getvalue()
