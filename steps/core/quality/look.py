"""All faults of a study's recordings, as findings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from steps.core.data.dataset import Dataset
from steps.core.quality import curves
from steps.core.quality.drift import drifts
from steps.core.quality.explained import single_trials, whole_people
from steps.core.quality.finding import KINDS, Finding
from steps.core.quality.hits import Hit, People
from steps.core.quality.spikes import spikes
from steps.core.quality.stretches import stretches

_FEWEST: Final = 10  # samples; of fewer nobody knows how rough they are


@dataclass(frozen=True)
class Quality:
    """What is wrong with the recordings of a study.

    Attributes:
        findings: the worst first.
        hits: what they are made of: a fault of one trial each, in the order of the dataset.
    """

    findings: tuple[Finding, ...]
    hits: tuple[Hit, ...]


def look(dataset: Dataset) -> Quality:
    """Faults of the recordings, the worst first.

    Values, subjects and names of trials are looked at; labels are not, so nothing here tells a model about them.
    """
    people = People.of(dataset.subjects)
    timesteps, features = dataset.timesteps, len(dataset.features)
    basis = curves.basis(timesteps, len(people.counts))
    courses = np.empty((len(dataset.trials), features, basis.shape[1]))
    roughness = np.zeros(courses.shape[:2])
    hits: list[Hit] = []
    for j in range(features):  # one by one: a large study would need several copies of all its values at once
        x = dataset.values[:, :, j].astype(np.float64)
        courses[:, j] = x @ basis
        if timesteps >= _FEWEST:
            roughness[:, j] = np.median(np.abs(np.diff(x, n=2, axis=1)), axis=1)
        held = list(stretches(x, j, people))
        still = {hit.trial for hit in held}
        hits += [*held, *(hit for hit in spikes(x, j, people) if hit.trial not in still)]
    middles = people.middle(courses.reshape(len(courses), -1)).reshape(-1, *courses.shape[1:])
    others = curves.of_others(middles)
    hits += whole_people(middles, people.middle(roughness), people, others)
    taken = np.zeros(courses.shape[:2], dtype=np.bool_)
    for hit in hits:
        taken[hit.trial, list(hit.features)] = True
    hits += single_trials(courses, roughness, people, others, taken)
    hits += drifts(courses[..., 0], people, dataset.trials.tolist())
    findings = sorted(_together(hits, people, dataset.subjects.tolist()), key=_order)
    return Quality(tuple(findings), tuple(sorted(hits, key=lambda hit: (hit.trial, hit.features, hit.kind))))


def _order(finding: Finding) -> tuple[bool, float, int, float]:
    return (
        not finding.is_severe,
        -finding.affected,
        list(KINDS).index(finding.kind),
        -finding.severity,
    )


def _together(hits: Sequence[Hit], people: People, subjects: Sequence[str]) -> Iterator[Finding]:
    """Hits of one kind and subject as one finding; units, signs and places apart for each set of trials."""
    by_feature: dict[tuple[str, int, tuple[int, ...]], list[Hit]] = defaultdict(list)
    for hit in hits:
        by_feature[hit.kind, int(people.codes[hit.trial]), hit.features].append(hit)
    groups: dict[tuple[object, ...], list[Hit]] = defaultdict(list)
    for (kind, who, features), some in by_feature.items():
        trials = tuple(sorted({hit.trial for hit in some})) if KINDS[kind].whole or kind == "drift" else ()
        pair = features if kind == "swapped" else ()
        groups[kind, who, trials, pair].extend(some)
    for some in groups.values():
        worst = max(some, key=lambda hit: hit.severity)
        who = int(people.codes[worst.trial])
        trials = tuple(sorted({hit.trial for hit in some}))
        features = tuple(sorted({j for hit in some for j in hit.features}))
        # A hit in two features counts twice; what has no hit is not affected.
        share = sum(hit.share * len(hit.features) for hit in some) / (len(trials) * len(features))
        yield Finding(
            kind=worst.kind,
            subject=subjects[worst.trial],
            trials=trials,
            features=features,
            severity=worst.severity,
            share=share,
            all_trials=len(trials) == int(people.counts[who]),
            sentence=worst.sentence,
            worst=worst,
        )
