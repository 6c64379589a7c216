"""Findings as JSON and as a table: names that ``exclude`` takes, numbers that JSON has, curves fit to be drawn."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from steps.core.data.dataset import Dataset
from steps.core.quality.document import DRAWN, document, table, trial_names
from steps.core.quality.finding import KINDS
from steps.core.quality.look import look
from steps.core.readers.exclude import without
from steps.core.readers.simulate import SimulationSize, simulate
from steps.parameter_values import parse_exclude
from tests.core.quality.faults import plant


def faulty(*faults: str, timesteps: int = 0) -> Dataset:
    dataset = simulate(SimulationSize(subjects=16, controls=0, features=8), timesteps, seed=3)
    for number, fault in enumerate(faults):
        dataset, _ = plant(dataset, fault, number + 3)
    return dataset


def test_what_is_found_can_be_excluded_as_it_is_written() -> None:
    dataset = faulty("degrees", "spikes", "flat")
    quality = look(dataset)
    written = document(dataset, quality)["findings"]
    assert len(written) == 3
    for one, finding in zip(written, quality.findings, strict=True):
        left = without(dataset, parse_exclude(one["exclude"]))
        gone = {(str(dataset.subjects[i]), str(dataset.trials[i])) for i in finding.trials}
        assert set(zip(left.subjects.tolist(), left.trials.tolist(), strict=True)).isdisjoint(gone)
        assert len(left.trials) == len(dataset.trials) - len(finding.trials)
        assert left.digest() != dataset.digest()


def test_trials_of_one_name_are_told_apart_by_their_class() -> None:
    dataset = faulty()
    subjects, trials, labels = dataset.subjects.copy(), dataset.trials.copy(), dataset.labels.copy()
    subjects[:2], trials[:2], labels[:2] = subjects[0], trials[0], (0, 1)
    dataset = replace(dataset, subjects=subjects, trials=trials, labels=labels)
    assert trial_names(dataset)[:3] == ["no_fear/01", "fear/01", str(dataset.trials[2])]
    left = without(dataset, parse_exclude(f"{subjects[0]}/fear/01"))
    assert (len(left.trials), left.labels[0]) == (len(dataset.trials) - 1, 0)
    assert left.excluded == (f"{subjects[0]}/fear/01",)


def test_it_is_json_and_the_first_findings_can_be_drawn() -> None:
    dataset = faulty(*["spikes", "flat", "clipped", "wrapped angle", "bridged gap"] * 4, timesteps=700)
    written = json.loads(json.dumps(document(dataset, look(dataset)), allow_nan=False))
    panels = [one["panel"] for one in written["findings"]]
    assert [panel is not None for panel in panels] == [number < DRAWN for number in range(len(panels))]
    for panel in filter(None, panels):
        points = len(panel["values"])
        assert 240 <= points <= 260
        assert all(len(line) == points for line in (panel["low"], panel["middle"], panel["high"], *panel["own"]))
        assert all(np.array(panel["low"]) <= np.array(panel["high"]))
        assert 0 <= panel["at"][0] <= panel["at"][1] < points
    for panel, finding in zip(filter(None, panels), written["findings"], strict=False):
        if finding["kind"] == "spikes":  # thinning does not lose the one sample that it is about
            around = panel["values"][max(panel["at"][0] - 1, 0) : panel["at"][1] + 2]
            assert np.ptp(around) == np.ptp(panel["values"]) or np.ptp(around) > 0.3 * np.ptp(panel["values"])


def test_the_table_says_where_exactly() -> None:
    dataset = faulty("flat", "swapped in a trial")
    rows = table(dataset, look(dataset))
    flat = rows[rows["kind"] == "flat"].iloc[0]
    values = dataset.values[(dataset.subjects == flat["subject"]) & (dataset.trials == flat["trial"])][0]
    stretch = values[flat["first"] : flat["last"] + 1, dataset.features.index(flat["feature"])]
    assert np.ptp(stretch) == 0
    assert len(stretch) == round(flat["share"] * dataset.timesteps)
    assert (rows["kind"] == "swapped").sum() == 2
    assert table(dataset, look(faulty())).columns.tolist() == rows.columns.tolist()


def test_kinds_say_what_their_numbers_mean() -> None:
    for kind in KINDS.values():
        assert kind.shown.format(0.25)
        assert kind.severity
        assert kind.advice
