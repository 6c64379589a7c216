"""How well whole labels are told, as one JSON-serialisable dictionary, with intervals over subjects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from steps.core.data.labelling import ORDERED, SCORE, Labelling
from steps.core.metrics.estimates import estimates, vote_estimates
from steps.core.metrics.intervals import Bounds, clopper_pearson, effective_interval
from steps.core.metrics.jackknife import Jackknifed
from steps.core.metrics.labels.metrics import PRIMARY, LabelMetric, metrics_of
from steps.core.metrics.labels.predictions import LabelScores, label_levels
from steps.core.metrics.names import CONFIDENCE, SUBJECT, Estimate, statistic_name
from steps.core.metrics.predictions import Scores

PERMUTATIONS: Final = 1000
_OF_CLASS: Final = ("recall", "precision", "f1")
_RULE: Final = 0.5  # a name for the decision by the most probable class; no probability is compared with it
_TAIL: Final = (1 - CONFIDENCE) / 2


def label_summary(
    table: pd.DataFrame, labelling: Labelling, seed: int, permutations: int = PERMUTATIONS
) -> dict[str, Any]:
    """What a study says of its whole labels.

    Args:
        table: from `steps.core.metrics.labels.predictions.label_results_table`.
        labelling: of the study.
        seed: of the permutations.
        permutations: how many.

    Returns:
        ``kind``, ``names``, ``cut_off``, ``primary`` (a metric of subjects), and for ``pooled`` and ``subject``:

        - ``metrics``: `steps.core.metrics.labels.metrics.LABEL_METRICS` of the kind, each ``{value, low, high}``, the
          primary one of subjects with ``p_value`` where each subject has one label;
        - ``classes``: of each class ``name``, ``count``, ``auc`` against the rest, ``recall``, ``precision``, ``f1`` of
          the most probable class;
        - ``confusion``: rows are labels, columns what is said;
        - ``cut_offs``: of ordered classes and scores, AUC from each level or value on, with ``positives``.
    """
    document: dict[str, Any] = {
        "kind": labelling.kind,
        "names": list(labelling.names),
        "cut_off": labelling.name(labelling.cut_off),
        "primary": PRIMARY[labelling.kind],
    }
    for level, scores in label_levels(table, labelling).items():
        own: dict[str, Any] = {"metrics": label_estimates(scores)}
        if labelling.has_classes:
            own["classes"] = _of_classes(scores)
            width = labelling.width
            places = scores.values.astype(np.intp) * width + scores.classes
            own["confusion"] = np.bincount(places, minlength=width**2).reshape(width, width).tolist()
        if labelling.kind in (ORDERED, SCORE):
            own["cut_offs"] = _cut_offs(scores)
        if level == SUBJECT and (p_value := _permuted(scores, seed, permutations)) is not None:
            own["metrics"][document["primary"]]["p_value"] = p_value
        document[level] = own
    return document


def label_estimates(scores: LabelScores) -> dict[str, Estimate]:
    """All metrics of a kind with their intervals; those that are undefined are absent."""
    names = np.unique(scores.subjects)
    kept = [scores.select(scores.subjects != name) for name in names] if len(names) > 1 else []
    made: dict[str, Estimate] = {}
    for name, metric in metrics_of(scores.labelling.kind).items():
        value = metric.function(scores)
        if not np.isfinite(value):
            continue
        made[name] = {"value": value}
        if metric.interval and kept:
            jackknifed = Jackknifed(value, np.array([metric.function(one) for one in kept]))
            if (bounds := _bounds(metric, jackknifed, scores)) is not None:
                made[name] |= {"low": bounds[0], "high": bounds[1]}
    return made


def _bounds(metric: LabelMetric, found: Jackknifed, scores: LabelScores) -> Bounds | None:
    """Those of `steps.core.metrics.intervals`, resting on as many people as the rarest class allows."""
    if not np.isfinite(found.left_out).all():
        return None
    if metric.interval == "error" and not scores.labelling.has_classes:
        return _of_error(found)
    everybody = len(np.unique(scores.subjects))
    people, pairs = everybody, everybody // 2
    if scores.labelling.has_classes and metric.interval != "share":
        rarest = min(len(np.unique(scores.subjects[scores.values == place])) for place in range(scores.labelling.width))
        people, pairs = min(scores.labelling.width * rarest, everybody), min(rarest, pairs)
    shift = 1.0 if metric.interval == "correlation" else 0.0
    scale = {"correlation": 2.0, "error": scores.labelling.width - 1.0}.get(metric.interval or "", 1.0)
    share = Jackknifed((found.value + shift) / scale, (found.left_out + shift) / scale)
    tries = pairs if metric.ranks else people
    if metric.ranks and np.ptp(scores.outputs, axis=0).max() == 0:
        low, high = share.value, share.value
    elif share.value in (0, 1) or (metric.interval == "share" and len(scores.values) == everybody):
        low, high = clopper_pearson(share.value, tries)
    elif people < 2:
        return None
    else:
        low, high = effective_interval(share, people=people, tries=tries, most=len(scores.values))
    return low * scale - shift, high * scale - shift


def _of_error(found: Jackknifed) -> Bounds | None:
    """Student's interval of a mean error above 0, on the scale of its logarithm."""
    if found.value <= 0:
        return None
    half = float(stdtrit(found.subjects - 1, 1 - _TAIL)) * found.standard_error / found.value
    return found.value * float(np.exp(-half)), found.value * float(np.exp(half))


