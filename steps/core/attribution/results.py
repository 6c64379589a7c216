"""From the folds of a study to its tables and metrics, and to what is said about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from steps.core.attribution.checks import COMPLETENESS_TOLERANCE, check_metrics, checks_in
from steps.core.attribution.faithfulness import KINDS, area_metrics, area_name, curve_table
from steps.core.attribution.fold import FoldResult, completeness_metrics
from steps.core.attribution.importance import attribution_map, cell_importance, feature_importance, time_importance
from steps.core.attribution.outcomes import importance_by_outcome, outcome_metrics
from steps.core.attribution.planted import planted_metrics, planted_table
from steps.core.attribution.randomisation import randomisation_metrics, randomisation_table
from steps.core.attribution.settings import Settings
from steps.core.attribution.stability import rank_stability, stability_metrics
from steps.core.attribution.trajectories import class_trajectories
from steps.core.data.dataset import Dataset
from steps.writing.estimates import estimate_in, estimate_text

REPORTED_TABLES = ("class_trajectories", "time_importance", "importance_by_outcome", "deletion_insertion")


@dataclass(frozen=True, eq=False)
class Results:
    """Everything an attribution leaves behind but its figures.

    Attributes:
        tables: by the name of their file, without ``.csv``; the columns are in docs/attribute.md.
        metrics: by name.
    """

    tables: dict[str, pd.DataFrame]
    metrics: dict[str, float]


def results(
    folds: Sequence[FoldResult], names: Sequence[tuple[str, int]], dataset: Dataset, settings: Settings
) -> Results:
    """The tables and metrics of a study.

    Args:
        folds: one per fold and test number.
        names: fold and test number of each.
        dataset: of the study.
        settings: how the folds were attributed.
    """
    maps, subjects, seed = [fold.map for fold in folds], [fold.test.subjects for fold in folds], settings.seed
    curves = [fold.curves for fold in folds]
    outcomes = [fold.outcomes for fold in folds]
    features, time = dataset.features, dataset.time
    importance = feature_importance(maps, features, seed=seed)
    tested = dataset.of_subjects(np.unique(np.concatenate(subjects)).tolist())
    tables = {
        "feature_importance": importance,
        "attribution_map": attribution_map(maps, features, time),
        "attribution_map_signed": attribution_map(maps, features, time, signed=True),
        "cell_importance": cell_importance(maps, features, time, seed=seed),
        "time_importance": time_importance(maps, time, seed=seed),
        "importance_by_outcome": importance_by_outcome(outcomes, features, seed=seed),
        "rank_stability": rank_stability(maps, names),
        "class_trajectories": class_trajectories(tested, importance["feature"].tolist()),
        "deletion_insertion": curve_table(curves, subjects, seed=seed),
        "completeness": pd.concat([fold.completeness for fold in folds], ignore_index=True),
    }
    metrics = {
        **completeness_metrics(tables["completeness"]),
        **stability_metrics(maps, tables["rank_stability"], seed=seed),
        **outcome_metrics(outcomes, tables["importance_by_outcome"]),
        **area_metrics(curves, subjects, seed=seed),
    }
    checked = [fold.randomised for fold in folds if fold.randomised is not None]
    if checked:
        together = pd.concat(checked, ignore_index=True)
        tables["randomisation"] = randomisation_table(together)
        metrics |= randomisation_metrics(together)
    truth = dataset.planted_truth
    if truth and truth.windows:
        absolute = np.mean([one.absolute for one in maps], axis=0)
        tables["planted_truth"] = planted_table(absolute, importance, truth, features, time)
        metrics |= planted_metrics(absolute, tables["planted_truth"], truth, features)
    return Results(tables, {**metrics, **check_metrics(metrics)})


def summary_lines(outcome: Results) -> list[str]:
    """What the terminal says, a line each."""
    tables, metrics = outcome.tables, outcome.metrics
    features = tables["feature_importance"]["feature"].tolist()
    lines = [f"most important of {len(features)} features: {', '.join(features[:5])}"]
    if "rank_tau_pairwise" in metrics:
        lines.append(f"agreement of folds on the order of features: Kendall's tau {metrics['rank_tau_pairwise']:.2f}")
    if "planted_truth_auc" in metrics:
        line = f"agreement with the planted features: AUC {metrics['planted_truth_auc']:.3f}"
        if "planted_cells_auc" in metrics:
            line += f", features x time: AUC {metrics['planted_cells_auc']:.3f}"
        lines.append(line)
    for kind in KINDS:
        if area := estimate_in(metrics, area_name(kind)):
            lines.append(f"{kind}, area between attribution order and random order: {estimate_text(area)}")
    if "randomised_correlation" in metrics:
        lines.append(f"rank correlation with attributions of untrained models: {metrics['randomised_correlation']:.2f}")
    if not metrics["trials_error"] or not metrics["trials_hit"]:
        which = "wrong" if not metrics["trials_error"] else "right"
        lines.append(f"no trial was decided {which}ly at 0.5: importance_by_outcome.csv has none of those")
    lines.append(f"completeness error at most {metrics['completeness_error_max']:.2e} of the output change")
    if "sampling_error_median" in metrics:
        lines.append(
            f"sampling error from drawing baselines: {metrics['sampling_error_median']:.0%} of an attribution "
            f"(median trial), at most {metrics['sampling_error_max']:.0%}"
        )
    return lines


def warnings(outcome: Results) -> list[str]:
    """Reasons not to trust the attribution blindly, a line each."""
    trials, metrics = outcome.tables["completeness"], outcome.metrics
    lines = []
    if above := int(metrics["trials_above_tolerance"]):
        worst = trials.iloc[int(trials["relative_error"].to_numpy().argmax())]
        lines.append(
            f"the completeness error of {above} of {len(trials)} trials exceeds {COMPLETENESS_TOLERANCE:.0%} of the "
            f"output change (worst: subject {worst['subject']}, trial {worst['trial']}); raise steps above "
            f"{worst['steps']}"
        )
    for check, is_passed in checks_in(metrics).items():
        if check != "completeness" and not is_passed:
            lines.append(f"the attribution did not pass its {check} check; see docs/attribute.md before trusting it")
    return lines
