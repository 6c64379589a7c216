"""The study both sides work on: trial files for the plain way, the dataset made of them, and the same splits."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from steps.core.data.artifact import read_artifact, write_artifact
from steps.core.data.cross_validation import CrossValidation
from steps.core.data.dataset import Dataset
from steps.core.data.fold import Fold
from steps.core.data.folds import plan_folds
from steps.core.readers.load import load_source
from steps.core.readers.simulate import SimulationSize, simulate
from steps.core.readers.trial_files import PARTICIPANTS
from steps.parameter_values import parse_subjects

TIMESTEPS, FEATURES = 101, 24


@dataclass(frozen=True)
class Study:
    """A simulated study on disk.

    Attributes:
        recordings: folder with ``participants/``, a CSV file per trial.
        dataset: folder of the dataset artifact made of them.
    """

    recordings: Path
    dataset: Path


@dataclass(frozen=True)
class Plan:
    """How a study is split; the fields are parameters of ``train``."""

    cv: str = "loso-plain"
    repeats: int = 1
    subjects: str = "all"
    seed: int = 0

    def folds(self, dataset: Dataset) -> list[Fold]:
        """The folds `steps.train` will train with these parameters."""
        typed = {"cv": CrossValidation.of(self.cv), "subjects": parse_subjects(self.subjects)}
        return plan_folds(dataset, **asdict(self) | typed)


def make_study(folder: Path, *, subjects: int, trials: int, effect: float = 1.0, timesteps: int = TIMESTEPS) -> Study:
    """Simulate a study without controls, write its trial files, and the dataset artifact made of them."""
    study = Study(folder / "recordings", folder / "dataset")
    write_recordings(simulated(subjects, trials, effect, timesteps), study.recordings)
    write_artifact(load_source(str(study.recordings)), study.dataset)
    return study


def simulated(subjects: int, trials: int, effect: float = 1.0, timesteps: int = TIMESTEPS) -> Dataset:
    """A simulated study of ``subjects`` x ``trials`` trials, without controls."""
    size = SimulationSize(
        subjects=subjects, controls=0, trials_min=trials, trials_max=trials, features=FEATURES, effect=effect
    )
    return simulate(size, timesteps, seed=0)


def write_recordings(dataset: Dataset, folder: Path) -> None:
    """Write ``participants/<subject>/<label>/<trial>.csv``; float32 values come back as they were."""
    for values, subject, label, trial in zip(
        dataset.values, dataset.subjects, dataset.labels, dataset.trials, strict=True
    ):
        path = folder / PARTICIPANTS / subject / dataset.label_names[label] / f"{trial}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(values, columns=list(dataset.features)).to_csv(path, index=False)


def write_splits(study: Study, plan: Plan, path: Path) -> list[Fold]:
    """Write the project's folds as JSON, for the plain way; returns them."""
    folds = plan.folds(read_artifact(study.dataset))
    content: dict[str, Any] = {
        "recordings": str(study.recordings / PARTICIPANTS),
        "folds": [
            {
                "name": fold.name,
                "test_number": fold.test_number,
                "training": fold.training_subjects,
                "validation": fold.validation_subjects,
                "test": fold.test_subjects,
                "seed": fold.seed,
            }
            for fold in folds
        ],
    }
    path.write_text(json.dumps(content))
    return folds
