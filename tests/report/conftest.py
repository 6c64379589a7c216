"""A small finished study, made up: no training, no MLflow."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from steps.core.attribution.faithfulness import fold_curves
from steps.core.attribution.fold import FoldResult
from steps.core.attribution.importance import fold_map
from steps.core.attribution.outcomes import fold_outcomes
from steps.core.attribution.results import REPORTED_TABLES, Results, results
from steps.core.attribution.settings import Settings
from steps.core.data.dataset import Dataset
from steps.core.metrics.abstention import abstention, answers_table, fold_p_values
from steps.core.metrics.in_fold_threshold import FoldThreshold, in_fold_table
from steps.core.metrics.predictions import FoldPrediction, results_table, subjects_table
from steps.core.metrics.summary import summary
from steps.parameters import PARAMETERS, STEPS
from steps.report import render
from steps.report.data import ReportData, StepTime
from steps.report.render import report_html
from tests.core.metrics.conftest import make_method as make_method

NASTY = '<script>alert("x")</script>'
MakeReport = Callable[..., ReportData]


def made_up_abstention(tested: Dataset) -> dict[str, Any]:
    """Answers for everybody, by folds whose nine training subjects of either class are told apart."""
    labels = np.repeat([0, 1], 9)
    left_out = pd.DataFrame(
        {"subject": np.arange(18).astype(str), "label": labels, "probability": labels.astype(float)}
    )
    folds = []
    for name in np.unique(tested.subjects).tolist():
        test = tested.of_subjects([name])
        folds.append(fold_p_values(test, test.labels.astype(float), left_out))
    return abstention(answers_table(folds, ("no fear", "fear")))


def made_up_attribution(tested: Dataset, generator: np.random.Generator) -> Results:
    """The attribution of a mean over everything, one fold per subject, that of the trial's values themselves."""
    folds, names = [], []
    for name in np.unique(tested.subjects):
        test = tested.of_subjects([str(name)])
        baseline = np.zeros_like(test.values[0])
        curves = fold_curves(
            lambda inputs: inputs.mean(axis=(1, 2), dtype=np.float64),
            test.values, baseline, test.values, test.subjects, generator=generator, orders=2,
        )  # fmt: skip
        completeness = pd.DataFrame({"subject": test.subjects, "trial": test.trials, "relative_error": 0.004})
        outcomes = fold_outcomes(test.values, generator.random(len(test.labels)), test.labels, test.subjects)
        folds.append(FoldResult(test, fold_map(test.values, test.subjects), completeness, outcomes, curves, None))
        names.append((str(name), 1))
    return results(folds, names, tested, Settings())


@pytest.fixture(scope="session")
def make_report(small_study: Dataset) -> MakeReport:
    """Report data of a study: the small one unless ``dataset`` is given; other keywords replace fields."""

    def make(dataset: Dataset = small_study, repeats: int = 1, noise: float = 0.25, **fields: Any) -> ReportData:
        generator = np.random.default_rng(0)
        tested = dataset.select(~dataset.is_control)
        folds = []
        for number in range(1, repeats + 1):
            for name in np.unique(tested.subjects):
                test = tested.of_subjects([str(name)])
                scores = 0.25 + 0.5 * test.labels + generator.normal(0, noise, len(test.labels))
                folds.append(FoldPrediction(test, number, np.clip(scores, 0, 1)))
        results = results_table(folds, (0.5, 0.43))
        in_fold = in_fold_table(
            [
                (name, number, [name], FoldThreshold(0.3 + 0.05 * row, 0.6, "validation", 2, 7))
                for row, name in enumerate(np.unique(tested.subjects).tolist())
                for number in range(1, repeats + 1)
            ]
        )
        document = summary(results, (0.5, 0.43), permutations=100, in_fold=in_fold)
        document["abstention"] = made_up_abstention(tested)
        made_up = made_up_attribution(tested, generator)
        history = pd.DataFrame({name: [0.6, 0.5] for name in ("loss", "val_loss", "accuracy", "val_accuracy")})
        data = ReportData(
            run_name="fear",
            run_id="0" * 32,
            started=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
            parameters={name: PARAMETERS[name].default for name in STEPS["main"].parameters},
            manifest=dataset.manifest(),
            summary=document,
            results=results,
            subjects=subjects_table(results, (0.5, 0.43)),
            in_fold=in_fold,
            histories=[history, history],
            importance=made_up.tables["feature_importance"],
            attribution_map=made_up.tables["attribution_map"],
            attribution_metrics=made_up.metrics,
            attribution_tables={name: made_up.tables[name] for name in REPORTED_TABLES},
            runtime={"folds": 8, "workers": 2, "training_s": 8.0, "training_s_mean_per_fold": 1.0, "folds_wall_s": 5.0},
            steps=[
                StepTime(name, f"{name}-run", 1.5, name == "prepare")
                for name in ("prepare", "train", "evaluate", "attribute")
            ],
            commit="abc123",
            software={"python": "3.11.9", "tensorflow": "2.21.0", "cpu": "Some CPU, 2 cores"},
        )
        return dataclasses.replace(data, **fields)

    return make


@pytest.fixture(scope="session")
def default_page(make_report: MakeReport) -> str:
    """The page of `make_report`'s small study; drawing its figures takes longest."""
    return report_html(make_report())


@pytest.fixture
def words_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages have no figures: drawing them takes longest, and says nothing about a text or a table."""
    monkeypatch.setattr(render, "pictures", lambda data: [])


@pytest.fixture(scope="session")
def nasty_study(small_study: Dataset) -> Dataset:
    """The small study with names that want to be HTML, Markdown or formulas."""
    subjects = np.array([f"{NASTY}|{name}" for name in small_study.subjects])
    features = tuple(f"{NASTY} $x_{i}$ `*|" for i in range(len(small_study.features)))
    return dataclasses.replace(
        small_study,
        subjects=subjects,
        features=features,
        units={},
        label_names=("calm & <b>quiet</b>", f"fear {NASTY}"),
        source=f"{NASTY}.csv",
        notes=(f"note {NASTY}",),
        planted_truth=None,
    )
