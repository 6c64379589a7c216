"""One contract for every row of the table of metrics."""

from __future__ import annotations

import numpy as np
import pytest

from steps.core.metrics.bootstrap import resample_weights
from steps.core.metrics.estimates import point_values, statistics
from steps.core.metrics.metrics import METRICS, DecisionMetric
from steps.core.metrics.names import UNITS
from steps.core.metrics.predictions import Scores, trial_scores
from steps.core.metrics.statistic import Statistic, headlines, statistics_of
from steps.core.metrics.summary import summary
from tests.core.metrics.conftest import THRESHOLDS, StudyMaker

SEEDS = range(5)


def of_all_kinds(study: StudyMaker) -> list[Scores]:
    """Trials of studies with and without an effect, and of one class only."""
    scores = [trial_scores(study(effect=effect, seed=seed)) for seed in SEEDS for effect in (0.0, 3.0)]
    one_class = Scores(np.ones(3, np.int8), np.array([0.2, 0.6, 0.9]), np.array(["a", "b", "c"]))
    return [*scores, one_class]


@pytest.mark.parametrize("name", METRICS)
def test_values_lie_within_the_span_of_their_metric(name: str, study: StudyMaker) -> None:
    lowest, highest = METRICS[name].span
    for scores in of_all_kinds(study):
        weights = resample_weights(len(np.unique(scores.subjects)), 50, 0)
        values = statistics(scores, weights, THRESHOLDS)
        for one in statistics_of(THRESHOLDS):
            if one.metric == name and one.name in values:
                assert values[one.name].shape == (50,)
                defined = values[one.name][np.isfinite(values[one.name])]
                assert (defined >= lowest).all()
                assert (defined <= highest).all()


@pytest.mark.parametrize("name", METRICS)
def test_direction_is_that_of_better_predictions(name: str, study: StudyMaker) -> None:
    """A study whose classes lie further apart is better by every metric."""
    direction = METRICS[name].direction
    one = Statistic(name, 0.5 if isinstance(METRICS[name], DecisionMetric) else None).name
    poor, good = (
        np.mean([point_values(trial_scores(study(40, effect=effect, seed=seed)), (0.5,))[one] for seed in SEEDS])
        for effect in (0.2, 4.0)
    )
    assert (good > poor) == (direction == "higher")


def test_every_metric_is_in_every_level_it_names(study: StudyMaker) -> None:
    document = summary(study(), THRESHOLDS, permutations=20)
    for level in UNITS:
        named = {one.name for one in statistics_of(THRESHOLDS) if level in one.row.levels and one.rule != "in_fold"}
        cells = {f"threshold_{threshold}/{cell}" for threshold in THRESHOLDS for cell in ("tn", "fp", "fn", "tp")}
        assert set(document[level]) == named | cells


def test_headlines_are_decided_at_the_first_threshold_and_errors_come_last() -> None:
    shown = headlines((0.43, 0.5))
    assert {one.rule for one in shown} == {None, 0.43}
    directions = [one.row.direction for one in shown]
    assert directions == sorted(directions)
    assert [one.title for one in shown][:3] == ["AUC", "average precision", "balanced accuracy at 0.43"]
