"""What is scored: sorted, told apart from the training, with a digest that means it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from steps.core.data.training_reference import TrainingReference
from steps.core.data.unseen import Unseen
from steps.core.readers.fit_to_model import fit_to_model
from steps.core.readers.recorded import Recorded


def test_trials_come_out_sorted_whatever_their_order(
    recorded: Recorded, unseen: Unseen, trained: TrainingReference
) -> None:
    backwards = replace(recorded, recordings=recorded.recordings[::-1], trials=recorded.trials[::-1])
    fitted = fit_to_model(backwards, trained)
    assert fitted.subjects.tolist() == sorted(fitted.subjects)
    np.testing.assert_array_equal(fitted.values, unseen.values)
    assert fitted.digest == unseen.digest


def test_subjects_of_the_training_are_known_in_any_case(recorded: Recorded, trained: TrainingReference) -> None:
    assert not fit_to_model(recorded, trained).in_training.any()
    first = recorded.recordings[0]
    known = replace(first, subject=trained.subjects[0].lower())
    fitted = fit_to_model(replace(recorded, recordings=(known, *recorded.recordings[1:])), trained)
    assert fitted.subjects[fitted.in_training].tolist() == [trained.subjects[0].lower()]


def test_the_digest_sees_values_names_and_labels(
    recorded: Recorded, unseen: Unseen, trained: TrainingReference
) -> None:
    first = recorded.recordings[0]
    changes = (
        replace(recorded, has_labels=False),
        replace(recorded, recordings=(replace(first, values=first.values + 1), *recorded.recordings[1:])),
        replace(recorded, recordings=(replace(first, subject="M01"), *recorded.recordings[1:])),
    )
    digests = {fit_to_model(change, trained).digest for change in changes}
    assert len(digests | {unseen.digest}) == 4
