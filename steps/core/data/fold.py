"""A fold: who trains, validates and is tested; and a fold together with its trained network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Fold:
    """One fold and test number.

    Attributes:
        name: the test subject (leave-one-subject-out) or ``fold-01`` ... (grouped K-fold).
        test_number: which repeat of the fold, from 1.
        test_subjects: subjects whose trials are predicted by this fold's model.
        validation_subjects: subjects that decide early stopping and the learning rate.
        training_subjects: subjects the model and its scaler are fitted on, controls included if they join.
        label: class name of the test subjects, or ``mixed``.
        set_aside_subjects: subjects that take no part, so that all folds train on as many subjects of each class.
        seed: seed of this fold and test number; depends on nothing but the study's seed, the name and the number. 0
            where the fold is read back, as nothing is drawn then.
    """

    name: str
    test_number: int
    test_subjects: tuple[str, ...]
    validation_subjects: tuple[str, ...]
    training_subjects: tuple[str, ...]
    label: str
    seed: int
    set_aside_subjects: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, int]:
        """Name and test number, which tell the folds of a training apart."""
        return self.name, self.test_number

    @property
    def split(self) -> dict[str, list[str]]:
        """Who trains, validates and is tested, as ``split.json`` says it."""
        return {
            "training": list(self.training_subjects),
            "validation": list(self.validation_subjects),
            "test": list(self.test_subjects),
            "set_aside": list(self.set_aside_subjects),
        }

    @classmethod
    def of_split(cls, split: Mapping[str, Sequence[str]], name: str, test_number: int = 1, label: str = "") -> Fold:
        """The fold that a recorded `split` describes."""
        return cls(
            name=name,
            test_number=test_number,
            test_subjects=tuple(split["test"]),
            validation_subjects=tuple(split["validation"]),
            training_subjects=tuple(split["training"]),
            label=label,
            seed=0,
            set_aside_subjects=tuple(split.get("set_aside", ())),
        )


@dataclass(frozen=True)
class FoldNetwork:
    """A trained fold, as it travels to a process of the pool.

    Attributes:
        fold: who trained, validated and is tested.
        network: content of the ``.keras`` file. The file itself goes along: a few hundred KiB are less trouble than an
            address that every machine of a cluster can read.
        left_out: what is said of each training trial by the model fitted without its subject (columns ``subject``,
            ``trial``, ``label``, ``probability``); None where the network leaves out nobody.
    """

    fold: Fold
    network: bytes = field(repr=False)
    left_out: pd.DataFrame | None = field(default=None, repr=False)
