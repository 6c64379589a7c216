"""The network and its baselines side by side: same folds, same metrics, same resampled subjects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from steps.core.baselines.choice import BASELINES
from steps.core.baselines.predict import Array, Fit
from steps.core.data.dataset import Dataset
from steps.core.data.fold import Fold
from steps.core.metrics.chunks import AT_ONCE, Chunked
from steps.core.metrics.metrics import PRIMARY
from steps.core.metrics.names import LEVELS, POOLED, SUBJECT, UNITS, at_level
from steps.core.metrics.paired import judged_levels, paired_differences
from steps.core.metrics.permutation import PERMUTATIONS, Tested, auc_test
from steps.core.metrics.predictions import FoldPrediction, results_table
from steps.core.metrics.ranking import ranking
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
    retrained: Mapping[str, Mapping[str, Tested]] | None = None,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    chunked: Chunked = AT_ONCE,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metrics of every baseline, the paired differences to the network, and all methods in order.

    Args:
        network: from `steps.core.metrics.predictions.results_table`.
        baselines: name -> the same of the same trials and test numbers.
        thresholds: decision thresholds.
        retrained: name -> from `steps.core.metrics.retrained.retrained_test`, for the p values of those baselines; the
            others keep their held-out probabilities, and methods that look at no values have none.
        permutations: of the labels over subjects.
        seed: of the permutations.
        chunked: where intervals and permutations are worked on.

    Returns:
        - name -> ``pooled`` and ``subject``, as in a summary, AUC with its ``p_value``; ``network_minus``: ``pooled``
          and ``subject`` of the differences, network minus baseline; and where there is one ``permutation``: level ->
          ``auc`` -> `steps.core.metrics.permutation.Tested`. Never NaN: what is undefined is absent.
        - `steps.core.metrics.ranking.ranking` of all; empty without baselines.
    """
    if not baselines:
        return {}, {}
    judge = partial(judged_levels, thresholds=thresholds, chunked=chunked)
    own, others = judge(network), {name: judge(results) for name, results in baselines.items()}
    document: dict[str, Any] = {}
    for name, levels in others.items():
        document[name] = {level: levels[level].estimates for level in LEVELS}
        document[name][DIFFERENCE] = {level: paired_differences(own[level], levels[level]) for level in LEVELS}
        trials = levels[POOLED].scores
        if trials.has_both_classes and not (name in BASELINES and BASELINES[name].is_guess):
            tested = (retrained or {}).get(name) or auc_test(
                trials, permutations=permutations, seed=seed, chunked=chunked
            )
            document[name]["permutation"] = {level: {PRIMARY: tested[level]} for level in LEVELS}
            for level in LEVELS:
                document[name][level][PRIMARY]["p_value"] = tested[level]["p_value"]
    return document, ranking({method: levels[SUBJECT] for method, levels in {NETWORK: own, **others}.items()})


def baselines_table(baselines: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The predictions of all baselines: ``method``, then the columns of `results_table`."""
    frames = [frame.assign(method=name) for name, frame in baselines.items()]
    table = pd.concat(frames, ignore_index=True)
    return table[["method", *(column for column in table.columns if column != "method")]]


def methods_table(summary: Mapping[str, Any]) -> pd.DataFrame:
    """A row per method, level and metric.

    Args:
        summary: from `steps.core.metrics.summary.summary`, with both of `baselines_summary` as its ``baselines`` and
            ``ranking``.

    Returns:
        ``method`` (best first, where AUC is defined), ``level`` (``trials`` or ``subjects``), ``metric``, ``value``,
        ``low``, ``high``; ``network_minus``, ``network_minus_low``, ``network_minus_high``: the paired difference,
        empty for the network itself; ``p_value``, and ``retrained``: whether it comes from training again for every
        permutation, both empty where nothing was tested; and ``letters``: methods that share one cannot be told apart
        by the AUC of subjects. The network's rows are the metrics that the baselines have.
    """
    methods: dict[str, Mapping[str, Any]] = {NETWORK: summary, **summary["baselines"]}
    letters = {one["method"]: one["letters"] for one in summary["ranking"]["methods"]}
    rows = []
    for method in [*letters, *(name for name in methods if name not in letters)]:
        levels = methods[method]
        for level in LEVELS:
            shared = {name for baseline in summary["baselines"].values() for name in baseline[level]}
            for one in statistics_of(summary["thresholds"]):
                if one.name not in shared or one.name not in levels[level]:
                    continue
                estimate = levels[level][one.name]
                difference = levels.get(DIFFERENCE, {}).get(level, {}).get(one.name, {})
                tested = levels.get("permutation", {}).get(level, {}).get(one.name, {})
                row = {"method": method, "level": UNITS[level], "metric": one.name}
                row |= {part: estimate.get(part) for part in BOUNDED}
                row |= {part_name(DIFFERENCE, part): difference.get(part) for part in BOUNDED}
                row |= {"p_value": tested.get("p_value"), "retrained": tested.get("retrained")}
                rows.append(row | {"letters": letters.get(method, "")})
    return pd.DataFrame(rows)


def baseline_metrics(summary: Mapping[str, Any]) -> dict[str, float]:
    """The compared metrics as metric names and values that MLflow accepts; ``methods.csv`` has the rest.

    AUC, Brier score, and accuracy and balanced accuracy at the first threshold, as ``baseline_logistic/subject/auc``,
    ``…_low``, ``…_high``, AUC with ``…_p_value``, the same under ``pooled``, and the differences as
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