def _of_classes(scores: LabelScores) -> list[dict[str, Any]]:
    """Each class against the rest, by the statistics of two classes."""
    rows = []
    for place, name in enumerate(scores.labelling.names):
        own = (scores.values == place).astype(np.int8)
        as_two = Scores(own, scores.outputs[:, place].clip(0, 1), scores.subjects)
        row: dict[str, Any] = {"name": name, "count": int(own.sum())}
        if "auc" in (of_two := estimates(as_two, ())):
            row["auc"] = of_two["auc"]
        decided = vote_estimates(as_two, {_RULE: scores.classes == place})
        row |= {key: decided[full] for key in _OF_CLASS if (full := statistic_name(key, _RULE)) in decided}
        rows.append(row)
    return rows


def _cut_offs(scores: LabelScores) -> list[dict[str, Any]]:
    """AUC of everybody from a level or value on against everybody below, for all of them."""
    rank = scores.rank
    spread = float(np.ptp(rank)) or 1.0
    rows = []
    for value in np.unique(scores.values)[1:]:
        positive = (scores.values >= value).astype(np.int8)
        # Any order of probabilities will do: nothing but the AUC is taken.
        as_two = Scores(positive, (rank - rank.min()) / spread, scores.subjects)
        found = estimates(as_two, ())["auc"]
        rows.append({"cut_off": scores.labelling.name(value), "positives": int(positive.sum()), "auc": found})
    return rows


def _permuted(scores: LabelScores, seed: int, permutations: int) -> float | None:
    """One-sided p value of the primary metric: labels change places among subjects, the models stay as they are.

    Returns:
        None where a subject has several labels, or all have the same.
    """
    metric: LabelMetric = metrics_of(scores.labelling.kind)[PRIMARY[scores.labelling.kind]]
    reached = metric.function(scores)
    if len(np.unique(scores.subjects)) < len(scores.subjects) or not np.isfinite(reached):
        return None
    generator = np.random.default_rng(seed)
    as_good = 0
    for _ in range(permutations):
        values = scores.values[generator.permutation(len(scores.values))]
        permuted = LabelScores(scores.labelling, values, scores.outputs, scores.subjects)
        as_good += metric.function(permuted) >= reached - 1e-12
    return (1 + as_good) / (1 + permutations)


def label_metrics_table(document: Mapping[str, Any]) -> pd.DataFrame:
    """Every number of `label_summary` that is an estimate, a row each.

    Returns:
        ``level``, ``metric``, ``of`` (a class or a cut-off; empty for all), ``value``, ``low``, ``high``, ``p_value``.
    """
    rows: list[dict[str, Any]] = []
    for level in ("pooled", "subject"):
        own = document[level]
        rows += [{"level": level, "metric": name, "of": "", **one} for name, one in own["metrics"].items()]
        for entry in own.get("classes", ()):
            rows += [
                {"level": level, "metric": name, "of": entry["name"], **entry[name]}
                for name in ("auc", *_OF_CLASS)
                if name in entry
            ]
        rows += [
            {"level": level, "metric": "auc", "of": f"{entry['cut_off']} or more", **entry["auc"]}
            for entry in own.get("cut_offs", ())
        ]
    columns = ["level", "metric", "of", "value", "low", "high", "p_value"]
    return pd.DataFrame(rows).reindex(columns=columns)


def label_metrics(document: Mapping[str, Any]) -> dict[str, float]:
    """Subjects' and trials' metrics as MLflow takes them: ``labels/subject/macro_auc``, ``..._low``, ``..._high``."""
    made: dict[str, float] = {}
    for level in ("pooled", "subject"):
        for name, one in document[level]["metrics"].items():
            for part, value in one.items():
                made[f"labels/{level}/{name}{'' if part == 'value' else f'_{part}'}"] = float(value)
    return made
