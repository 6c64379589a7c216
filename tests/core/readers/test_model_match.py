"""Features by name, units, classes: what fits a model and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from steps.core.data.training_reference import TrainingReference
from steps.core.readers.fit_to_model import fit_to_model
from steps.core.readers.model_match import match_features, match_labels, split_unit
from steps.core.readers.recorded import Recorded
from steps.errors import UserError


def renamed(recorded: Recorded, **names: str) -> Recorded:
    return replace(recorded, features=tuple(names.get(name, name) for name in recorded.features), units={})


def relabelled(recorded: Recorded, label: str) -> Recorded:
    first, *others = (one for one in recorded.recordings if not one.is_control)
    return replace(
        recorded, recordings=(replace(first, label=label), *others), trials=recorded.trials[: len(others) + 1]
    )


def test_reordered_features_find_their_places(recorded: Recorded, trained: TrainingReference) -> None:
    order = [3, 1, 5, 0, 4, 2]
    shuffled = replace(
        recorded,
        features=tuple(recorded.features[i] for i in order),
        recordings=tuple(replace(one, values=one.values[:, order]) for one in recorded.recordings),
    )
    expected = fit_to_model(recorded, trained)
    fitted = fit_to_model(shuffled, trained)
    np.testing.assert_array_equal(fitted.values, expected.values)
    assert fitted.digest == expected.digest


def test_missing_and_additional_features_are_named(recorded: Recorded, trained: TrainingReference) -> None:
    with pytest.raises(UserError, match=r"missing 'ankle_moment_x'; additional 'heart_rate'; expected the 6 features"):
        match_features(renamed(recorded, ankle_moment_x="heart_rate"), trained)
    fewer = replace(recorded, features=recorded.features[1:])
    with pytest.raises(UserError, match="not the model's: missing 'ankle_moment_x'; expected"):
        match_features(fewer, trained)
    more = replace(recorded, features=(*recorded.features, "heart_rate"))
    with pytest.raises(UserError, match="not the model's: additional 'heart_rate'; expected"):
        match_features(more, trained)


@pytest.mark.parametrize(
    ("column", "parts"),
    [
        ("knee_angle_x [deg]", ("knee_angle_x", "deg")),
        ("knee moment (Nm/kg)", ("knee moment", "Nm/kg")),
        ("knee_angle_x", ("knee_angle_x", "")),
        ("[deg]", ("[deg]", "")),
    ],
)
def test_a_unit_is_what_stands_in_brackets(column: str, parts: tuple[str, str]) -> None:
    assert split_unit(column) == parts


def test_units_in_the_header_are_compared(recorded: Recorded, trained: TrainingReference) -> None:
    order, notes = match_features(renamed(recorded, ankle_moment_x="ankle_moment_x [Nm/kg]"), trained)
    assert order.tolist() == [0, 1, 2, 3, 4, 5]
    assert notes == ["The recordings name no unit for 5 features; they were taken to be the model's (Nm/kg)."]
    with pytest.raises(
        UserError, match=r"'ankle_moment_x \[Nm\]' is in 'Nm', the model was trained on 'Nm/kg'; convert it"
    ):
        match_features(renamed(recorded, ankle_moment_x="ankle_moment_x [Nm]"), trained)


def test_units_of_a_dataset_artifact_are_compared(recorded: Recorded, trained: TrainingReference) -> None:
    assert match_features(recorded, trained)[1] == []
    wrong = replace(recorded, units=recorded.units | {"knee_moment_z": "Nm"})
    with pytest.raises(UserError, match="feature 'knee_moment_z' is in 'Nm', the model was trained on 'Nm/kg'"):
        match_features(wrong, trained)


def test_units_in_the_models_own_names_are_compared(recorded: Recorded, trained: TrainingReference) -> None:
    features = ["ankle_moment_x [Nm/kg]", *trained.features[1:]]
    model = trained.model_copy(update={"features": features, "units": {}})
    assert match_features(renamed(recorded), model)[0].tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(UserError, match="is in 'Nm', the model was trained on 'Nm/kg'"):
        match_features(renamed(recorded, ankle_moment_x="ankle_moment_x (Nm)"), model)


def test_a_feature_given_in_two_units_is_refused(recorded: Recorded, trained: TrainingReference) -> None:
    both = replace(
        renamed(recorded, ankle_moment_x="ankle_moment_x [Nm/kg]"),
        features=("ankle_moment_x [Nm/kg]", *recorded.features[1:], "ankle_moment_x [Nm]"),
    )
    with pytest.raises(UserError, match="has the feature 'ankle_moment_x' twice"):
        match_features(both, trained)


def test_a_model_without_units_says_that_nothing_was_compared(recorded: Recorded, trained: TrainingReference) -> None:
    model = trained.model_copy(update={"units": {}})
    assert match_features(recorded, model)[1] == [
        "The model was trained on recordings without units, so units could not be compared."
    ]


def test_labels_are_the_models(recorded: Recorded, trained: TrainingReference) -> None:
    for label, number in (("fear", 1), ("no_fear", 0), ("1", 1), ("0", 0)):
        labels = match_labels(relabelled(recorded, label), trained)
        assert labels is not None
        assert labels[0] == number
    with pytest.raises(UserError, match="has the label 'Fear', expected 'no_fear' or 'fear'"):
        match_labels(relabelled(recorded, "Fear"), trained)
    assert match_labels(replace(recorded, has_labels=False), trained) is None


def test_rest_is_every_other_label(recorded: Recorded, trained: TrainingReference) -> None:
    model = trained.model_copy(update={"labels": {"0": "rest", "1": "fear"}})
    labels = match_labels(relabelled(recorded, "calm"), model)
    assert labels is not None
    assert labels[0] == 0
