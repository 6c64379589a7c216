"""Batches of the same people are no alarm; other units and flipped sensors are; what comes of labels."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
import pytest

from steps.core.data.training_reference import TrainingReference
from steps.core.data.unseen import Unseen
from steps.core.drift.batch import Batch, inputs_by_subject
from steps.core.drift.monitoring import monitor
from steps.core.models.refit import refit_fold, training_summary
from steps.core.readers.simulate import SimulationSize, simulate

LEVEL = 0.01  # the default
Change = Callable[[np.ndarray, int], None]


def to_degrees(values: np.ndarray, feature: int) -> None:
    values[:, :, feature] *= 180 / np.pi


def flip(values: np.ndarray, feature: int) -> None:
    values[:, :, feature] *= -1


@cache
def trained(population: int, subjects: int = 24) -> TrainingReference:
    study = simulate(SimulationSize(subjects=subjects, controls=0), timesteps=51, seed=population)
    summary = training_summary(study, refit_fold(study, "exclude", seed=0))
    rng = np.random.default_rng(population)
    scores = np.clip(study.labels * 0.4 + rng.uniform(0, 0.6, len(study.labels)), 0, 1)
    place = {name: i for i, name in enumerate(summary["subjects"])}
    summary["left_out_scores"] = {
        "subject": [place[name] for name in study.subjects.tolist()],
        "label": study.labels.tolist(),
        "probability": scores.tolist(),
    }
    return TrainingReference.model_validate(summary)


def batch(population: int, number: int, subjects: int, change: Change | None = None) -> Batch:
    """New people of a population, as a model says of them that is right as often as that of `trained`."""
    reference = trained(population)
    people = simulate(
        SimulationSize(subjects=max(subjects, 4), controls=0), timesteps=51, seed=population, people=number + 1
    )
    people = people.select(np.isin(people.subjects, np.unique(people.subjects)[-subjects:]))
    values = people.values.copy()
    if change:
        change(values, number % values.shape[2])
    names = np.char.add(f"{number}-", people.subjects)
    nobody = np.zeros(len(names), dtype=bool)
    unseen = Unseen(values, names, people.trials, nobody, None, nobody, "new", ())
    rng = np.random.default_rng(10_000 + number)
    probability = np.clip(people.labels * 0.4 + rng.uniform(0, 0.6, len(names)), 0, 1)
    predictions = pd.DataFrame(
        {
            "subject": names, "trial": people.trials, "group": "patient", "probability": probability, "in_training": 0,
            "decision": (probability >= 0.5).astype(int), "threshold": 0.5, "unusual": 0, "label": people.labels,
        }
    )  # fmt: skip
    return Batch.of(f"b{number}", "", inputs_by_subject(unseen, reference), predictions, reference.features)


@pytest.mark.parametrize("change", [to_degrees, flip])
def test_what_is_wrong_is_found_and_named(change: Change) -> None:
    reference = trained(0)
    found = monitor([batch(0, 0, 6), batch(0, 3, 5, change)], reference, LEVEL, seed=0)
    assert set(found.alarms) == {"b3"}
    assert found.batches["alarm"].tolist()[1:] == [0, 1]
    feature = reference.features[3]
    assert feature in found.batches["most_training"].iloc[2]
    assert feature in found.alarms["b3"][0]
    drift = found.drift[(found.drift["batch"] == "b3") & (found.drift["against"] == "training")]
    assert set(drift.loc[drift["p_value"] <= LEVEL, "feature"]) == {feature}
    worst = found.subjects[found.subjects["batch"] == "b3"]
    if change is to_degrees:
        assert set(worst["feature"]) == {feature}
        assert worst["beyond_training"].all()


def test_labels_say_how_good_it_was() -> None:
    one = batch(0, 1, 10)
    row = monitor([one], trained(0), LEVEL, seed=0).batches.iloc[1]
    means = one.predictions.groupby("subject")[["label", "probability"]].mean()
    fear, calm = (means.loc[means["label"] == label, "probability"].to_numpy() for label in (1, 0))
    auc = np.mean((fear[:, None] > calm) + 0.5 * (fear[:, None] == calm))
    assert row["auc"] == pytest.approx(auc)
    assert row["labelled"] == 10
    assert row["more_positive_than_said"] == pytest.approx((means["label"] - means["probability"]).mean())
    wrong = one.predictions.assign(label=1 - one.predictions["label"])
    turned = Batch(one.name, "", one.subjects, one.values, wrong)
    assert "AUC of subjects is 0.0" in monitor([turned], trained(0), LEVEL, seed=0).alarms["b1"][-1]
    blind = Batch(one.name, "", one.subjects, one.values, one.predictions.drop(columns="label"))
    assert "auc" not in monitor([blind], trained(0), LEVEL, seed=0).batches.iloc[1].dropna()


def test_people_who_come_one_by_one_are_taken_together() -> None:
    alone = monitor([batch(0, 1, 1)], trained(0), LEVEL, seed=0)
    assert alone.needed == 4
    assert "p_training" not in alone.batches
    changes = [None] * 6 + [to_degrees] * 6
    batches = [batch(0, 3, 4)] + [batch(0, 48 + 24 * i + 3, 1, change) for i, change in enumerate(changes)]
    found = monitor(batches, trained(0), LEVEL, seed=0)
    assert found.batches["compared"].tolist()[1:] == [4, 5, 6, 7, *[4] * 9]
    assert set(found.alarms) >= {batches[-1].name, batches[-2].name}
    assert not set(found.alarms) & {one.name for one in batches[:7]}


def test_tables_of_other_people_are_refused() -> None:
    one = batch(0, 1, 4)
    reference = trained(0)
    inputs = pd.DataFrame({"subject": ["x"], "group": "patient", "in_training": 0, "feature": reference.features[0]})
    with pytest.raises(ValueError, match="does not hold every feature of every subject once"):
        Batch.of("b", "", inputs, one.predictions, reference.features)


@pytest.mark.slow
def test_the_bar_at_most_5_percent_false_alarms_and_20_of_20_found() -> None:
    alarms = {}
    for size in (1, 5, 8):
        named: list[list[str]] = []
        for population in range(4):
            batches = [batch(population, number, size) for number in range(50)]
            named += monitor(batches, trained(population), LEVEL, seed=population).alarms.values()
        alarms[size] = len(named)
    print(f"\nfalse alarms in 200 batches, by people of a batch: {alarms}")
    assert all(count <= 10 for count in alarms.values())
    for change in (to_degrees, flip):
        found = [monitor([batch(0, number, 5, change)], trained(0), LEVEL, seed=0) for number in range(20)]
        right = [
            one.alarms != {} and trained(0).features[number % 24] in one.batches["most_training"].iloc[1]
            for number, one in enumerate(found)
        ]
        print(f"{change.__name__}: {sum(right)} of 20 found and named")
        assert all(right)
