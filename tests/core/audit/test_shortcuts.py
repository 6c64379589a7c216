"""Shortcuts: what is planted is found, and what is not there is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import norm

from steps.core.audit.audit import audit, document, does_as_well
from steps.core.audit.candidates import LEVEL, RECORDING
from steps.core.audit.exchange import Exchange, tell_apart
from steps.core.audit.shortcuts import shortcuts
from steps.core.data.dataset import Dataset
from steps.core.metrics.estimates import estimates
from steps.core.metrics.predictions import Scores
from steps.core.readers.simulate import SimulationSize, simulate
from tests.core.audit.studies import BETWEEN, WITHIN, found_kinds, read, study_table

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int_]
STRONG = {False: 2.5, True: 1.0}  # in designs within people a person's own trials vary less


@pytest.mark.parametrize(
    ("planted", "within"), [(kind, within) for within in (False, True) for kind in (WITHIN if within else BETWEEN)]
)
def test_a_planted_shortcut_is_found(planted: str, within: bool, tmp_path: Path) -> None:
    study = read(study_table(1, within=within, planted=planted, strength=STRONG[within]), tmp_path)
    made = audit(study, seed=0)
    assert planted in found_kinds(made)
    assert made.is_within == within
    (kind,) = [one for one in document(made)["shortcuts"] if one["kind"] == planted]
    assert kind["strongest"]["auc"] > 0.75
    if planted != "quantisation":  # there the positive class has the finer steps
        assert kind["strongest"]["higher_in_positive"]


@pytest.mark.parametrize("within", [False, True])
def test_nothing_is_found_where_nothing_is(within: bool, tmp_path: Path) -> None:
    made = audit(read(study_table(2, within=within), tmp_path), seed=0)
    assert made.findings == 0
    assert not found_kinds(made)
    kinds = {one.candidate.kind for one in made.shortcuts.looked_at} | set(made.shortcuts.same_for_all)
    assert {*BETWEEN} <= kinds


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_false_alarms_in_studies_without_anything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """docs/evaluation-checks.md has the table; 1,000 studies, half of either design."""
    warned, found = np.zeros(2, dtype=int), np.zeros(2, dtype=int)
    for seed in range(1000, 1500):
        for within in (False, True):
            made = audit(read(study_table(seed, within=within), tmp_path), seed=seed)
            warned[int(within)] += made.findings > 0
            found[int(within)] += bool(found_kinds(made))
    with capsys.disabled():
        print(f"\nof 500 + 500 studies (between and within people): warned of in {warned}, anything found in {found}")
    assert warned.sum() <= 0.05 * 1000
    assert found.sum() <= 0.05 * 1000


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("within", [False, True])
def test_how_often_a_planted_shortcut_is_found(
    within: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """docs/evaluation-checks.md has the table."""
    shares = {}
    for kind in WITHIN if within else BETWEEN:
        for part in (0.5, 1.0):
            tables = [
                study_table(seed, within=within, planted=kind, strength=part * STRONG[within]) for seed in range(20)
            ]
            shares[kind, part] = np.mean([kind in found_kinds(audit(read(t, tmp_path), seed=0)) for t in tables])
    with capsys.disabled():
        for kind in WITHIN if within else BETWEEN:
            print(f"within people: {within}; {kind}: {shares[kind, 0.5]:.0%} at half the size, {shares[kind, 1.0]:.0%}")
    assert min(shares[kind, 1.0] for kind in (WITHIN if within else BETWEEN)) == 1


def test_an_effect_in_the_signal_is_no_shortcut_of_the_recording() -> None:
    study = simulate(SimulationSize(effect=2.0), seed=4)
    made = audit(study, seed=0)
    assert made.findings == 0
    found = [one for one in made.shortcuts.looked_at if one.is_found]
    assert {one.candidate.family for one in found} == {LEVEL}
    assert study.planted_truth
    assert {one.candidate.feature for one in found} == set(study.planted_truth.windows)


def test_families_share_the_error_rate_and_are_corrected_by_themselves(tmp_path: Path) -> None:
    study = read(study_table(3), tmp_path)
    both = shortcuts(study, seed=0)
    for one in both.looked_at:
        assert one.p <= one.corrected + 1e-12
    recording = [one for one in both.looked_at if one.candidate.family == RECORDING]
    smallest = min(one.p for one in recording)
    assert max(smallest, 2 * smallest) <= min(one.corrected for one in recording)
    again = shortcuts(study, seed=0)
    assert again == both, "the same seed, the same numbers"


def test_a_dataset_without_facts_is_audited_by_what_is_known(small_study: Dataset) -> None:
    made = audit(small_study, seed=0)
    kinds = {one.candidate.kind for one in made.shortcuts.looked_at}
    assert kinds == {"number of trials", "order of names", "offset", "amplitude", "noise floor"}


def test_a_constant_feature_is_no_candidate(small_study: Dataset) -> None:
    values = small_study.values.copy()
    values[:, :, 0] = 1.0
    made = audit(replace(small_study, values=values), seed=0)
    assert small_study.features[0] not in {one.candidate.feature for one in made.shortcuts.looked_at}
    values[:] = 1.0
    assert audit(replace(small_study, values=values), seed=0).findings == 0, "all trials are alike, and nobody's"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_how_often_a_shortcut_takes_the_answer_back(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/evaluation-checks.md has the table: models and a shortcut that know nothing of each other but the class."""
    rng = np.random.default_rng(7)
    taken_back = {}
    for people in (12, 24, 46, 100):
        labels = np.arange(people) % 2
        rows = tuple(np.array([i]) for i in range(people))
        exchange = Exchange(labels == 1, (np.arange(people),), (people,), rows)
        for of_models, of_shortcut in AREAS:
            counted = []
            for seed in range(200):
                scores, values = (
                    norm.ppf(area) * np.sqrt(2) * labels + rng.normal(size=people) for area in (of_models, of_shortcut)
                )
                told = tell_apart(exchange, values[:, None], permutations=500, seed=seed)
                auc = float(max(told.auc[0], 1 - told.auc[0]))
                counted.append(
                    2 * told.corrected[0] <= 0.05 and does_as_well(auc, _of_models(labels, norm.cdf(scores)))
                )
            taken_back[people, of_models, of_shortcut] = float(np.mean(counted))
    with capsys.disabled():
        for key, share in taken_back.items():
            print(f"people {key[0]}, AUC of models {key[1]}, of the shortcut {key[2]}: {share:.0%}")
    assert all(share <= 0.05 for key, share in taken_back.items() if key[2] == 0.5)
    assert all(share >= 0.8 for key, share in taken_back.items() if key[0] >= 24 and key[2] > key[1])


AREAS = ((0.95, 0.5), (0.95, 0.7), (0.95, 0.8), (0.95, 0.9), (0.95, 0.95), (0.8, 0.8), (0.8, 0.95))


def _of_models(labels: Ints, scores: Doubles) -> dict[str, float]:
    """AUC with the interval that an evaluation gives it."""
    people = np.array([f"P{i:03d}" for i in range(len(labels))])
    found = estimates(Scores(labels.astype(np.int8), scores, people), (0.5,))["auc"]
    return {name: found[name] for name in ("value", "low", "high")}
