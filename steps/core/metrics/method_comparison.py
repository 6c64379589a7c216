"""The network and its baselines side by side: same folds, same metrics, same resampled subjects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from steps.core.baselines.predict import Array, Fit
from steps.core.data.dataset import Dataset
from steps.core.data.fold import Fold
from steps.core.metrics.chunks import AT_ONCE, Chunked
from steps.core.metrics.estimates import estimates
from steps.core.metrics.names import LEVELS, UNITS, at_level
from steps.core.metrics.paired import paired_differences
from steps.core.metrics.predictions import FoldPrediction, levels_of, results_table
from steps.core.metrics.statistic import at_first, statistics_of
from steps.writing.estimates import BOUNDED, flat, part_name

NETWORK = "network"
DIFFERENCE = "network_minus"


def predictions_of(
    name: str, dataset: Dataset, folds: Iterable[Fold], fitted: Mapping[Fit, Array]
) -> list[FoldPrediction]:
    """The predictions of baseline ``name``, one per fold.

    Args:
        name: of the baseline.
        dataset: the study.
        folds: every fold and test number.
        fitted: what `fit_predict` made of `fits_of` them.
    """
    return [
        FoldPrediction(dataset.of_subjects(fold.test_subjects), fold.test_number, fitted[Fit.of(name, fold)])
        for fold in folds
    ]


def baseline_results(
    names: Sequence[str],
    dataset: Dataset,
    folds: Sequence[Fold],
    thresholds: Sequence[float],
    fitted: Mapping[Fit, Array],
) -> dict[str, pd.DataFrame]:
    """The predictions of each baseline, as `steps.core.metrics.predictions.results_table` has those of the network.

    Args:
        names: of the baselines, from `steps.core.baselines.choice.parse_baselines`.
        dataset: the study.
        folds: every fold and test number.
        thresholds: decision thresholds.
        fitted: what `steps.core.baselines.predict.fit_predict` made of `fits_of` them.
    """
    return {name: results_table(predictions_of(name, dataset, folds, fitted), thresholds) for name in names}


def baselines_summary(
    network: pd.DataFrame,
    baselines: Mapping[str, pd.DataFrame],
    thresholds: Sequence[float],
    *,
    chunked: Chunked = AT_ONCE,
) -> dict[str, Any]:
    """Metrics of every baseline and the paired differences to the network.

    Args:
        network: from `steps.core.metrics.predictions.results_table`.
        baselines: name -> the same of the same trials and test numbers.
        thresholds: decision thresholds.
        chunked: where the intervals are worked on.

    Returns:
        Name -> ``pooled`` and ``subject``, as in a summary, and ``network_minus``: ``pooled`` and ``subject`` of the
        differences, network minus baseline. Never NaN: what is undefined is absent.
    """
    levels = levels_of(network)
    document: dict[str, Any] = {}
    for name, results in baselines.items():
        others = levels_of(results)
        document[name] = {level: dict(estimates(others[level], thresholds, chunked=chunked)) for level in LEVELS}
        document[name][DIFFERENCE] = {
            level: paired_differences(levels[level], others[level], thresholds, chunked=chunked) for level in LEVELS
        }
    return document


def baselines_table(baselines: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The predictions of all baselines: ``method``, then the columns of `results_table`."""
    frames = [frame.assign(method=name) for name, frame in baselines.items()]
    table = pd.concat(frames, ignore_index=True)
    return table[["method", *(column for column in table.columns if column != "method")]]


def methods_table(summary: Mapping[str, Any]) -> pd.DataFrame:
    """A row per method, level and metric.

    Args:
        summary: from `steps.core.metrics.summary.summary`, with `baselines_summary` as its ``baselines``.

    Returns:
        ``method`` (``network`` first), ``level`` (``trials`` or ``subjects``), ``metric``, ``value``, ``low``,
        ``high``, and ``network_minus``, ``network_minus_low``, ``network_minus_high``: the paired difference, empty for
        the network itself. The network's rows are the metrics that the baselines have.
    """
    methods: dict[str, Mapping[str, Any]] = {NETWORK: summary, **summary["baselines"]}
    rows = []
    for method, levels in methods.items():
        for level in LEVELS:
            shared = {name for baseline in summary["baselines"].values() for name in baseline[level]}
            for one in statistics_of(summary["thresholds"]):
                if one.name not in shared or one.name not in levels[level]:
                    continue
                estimate = levels[level][one.name]
                difference = levels.get(DIFFERENCE, {}).get(level, {}).get(one.name, {})
                row = {"method": method, "level": UNITS[level], "metric": one.name}
                row |= {part: estimate.get(part) for part in BOUNDED}
                rows.append(row | {part_name(DIFFERENCE, part): difference.get(part) for part in BOUNDED})
    return pd.DataFrame(rows)


def baseline_metrics(summary: Mapping[str, Any]) -> dict[str, float]:
    """The compared metrics as metric names and values that MLflow accepts; ``methods.csv`` has the rest.

    AUC, Brier score, and accuracy and balanced accuracy at the first threshold, as ``baseline_logistic/subject/auc``,
    ``…_low``, ``…_high``, the same under ``pooled``, and the differences as
    ``baseline_logistic/network_minus/subject/auc``.
    """
    logged = [one for one in at_first(summary["thresholds"]) if one.row.compared and one.row.logged_again]
    metrics: dict[str, float] = {}
    for method, levels in summary["baselines"].items():
        for level in LEVELS:
            for one in logged:
                name = at_level(level, one.name)
                metrics |= flat(f"baseline_{method}/{name}", levels[level].get(one.name, {}))
                metrics |= flat(f"baseline_{method}/{DIFFERENCE}/{name}", levels[DIFFERENCE][level].get(one.name, {}))
    return metrics
