"""Are two sets of predictions about the same: the same trials, in the same folds, as often?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from steps.errors import UserError

KEY = ["subject", "trial", "label", "test_number"]
Folds = Mapping[tuple[str, int], frozenset[str]]


@dataclass(frozen=True, eq=False)
class Method:
    """What is compared: a training's networks, or a baseline on its folds.

    Attributes:
        title: what people read, e.g. ``fear (cnn)`` or ``logistic``.
        train_run_id: the training, or the one whose folds the baseline shares.
        baseline: name of the baseline; empty for the networks.
        dataset_digest: SHA-256 of the data.
        folds: (fold, test number) -> test subjects.
        results: a row per trial and test number, with at least ``subject``, ``trial``, ``label``, ``test_number`` and
            ``probability``.
        parameters: what the training was given; name -> value as text.
    """

    title: str
    train_run_id: str
    baseline: str
    dataset_digest: str
    folds: Folds
    results: pd.DataFrame
    parameters: Mapping[str, str]


def check_comparable(first: Method, second: Method) -> None:
    """Refuse what would compare different questions.

    Raises:
        UserError: the data, the folds, the test subjects of a fold or the predicted trials differ; it names the first
            difference.
    """
    a, b = f"run {first.train_run_id}", f"run {second.train_run_id}"
    if first.dataset_digest != second.dataset_digest:
        raise UserError(
            f"runs: {a} was trained on data with digest {first.dataset_digest[:12]}…, {b} on "
            f"{second.dataset_digest[:12]}…; expected the same data"
        )
    for one, other, name, lacking in ((first, second, a, b), (second, first, b, a)):
        missing = sorted(set(one.folds) - set(other.folds))
        if missing:
            fold, number = missing[0]
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise UserError(
                f"runs: {name} has fold {fold!r} with test number {number}{more}, {lacking} has not; expected the same "
                "cv, subjects and repeats"
            )
    for key in sorted(first.folds):
        if first.folds[key] != second.folds[key]:
            only = sorted(first.folds[key] ^ second.folds[key])[0]
            raise UserError(
                f"runs: subject {only!r} is tested by fold {key[0]!r} with test number {key[1]} in one of {a} and {b} "
                "only; expected the same test subjects in every fold (the same cv and seed)"
            )
    keys = [method.results[KEY].sort_values(KEY, ignore_index=True) for method in (first, second)]
    if not keys[0].equals(keys[1]):
        raise UserError(f"runs: the predictions of {a} and {b} are not of the same trials; evaluate both again")
