"""What is kept beside a final model of the subjects it was fitted on."""

from __future__ import annotations

import pandas as pd

from steps.core.data.training_reference import LeftOutScores, TrainingReference


def test_left_out_scores_name_subjects_by_their_place_and_leave_the_control_group_out() -> None:
    left_out = pd.DataFrame(
        {
            "subject": ["S2", "C1", "S1", "S2"],
            "trial": ["1", "1", "1", "2"],
            "label": [1, 0, 0, 1],
            "probability": [0.9, 0.2, 0.1, 0.75],
        }
    )
    scores = LeftOutScores.of(left_out, ["C1", "S1", "S2"], controls=["C1"])
    assert scores.model_dump() == {"subject": [2, 1, 2], "label": [1, 0, 1], "probability": [0.9, 0.1, 0.75]}


def test_a_file_from_before_they_were_kept_is_still_read(trained: TrainingReference) -> None:
    before = trained.model_dump(exclude={"left_out_scores"})
    assert "left_out_scores" not in before
    assert TrainingReference.model_validate(before).left_out_scores is None
