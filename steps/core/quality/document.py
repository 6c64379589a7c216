"""Findings as they are written: ``quality.json``, whose first findings have what it takes to draw them, and a table."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import numpy as np
import pandas as pd

from steps.core.data.dataset import Dataset
from steps.core.quality.finding import KINDS, Finding
from steps.core.quality.hits import Doubles, Rows
from steps.core.quality.look import Quality
from steps.core.quality.processed import processed

DRAWN: Final = 12
_POINTS: Final = 240  # of a drawn curve
_OWN: Final = 9  # other trials of the subject
_BAND: Final = (0.1, 0.5, 0.9)


def document(dataset: Dataset, quality: Quality) -> dict[str, Any]:
    """Everything a page needs, as JSON has it."""
    names = trial_names(dataset)
    return {
        "trials": len(dataset.trials),
        "subjects": len(np.unique(dataset.subjects)),
        "features": len(dataset.features),
        "findings": [
            {
                "kind": one.kind,
                "title": KINDS[one.kind].title,
                "subject": one.subject,
                "trials": [names[i] for i in one.trials],
                "all_trials": one.all_trials,
                "features": [dataset.features[j] for j in one.features],
                "severe": one.is_severe,
                "severity": _finite(one.severity),
                "severity_text": KINDS[one.kind].shown.format(one.severity),
                "severity_means": KINDS[one.kind].severity,
                "share": _finite(one.share),
                "sentence": one.sentence,
                "advice": KINDS[one.kind].advice,
                "exclude": one.subject if one.all_trials else ",".join(f"{one.subject}/{names[i]}" for i in one.trials),
                "panel": _panel(dataset, one, names) if number < DRAWN else None,
            }
            for number, one in enumerate(quality.findings)
        ],
        **({"processed": drawn} if (drawn := processed(dataset)) else {}),
    }


def table(dataset: Dataset, quality: Quality) -> pd.DataFrame:
    """A row per fault of a trial and feature: where exactly it is, for a spreadsheet or a script."""
    names = trial_names(dataset)
    rows = [
        {
            "subject": str(dataset.subjects[hit.trial]),
            "trial": names[hit.trial],
            "feature": dataset.features[j],
            "kind": hit.kind,
            "severity": _finite(hit.severity),
            "severity_means": KINDS[hit.kind].severity,
            "share": _finite(hit.share),
            "first": hit.at[0] if hit.at else 0,
            "last": hit.at[1] if hit.at else dataset.timesteps - 1,
            "sentence": hit.sentence,
        }
        for hit in quality.hits
        for j in hit.features
    ]
    columns = (
        "subject",
        "trial",
        "feature",
        "kind",
        "severity",
        "severity_means",
        "share",
        "first",
        "last",
        "sentence",
    )
    return pd.DataFrame(rows, columns=list(columns))


def trial_names(dataset: Dataset) -> list[str]:
    """What ``exclude`` calls each trial of a subject: its name, after its class where the name is there twice."""
    repeats = Counter(zip(dataset.subjects.tolist(), dataset.trials.tolist(), strict=True))
    return [
        trial if repeats[subject, trial] == 1 else f"{dataset.label_names[label]}/{trial}"
        for subject, trial, label in zip(
            dataset.subjects.tolist(), dataset.trials.tolist(), dataset.labels.tolist(), strict=True
        )
    ]


def _panel(dataset: Dataset, finding: Finding, names: list[str]) -> dict[str, Any]:
    """The worst trial's curve, those of the subject's other trials, and where the trials of the others lie."""
    worst, j = finding.worst, finding.worst.features[0]
    kept = _kept(dataset.timesteps, worst.at)
    own = [i for i in np.flatnonzero(dataset.subjects == finding.subject).tolist() if i != worst.trial]
    is_other = dataset.subjects != finding.subject
    values = dataset.values[:, kept, j].astype(np.float64)
    low, middle, high = np.quantile(values[is_other] if is_other.any() else values, _BAND, axis=0)
    at = worst.at and [int(np.searchsorted(kept, place)) for place in worst.at]
    return {
        "trial": names[worst.trial],
        "feature": dataset.features[j],
        "unit": dataset.units.get(dataset.features[j], ""),
        "low": _rounded(low),
        "middle": _rounded(middle),
        "high": _rounded(high),
        "values": _rounded(values[worst.trial]),
        "own": [_rounded(values[i]) for i in own[:_OWN]],
        "at": at,
    }


def _kept(timesteps: int, at: tuple[int, int] | None) -> Rows:
    """Time points to draw: all, or as many as a small panel shows, and those that matter."""
    kept = np.unique(np.linspace(0, timesteps - 1, min(timesteps, _POINTS)).round().astype(np.intp))
    if at is None or len(kept) == timesteps:
        return kept
    around = np.concatenate([np.arange(place - 3, place + 4) for place in at])
    return np.union1d(kept, around[(around >= 0) & (around < timesteps)]).astype(np.intp)


def _rounded(values: Doubles) -> list[float]:
    return [float(f"{value:.5g}") for value in values.tolist()]


def _finite(value: float) -> float:
    return float(f"{min(value, 1e12):.4g}")
