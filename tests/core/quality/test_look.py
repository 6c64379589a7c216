"""Planted faults are found where they are; clean recordings have few findings; labels decide nothing."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from steps.core.data.dataset import Dataset
from steps.core.quality.finding import KINDS
from steps.core.quality.look import Quality, look
from steps.core.readers.load import load_source
from steps.core.readers.simulate import SimulationSize, simulate
from tests.conftest import ROOT
from tests.core.quality.faults import FAULTS, plant

SIZE = SimulationSize(subjects=16, controls=3, features=8)
CASES = [
    (list(faults)[seed % len(faults)], seed)
    for kind in KINDS
    for faults in [[fault for fault, (of_kind, *_) in FAULTS.items() if of_kind == kind]]
    for seed in range(5)
]
# Other clean studies: sizes, and time points.
CLEAN = [
    (SimulationSize(subjects=4, controls=0), 0),
    (SimulationSize(subjects=8, controls=2, trials_min=3, trials_max=4, features=6), 21),
    (SimulationSize(subjects=12, controls=0, trials_min=1, trials_max=1), 0),
    (SimulationSize(subjects=12, controls=0, trials_min=2, trials_max=2), 0),
    (SimulationSize(subjects=60, controls=0, trials_min=1, trials_max=10), 0),
    (SimulationSize(features=1), 0),
    (SimulationSize(effect=5.0), 0),
    (SimulationSize(), 5),
    (SimulationSize(), 11),
    (SimulationSize(), 400),
]


@cache
def study(seed: int) -> Dataset:
    return simulate(SIZE, seed=seed)


def told(quality: Quality) -> list[tuple[object, ...]]:
    return [(one.kind, one.subject, one.trials, one.features, one.sentence) for one in quality.findings]


def test_there_are_50_cases_of_all_kinds() -> None:
    assert len(CASES) == 50
    assert {FAULTS[fault][0] for fault, _ in CASES} == set(KINDS)


@pytest.mark.parametrize(("fault", "seed"), CASES)
def test_a_planted_fault_is_found_and_little_else(fault: str, seed: int) -> None:
    faulty, planted = plant(study(seed), fault, seed)
    findings = look(faulty).findings
    assert planted.is_found_in(findings), told(look(faulty))
    others = [one for one in findings if one.subject != planted.subject]
    assert len(others) <= 1
    severe = [one for one in findings if one.is_severe]
    assert all(one.subject == planted.subject for one in severe)
    if KINDS[planted.kind].whole:
        assert bool(severe) == FAULTS[fault][1]


@pytest.mark.parametrize("seed", range(5))
def test_clean_recordings_have_few_findings(seed: int) -> None:
    assert len(look(study(seed)).findings) <= 1


def test_labels_decide_nothing() -> None:
    dataset = study(0)
    for fault in ("degrees", "flipped in a trial", "spikes"):
        dataset, _ = plant(dataset, fault, 0)
    assert look(dataset).findings
    labels = np.random.default_rng(0).permutation(dataset.labels)
    other = replace(dataset, labels=labels, is_control=np.zeros_like(dataset.is_control), label_names=("a", "b"))
    assert told(look(other)) == told(look(dataset))


def test_the_unit_of_a_whole_study_decides_nothing() -> None:
    dataset = study(1)
    for fault in ("clipped", "metres", "swapped", "unlike the rest", "wrapped angle", "bridged gap"):
        dataset, _ = plant(dataset, fault, 1)
    other = replace(dataset, values=dataset.values * np.float32(1 / 64))  # a power of two rounds nothing
    same = [(one.kind, one.subject, one.trials, one.features) for one in look(dataset).findings]
    assert len(same) >= 6
    assert [(one.kind, one.subject, one.trials, one.features) for one in look(other).findings] == same


def test_every_subject_may_have_several_faults() -> None:
    dataset, planted = study(2), []
    for fault in ("degrees", "flat", "spikes", "drift over trials", "flipped in a trial"):
        dataset, one = plant(dataset, fault, 7)
        planted.append(one)
    findings = look(dataset).findings
    assert sum(one.is_found_in(findings) for one in planted) >= 4
    assert [one.is_severe for one in findings] == sorted((one.is_severe for one in findings), reverse=True)


@pytest.mark.parametrize(
    ("subjects", "trials", "timesteps", "features"), [(4, 1, 2, 1), (4, 2, 3, 2), (5, 3, 7, 1), (24, 1, 30, 3)]
)
def test_small_studies_are_looked_at_as_far_as_that_goes(
    subjects: int, trials: int, timesteps: int, features: int
) -> None:
    size = SimulationSize(subjects=subjects, controls=0, trials_min=trials, trials_max=trials, features=features)
    assert len(look(simulate(size, timesteps, seed=3)).findings) <= 1


def test_constant_and_equal_values_are_looked_at() -> None:
    dataset = study(0)
    values = dataset.values.copy()
    values[:, :, 0] = 3.0
    values[:, :, 1] = dataset.labels[:, np.newaxis]
    values[:, :, 2:] = values[0, :, 2:]
    assert all(np.isfinite(one.severity) for one in look(replace(dataset, values=values)).findings)


def test_what_everybody_has_is_no_fault() -> None:
    """Forces are zero while a foot is in the air, a slow sensor stands still, an impact is sharp."""
    rng = np.random.default_rng(0)
    dataset = study(3)
    values = dataset.values.astype(np.float64)
    shares = np.linspace(0, 1, dataset.timesteps)
    lands = 0.6 + 0.03 * rng.normal(size=(len(values), 1))
    values[:, :, 0] = np.where(shares < lands, np.sin(np.pi * shares / lands) * 800, 0.0)
    values[:, :, 1] = np.round(32 + rng.normal(size=(len(values), 1)) + 0.1 * shares, 2)
    values[:, :, 2] += 9 * np.exp(-(((shares - 0.2) / 0.012) ** 2)) * (1 + 0.2 * rng.normal(size=(len(values), 1)))
    assert len(look(replace(dataset, values=values.astype(np.float32))).findings) <= 1


def test_a_subject_may_land_harder_than_others() -> None:
    dataset = study(3)
    values = dataset.values.copy()
    hard = np.flatnonzero(dataset.subjects == "S04")
    noise = np.random.default_rng(0).normal(0, 0.01, values.shape[:2])
    values[:, :, 2] = np.sin(np.linspace(0, 4, dataset.timesteps)) + noise
    values[hard, 20 + np.arange(len(hard)) % 3, 2] += 0.4  # a sample wide, at its time
    assert not [one for one in look(replace(dataset, values=values)).findings if one.kind == "spikes"]
    values[hard[0], 70, 2] += 0.6
    (one,) = (one for one in look(replace(dataset, values=values)).findings if one.kind == "spikes")
    assert one.trials == (hard[0],)


def test_what_is_dead_throughout_is_a_fault_also_where_many_are() -> None:
    dataset = study(3)
    values = dataset.values.copy()
    dead = np.random.default_rng(0).random(len(values)) < 0.4
    values[dead, :, 0] = 0.0
    findings = [one for one in look(replace(dataset, values=values)).findings if one.kind == "flat"]
    assert {i for one in findings for i in one.trials} == set(np.flatnonzero(dead).tolist())


def test_a_million_rows_take_seconds() -> None:
    small = study(4)
    times = 10_000 // len(small.trials) + 1
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, (times, 1, small.timesteps, 4)).astype(np.float32)
    values = (small.values[np.newaxis, :, :, :4] + noise).reshape(-1, small.timesteps, 4)[:10_000]
    subjects = np.concatenate([np.char.add(f"{i:03d}", small.subjects) for i in range(times)])[:10_000]
    large = Dataset(
        values=values,
        labels=np.tile(small.labels, times)[:10_000],
        subjects=subjects,
        trials=np.tile(small.trials, times)[:10_000],
        is_control=np.zeros(10_000, dtype=np.bool_),
        features=small.features[:4],
        time=small.time,
    )
    faulty, planted = plant(large, "flat", 0)
    started = time.process_time()
    findings = look(faulty).findings
    assert time.process_time() - started < 15
    assert planted.is_found_in(findings)


@pytest.mark.slow
def test_rates() -> None:
    """The table in docs/evaluation-checks.md: ``pytest -m slow -s tests/core/quality -k rates`` prints it."""
    seeds, clean = 20, 100
    size = SimulationSize()
    found = {}
    for fault in FAULTS:
        for contrast in (0.0, 1.5):
            made = [plant(simulate(size, seed=seed), fault, seed, contrast) for seed in range(seeds)]
            found[fault, contrast] = sum(planted.is_found_in(look(faulty).findings) for faulty, planted in made)
        print(f"| {FAULTS[fault][0]} | {fault} | {found[fault, 0.0]} | {found[fault, 1.5]} | {seeds} |")
    alarms = sum(len(look(simulate(size, seed=1000 + seed)).findings) for seed in range(clean))
    print(f"{alarms} findings in {clean} clean default studies")
    assert alarms < clean
    others = [look(simulate(other, timesteps, seed)) for other, timesteps in CLEAN for seed in range(2000, 2020)]
    print(f"{sum(len(one.findings) for one in others)} findings in {len(others)} other clean studies")
    assert sum(len(one.findings) for one in others) < len(others)
    assert sum(found[fault, 1.5] for fault in FAULTS) >= 0.97 * seeds * len(FAULTS)


@pytest.mark.slow
def test_of_46_runners_those_with_faults_that_can_be_seen_are_found() -> None:
    """Angles that wrap around at the hip, and markers lost for some samples, in nine people of one laboratory."""
    recordings = ROOT.parent / "shared" / "data" / "running" / "running_angles.parquet"
    if not recordings.is_file():
        pytest.skip("the running recordings are not there")
    dataset = load_source(str(recordings))
    findings = look(dataset).findings
    assert {one.subject for one in findings} == {f"BMC{i:02d}" for i in (1, 3, 4, 6, 12, 13, 17, 19, 23)}
    # Angles beyond what a hip can do, whatever else is thought of a trial: all of these are in a finding.
    bent = {i for i in range(len(dataset.trials)) if np.abs(dataset.values[i, :, :3]).max() > 130}
    assert bent <= {i for one in findings for i in one.trials}
    assert not any(one.is_severe for one in findings)
