"""What answers with a "don't know" would have been worth: each held-out subject answered by its fold, at every rate.

A fold calibrates on its own training subjects, each as the model fitted without it saw it (`left_out.csv`); so the
held-out subject plays no part, as a new person will not. See `steps.core.metrics.conformal`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from steps.core.data.dataset import Dataset
from steps.core.metrics.calibration import wilson_interval
from steps.core.metrics.conformal import Calibration, answer_text, answers
from steps.core.metrics.names import LEVELS, POOLED, SUBJECT

DECLARED: Final = 0.1
ERROR_RATES: Final = tuple(number / 100 for number in range(51))
_KEY = ["level", "subject", "label", "trial"]
_P_VALUES = ["p_value_0", "p_value_1"]


def fold_p_values(
    test: Dataset, probabilities: npt.NDArray[np.float64], left_out: pd.DataFrame, controls: Collection[str] = ()
) -> pd.DataFrame:
    """The p values of both classes for a fold's held-out trials and subjects.

    Args:
        test: the held-out trials.
        probabilities: of class 1 by the fold's model, shape ``(trials,)``.
        left_out: the fold's, with the columns ``subject``, ``label`` and ``probability``.
        controls: the control group, which does not calibrate: held-out subjects are not of it.

    Returns:
        ``level`` (``pooled`` for trials, ``subject``), ``subject``, ``label``, ``trial`` ("" for subjects),
        ``p_value_0`` and ``p_value_1``. A subject with trials of both classes has a row for each.
    """
    patients = left_out[~left_out["subject"].isin(list(controls))]
    calibration = Calibration.of(*(patients[name].to_numpy() for name in ("subject", "label", "probability")))
    trials = pd.DataFrame(
        {
            "level": POOLED,
            "subject": test.subjects.astype(object),
            "label": test.labels,
            "trial": test.trials.astype(object),
            "probability": probabilities,
        }
    )
    subjects = trials.groupby(["subject", "label"], as_index=False)["probability"].mean()
    subjects = subjects.assign(level=SUBJECT, trial="")
    of_both: list[pd.DataFrame] = []
    for table, p_values in (
        (trials, calibration.of_trials(trials["probability"].to_numpy())),
        (subjects, calibration.of_subjects(subjects["probability"].to_numpy())),
    ):
        of_both.append(table[_KEY].assign(**dict(zip(_P_VALUES, p_values.T, strict=True))))
    return pd.concat(of_both, ignore_index=True)


def answers_table(folds: Iterable[pd.DataFrame], label_names: tuple[str, str]) -> pd.DataFrame:
    """The p values of all folds, and the ``answer`` at the declared error rate.

    With several test numbers a p value is its mean over them, as a probability is.

    Args:
        folds: from `fold_p_values`, of every fold and test number.
        label_names: of class 0 and class 1.
    """
    table = pd.concat(list(folds)).groupby(_KEY, sort=True, as_index=False)[_P_VALUES].mean()
    return table.assign(answer=answer_text(answers(table[_P_VALUES].to_numpy(), DECLARED), label_names))


def abstention(table: pd.DataFrame) -> dict[str, Any]:
    """How often there is an answer, and how often a wrong one, at error rates from 0 to 0.5.

    Args:
        table: from `answers_table`.

    Returns:
        ``declared``, ``people`` and, under ``pooled`` and ``subject``, a list of rows, one for each error rate:

        - ``error_rate``;
        - ``cases``, and how many of them are ``answered`` and ``wrong``;
        - ``answered_share`` and ``error``, wrong among all, with ``error_low`` and ``error_high``; every subject counts
          the same, however many trials it has, and the 95% intervals (Wilson) count people;
        - ``error_answered``, wrong among the answered; absent where none is;
        - ``coverage``, how often the true class was not ruled out, with ``coverage_low`` and ``coverage_high``.
    """
    return {
        "declared": DECLARED,
        "people": table["subject"].nunique(),
        **{level: _curve(table[table["level"] == level]) for level in LEVELS},
    }


def _curve(table: pd.DataFrame) -> list[dict[str, float]]:
    p_values, labels = table[_P_VALUES].to_numpy(), table["label"].to_numpy()
    people = np.array(table["subject"].nunique())
    cases = table.groupby(["subject", "label"]).ngroup().to_numpy()
    sizes = np.bincount(cases)
    weights = 1 / sizes[cases] / len(sizes)
    true = p_values[np.arange(len(labels)), labels]
    rows = []
    for rate in ERROR_RATES:
        chosen = answers(p_values, rate)
        answered, wrong = chosen >= 0, (chosen >= 0) & (chosen != labels)
        shares = {
            "answered_share": float(weights @ answered),
            "error": float(weights @ wrong),
            "coverage": float(weights @ (true > rate)),
        }
        for name in ("error", "coverage"):
            low, high = wilson_interval(np.array(shares[name]), people)
            shares |= {f"{name}_low": float(low), f"{name}_high": float(high)}
        if answered.any():
            shares["error_answered"] = shares["error"] / shares["answered_share"]
        counts = {"cases": len(labels), "answered": int(answered.sum()), "wrong": int(wrong.sum())}
        rows.append({"error_rate": rate, **counts, **shares})
    return rows


def at_declared(document: Mapping[str, Any], level: str) -> Mapping[str, float]:
    """The row of the declared error rate.

    Args:
        document: from `abstention`.
        level: ``pooled`` or ``subject``.
    """
    return next(row for row in document[level] if row["error_rate"] == document["declared"])


def abstention_metrics(document: Mapping[str, Any]) -> dict[str, float]:
    """The numbers at the declared error rate: ``abstention/subject/error`` and so on.

    Args:
        document: from `abstention`.
    """
    return {
        f"abstention/{level}/{name}": float(value)
        for level in LEVELS
        for name, value in at_declared(document, level).items()
        if name != "cases"
    }


def curve_table(document: Mapping[str, Any]) -> pd.DataFrame:
    """The curves of both levels under each other, with ``level`` as the first column."""
    return pd.concat(
        [pd.DataFrame(document[level]).assign(level=level).set_index("level") for level in LEVELS]
    ).reset_index()
