"""The attribution section of a report: what was done, whether it passed its checks, and its figures."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from steps.core.attribution.checks import COMPLETENESS_TOLERANCE, checks_in
from steps.core.attribution.faithfulness import KINDS, area_name
from steps.core.figures.attribution import all_figures
from steps.report.data import ReportData
from steps.writing.estimates import estimate_in, estimate_text

WITHIN = (
    "The networks take each subject's trials standardised by themselves, so class trajectories are in standard "
    "deviations of the subject; attributions are in probability, as ever."
)
# Check -> what it means to have passed it, what it means not to have, and what it is called.
_CHECKS = {
    "completeness": ("it adds up for every trial", "it does not add up for every trial", "completeness"),
    "deletion": (
        "removing what it calls important moves the probability more than removing anything else",
        "removing what it calls important moves the probability no more than removing anything else",
        "deletion",
    ),
    "insertion": (
        "so does putting it back",
        "putting back what it calls important moves the probability no more than putting back anything else",
        "insertion",
    ),
    "randomisation": (
        "models with random weights give a different one",
        "models with random weights, which know nothing, give much the same one",
        "random weights",
    ),
}


def verdict(metrics: Mapping[str, float]) -> str:
    """Whether the attribution can be trusted to describe the models, in plain words; empty without checks.

    Args:
        metrics: of the attribution, with those of `steps.core.attribution.checks.check_metrics`.
    """
    made = checks_in(metrics)
    if not made:
        return ""
    failed = [_CHECKS[name][1] for name, passed in made.items() if not passed]
    if failed:
        sentence = (
            f"As a description of the models the attribution did not pass {len(failed)} of {len(made)} checks, "
            f"so do not rely on it: {'; '.join(failed)}."
        )
    else:
        # The text on insertion begins with "so does" and needs that on deletion before it.
        passed = [_CHECKS[name][0] for name in made if name != "insertion" or "deletion" in made]
        listed = passed[0] if len(passed) == 1 else f"{', '.join(passed[:-1])}, and {passed[-1]}"
        number = f"{len(made)} checks" if len(made) > 1 else "one check"
        sentence = (
            f"As a description of the models, be they good or bad, the attribution passed its {number}: {listed}."
        )
    missing = [_CHECKS[name][2] for name in _CHECKS if name not in made]
    if missing:
        sentence += f" Not checked, because it needs more subjects or is undefined: {', '.join(missing)}."
    return sentence


def sentences(data: ReportData) -> tuple[str, ...]:
    """What the section says, a paragraph each."""
    metrics = data.attribution_metrics
    paragraphs = [
        _method(data), verdict(metrics), _measured(metrics), _completeness(data), _stability(metrics), _outcomes(data),
        _planted(data),
    ]  # fmt: skip
    return tuple(paragraph for paragraph in paragraphs if paragraph)


def figures(data: ReportData) -> dict[str, Figure]:
    """The figures of the attribution step, drawn again from its tables."""
    tables: dict[str, pd.DataFrame] = {
        "feature_importance": data.importance,
        "attribution_map": data.attribution_map,
        **data.attribution_tables,
    }
    return dict(
        all_figures(
            tables,
            data.manifest.time,
            time_unit=data.manifest.time_unit,
            label_names=data.explained_names,
            truth=data.manifest.planted_truth,
            metrics=data.attribution_metrics,
        )
    )


def texts(data: ReportData) -> dict[str, tuple[str, str]]:
    """Caption and alternative text of each figure."""
    planted = " Features that the simulation changed are marked." if data.is_simulated else ""
    top = ", ".join(str(name) for name in data.importance["feature"].head(3))
    metrics = data.attribution_metrics
    areas = ", ".join(f"{kind} {area}" for kind, area in _areas(metrics).items())
    return {
        "feature_importance": (
            f"What the models looked at: mean size of each feature's attribution.{planted}",
            f"Bars of feature importance; the most important features are {top}.",
        ),
        "attribution_map": (
            "Where in time they looked; above, the mean trajectories of both classes."
            f"{' Boxes are what the simulation changed.' if planted else ''}",
            f"Heatmap of mean absolute attribution, features by time; the most important features are {top}.",
        ),
        "time_importance": (
            "When they looked: mean size of the attribution at each time point, over all features.",
            "Line of importance over time with its interval.",
        ),
        "importance_by_outcome": (
            "Whether they look elsewhere when they are wrong.",
            f"Bars of feature importance in {metrics.get('trials_hit', 0):.0f} trials that were decided rightly and "
            f"{metrics.get('trials_error', 0):.0f} that were decided wrongly.",
        ),
        "deletion_insertion": (
            "Does the probability follow the attribution? The further apart the two lines, the better.",
            f"Deletion and insertion curves against random order; areas between them, in probability: {areas}.",
        ),
    }


def _method(data: ReportData) -> str:
    target, baseline = data.explained_names[int(data.parameters["target"])], data.parameters["attribution_baseline"]
    if data.parameters["method"] == "expected_gradients":
        source = "control trials" if baseline == "control" else "training trials"
        trials = data.parameters["attribution_baseline_trials"]
        name, what = "Expected gradients", f"up to {trials} {source} are the baselines"
    else:
        name, what = "Integrated Gradients", f"the baseline is {baseline!r}"
    return (
        f"{name} split the probability of {target} of each held-out trial among features and time points, under the "
        f"model that had not seen its subject; {what}." + (f" {WITHIN}" if data.is_within_subjects else "")
    )


def _measured(metrics: Mapping[str, float]) -> str:
    """The numbers behind the verdict."""
    parts = [
        f"area between {kind} in order of attribution and in random order {area}"
        for kind, area in _areas(metrics).items()
    ]
    if "randomised_correlation" in metrics:
        parts.append(f"rank correlation with attributions under random weights {metrics['randomised_correlation']:.2f}")
    return f"In numbers: {'; '.join(parts)}." if parts else ""


def _completeness(data: ReportData) -> str:
    metrics = data.attribution_metrics
    if "completeness_error_max" not in metrics:
        return ""
    above, total = int(metrics.get("trials_above_tolerance", 0)), len(data.results)
    worst = f"{metrics['completeness_error_max']:.2%}"
    within = "all" if not above else f"{total - above} of {total}"
    sentence = (
        f"Completeness: the attributions of {within} trials add up to the change in output that they explain to "
        f"within {COMPLETENESS_TOLERANCE:.0%}; the largest error is {worst} of the change"
        + (f", so {above} {'is' if above == 1 else 'are'} less exact." if above else ".")
    )
    if "sampling_error_median" in metrics:
        drawn = f"{metrics['sampling_error_median']:.0%}"
        sentence += (
            f" Other baselines would have changed an attribution by about {drawn} of its size (median trial; standard "
            f"error), and the sum by at most {metrics['source_error_max']:.3f}."
        )
    return sentence


def _stability(metrics: Mapping[str, float]) -> str:
    if "rank_tau_pairwise" not in metrics:
        return ""
    return (
        f"Agreement of folds on the order of features: Kendall's tau {metrics['rank_tau_pairwise']:.2f} between two "
        f"folds, {metrics['rank_tau_rest']:.2f} between one and the mean of the others (1 = same order, 0 = unrelated)."
    )


def _outcomes(data: ReportData) -> str:
    metrics = data.attribution_metrics
    if "trials_error" not in metrics:
        return ""
    hits, errors = int(metrics["trials_hit"]), int(metrics["trials_error"])
    if not errors:
        return f"All {hits} trials were decided rightly at 0.5, so there is nothing to say about errors."
    if not hits:
        return f"All {errors} trials were decided wrongly at 0.5, so there is nothing to say about hits."
    sentence = f"At 0.5 the models decided {hits} trials rightly and {errors} wrongly"
    if "hit_error_tau" in metrics:
        sentence += f"; Kendall's tau between the two orders of features is {metrics['hit_error_tau']:.2f}"
    return sentence + "."


def _planted(data: ReportData) -> str:
    truth, metrics = data.manifest.planted_truth, data.attribution_metrics
    if not truth:
        return ""
    planted = len(truth.windows)
    top = data.importance["feature"].head(planted).isin(list(truth.windows)).sum()
    agreement = f"{top} of the {planted} features that the simulation changed are among the top {planted}"
    if "planted_truth_auc" in metrics:
        agreement += f" (AUC {metrics['planted_truth_auc']:.3f})"
    if "planted_cells_recall" in metrics:
        agreement += (
            f", and of the changed features × time points {metrics['planted_cells_recall']:.0%} are among as many of "
            f"the most important (AUC {metrics['planted_cells_auc']:.3f})"
        )
    return f"Agreement with the planted truth: {agreement}."


def _areas(metrics: Mapping[str, float]) -> dict[str, str]:
    """``deletion`` and ``insertion`` -> the area between both orders with its interval, where it was measured."""
    areas = {kind: estimate_in(metrics, area_name(kind)) for kind in KINDS}
    return {kind: estimate_text(area, 2) for kind, area in areas.items() if area}
