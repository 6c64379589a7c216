"""Choose a network by nested cross-validation: the outer test subjects have no say in the choice they judge.

    python -m examples.nested_selection running_angles.parquet
    python -m examples.nested_selection simulated

For every outer fold of subjects, each candidate is trained and tested on inner folds of the remaining subjects; the
one with the lowest cross-entropy over inner test subjects (mean probability of their trials) is trained on the
remaining subjects and predicts the outer ones. Grouped folds instead of leave-one-subject-out keep it to minutes.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss, roc_auc_score

from steps.core.data.cross_validation import CrossValidation
from steps.core.data.dataset import Dataset
from steps.core.data.fold import Fold
from steps.core.data.folds import plan_folds
from steps.core.models.fit import Engine
from steps.core.models.fold import train_fold
from steps.core.models.regularisation_path import RegularisationPath
from steps.core.models.settings import FitSettings
from steps.core.models.soft_minirocket import SoftMiniRocket
from steps.core.readers.load import load_source

CANDIDATES: dict[str, tuple[str, SoftMiniRocket | None]] = {
    "cnn": ("cnn", None),
    "soft_minirocket": ("soft_minirocket", None),
    "soft_minirocket, ramp 1": ("soft_minirocket", SoftMiniRocket(ramp=1.0)),
    "soft_minirocket, ramp 0.01": ("soft_minirocket", SoftMiniRocket(ramp=0.01)),
    "soft_minirocket, 48 thresholds per kernel": ("soft_minirocket", SoftMiniRocket(thresholds_per_kernel=48)),
}


class Candidates:
    """Engines that are built once and train every fold."""

    def __init__(self, dataset: Dataset) -> None:
        """For trials of this shape."""
        shape = dataset.timesteps, len(dataset.features)
        self._engines = {
            name: Engine(model, *shape, method=RegularisationPath(model, *shape, design=design) if design else None)
            for name, (model, design) in CANDIDATES.items()
        }

    def predict(self, name: str, dataset: Dataset, fold: Fold) -> pd.DataFrame:
        """Train a candidate on a fold; the probabilities of its test trials."""
        settings = FitSettings(model=CANDIDATES[name][0])
        trained = train_fold(self._engines[name], dataset, fold, settings)
        test = dataset.of_subjects(fold.test_subjects)
        probability = np.asarray(trained.model(test.values, training=False))[:, 0].astype(np.float64)
        return pd.DataFrame({"subject": test.subjects, "label": test.labels, "probability": probability})

    def inner_loss(self, name: str, dataset: Dataset, folds: int, seed: int) -> float:
        """Cross-entropy over test subjects of a cross-validation within ``dataset``."""
        inner = plan_folds(dataset, cv=CrossValidation(folds), seed=seed)
        by_subject = of_subjects(pd.concat([self.predict(name, dataset, fold) for fold in inner]))
        clipped = by_subject["probability"].clip(1e-7, 1 - 1e-7)
        return float(log_loss(by_subject["label"], clipped, labels=[0, 1]))


def of_subjects(trials: pd.DataFrame) -> pd.DataFrame:
    """The mean probability of each subject (and label, where a subject has trials of both)."""
    return trials.groupby(["subject", "label"])[["probability"]].mean().reset_index()


def describe(trials: pd.DataFrame) -> str:
    """AUC, balanced accuracy and accuracy at 0.5."""
    label, decision = trials["label"], trials["probability"] >= 0.5
    balanced, plain = balanced_accuracy_score(label, decision), accuracy_score(label, decision)
    return (
        f"AUC {roc_auc_score(label, trials['probability']):.3f}, balanced accuracy {balanced:.3f}, accuracy {plain:.3f}"
    )


def main() -> None:
    """Print what each outer fold chose, and how the chosen ones did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="table, folder or 'simulated'")
    parser.add_argument("--positive_label", default="auto")
    parser.add_argument("--outer", type=int, default=5)
    parser.add_argument("--inner", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    dataset = load_source(given.source, positive_label=given.positive_label, seed=given.seed)
    dataset = dataset.select(~dataset.is_control)
    candidates = Candidates(dataset)
    chosen, predicted = Counter[str](), []
    for fold in plan_folds(dataset, cv=CrossValidation(given.outer), seed=given.seed):
        rest = dataset.select(~np.isin(dataset.subjects, fold.test_subjects))
        losses = {name: candidates.inner_loss(name, rest, given.inner, fold.seed) for name in CANDIDATES}
        best = min(losses, key=losses.__getitem__)
        chosen[best] += 1
        predicted.append(candidates.predict(best, dataset, fold))
        listed = "; ".join(f"{name} {loss:.3f}" for name, loss in losses.items())
        print(f"{fold.name}: {best} (inner cross-entropy: {listed})", flush=True)
    trials = pd.concat(predicted)
    print(f"chosen: {dict(chosen)}")
    print(f"outer trials ({len(trials)}): {describe(trials)}")
    subjects = of_subjects(trials)
    print(f"outer subjects ({len(subjects)}): {describe(subjects)}")


if __name__ == "__main__":
    main()
