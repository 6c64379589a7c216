"""Do recordings fit a model? Features by name, units, classes; the time axis is in `model_axis`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from steps.core.data.dataset import Floats, Ints
from steps.core.data.labelling import REST, VALUE, Labelling, rest_of
from steps.core.data.training_reference import TrainingReference
from steps.core.readers.label_choice import as_score
from steps.core.readers.recorded import Recorded
from steps.errors import UserError, listed, shown

# A unit in the header: "knee_angle_x [deg]", "knee_angle_x (deg)".
_WITH_UNIT = re.compile(r"(.+?)\s*[\[(]([^\[\]()]+)[\])]")
_SHOWN_NAMES = 6


def split_unit(column: str) -> tuple[str, str]:
    """Name and unit of a column such as ``knee_angle_x [deg]``; the unit is "" where there is none."""
    matched = _WITH_UNIT.fullmatch(column)
    return (matched[1], matched[2].strip()) if matched else (column, "")


def match_features(recorded: Recorded, trained: TrainingReference) -> tuple[npt.NDArray[np.intp], list[str]]:
    """Which feature of the recordings is which of the model's, by name; their order may differ.

    A name may carry its unit in brackets, on either side.

    Returns:
        For each feature of the model its position among those of the recordings, and notes on units.

    Raises:
        UserError: a feature is missing, additional or twice, or in another unit than the model's.
    """
    positions = _by_name(recorded.features, trained.features, recorded.source)
    if VALUE in recorded.features and VALUE not in positions:
        raise UserError(
            f"{recorded.source} has a column {VALUE!r}: it is the table inside a dataset artifact, whose 'label' is "
            "not the whole label; expected the folder of the artifact"
        )
    missing = [name for name in trained.features if name not in positions]
    additional = [recorded.features[i] for i in range(len(recorded.features)) if i not in positions.values()]
    if missing or additional:
        parts = [
            f"{word} {listed(names, _SHOWN_NAMES)}"
            for word, names in (("missing", missing), ("additional", additional))
            if names
        ]
        raise UserError(
            f"the features of {recorded.source} are not the model's: {'; '.join(parts)}; expected the "
            f"{len(trained.features)} features {listed(trained.features, _SHOWN_NAMES)}, in any order"
            + ("" if missing else f"; leave out what is additional: {recorded.choice.without(additional)}")
        )
    notes = _check_units(recorded, trained, positions)
    return np.array([positions[name] for name in trained.features], dtype=np.intp), notes


def match_label_values(recorded: Recorded, labelling: Labelling) -> Floats:
    """Whole labels of recordings that have labels, float32, shape ``(trials,)``; of controls NaN.

    Raises:
        UserError: a label is not one of the model's, or no number where those are scores.
    """
    places = {name: float(place) for place, name in enumerate(labelling.names)}
    values = np.full(len(recorded.recordings), np.nan, dtype=np.float32)
    for i, recording in enumerate(recorded.recordings):
        if recording.is_control:
            continue
        value = places.get(recording.label) if labelling.has_classes else as_score(recording.label)
        if value is None:
            raise UserError(
                f"{recorded.source}: trial {recorded.trials[i]!r} of subject {recording.subject!r} has the label "
                f"{shown(recording.label)}, expected {listed(labelling.names) if places else 'a score'} as in the "
                "model's training"
            )
        values[i] = value
    return values


def match_labels(recorded: Recorded, trained: TrainingReference) -> Ints | None:
    """Class of each recording, int8, shape ``(trials,)``, or None where the recordings have no labels.

    Control recordings count as 0, as in training.

    Raises:
        UserError: a label is not one of the model's.
    """
    if not recorded.has_labels:
        return None
    if trained.labelling:
        return trained.labelling.answers(match_label_values(recorded, trained.labelling))
    negative, positive = trained.labels["0"], trained.labels["1"]
    classes = {negative: 0, positive: 1}
    if not {"0", "1"} & set(classes):  # the table inside a dataset artifact has class numbers
        classes |= {"0": 0, "1": 1}
    labels = np.zeros(len(recorded.recordings), dtype=np.int8)
    for i, recording in enumerate(recorded.recordings):
        if recording.is_control:
            continue
        if recording.label not in classes and negative not in (REST, rest_of(positive)):
            raise UserError(
                f"{recorded.source}: trial {recorded.trials[i]!r} of subject {recording.subject!r} has the label "
                f"{shown(recording.label)}, expected {shown(negative)} or {shown(positive)} as in the model's training"
            )
        labels[i] = classes.get(recording.label, 0)
    return labels


def _by_name(columns: Sequence[str], wanted: Sequence[str], source: str) -> dict[str, int]:
    """Position among ``columns`` of each ``wanted`` name they hold, spelled the same or the same without units."""
    positions = {name: i for i, name in enumerate(columns) if name in wanted}
    bare = {split_unit(name)[0]: name for name in wanted if name not in positions}
    for i, column in enumerate(columns):
        name = bare.get(split_unit(column)[0])
        if column in positions or name is None:
            continue
        if name in positions:
            raise UserError(
                f"{source} has the feature {shown(name)} twice, in {shown(columns[positions[name]])} and "
                f"{shown(column)}"
            )
        positions[name] = i
    return positions


def _check_units(recorded: Recorded, trained: TrainingReference, positions: Mapping[str, int]) -> list[str]:
    unknown = []
    for name, position in positions.items():
        column = recorded.features[position]
        unit = recorded.units.get(column) or split_unit(column)[1]
        expected = trained.units.get(name) or split_unit(name)[1]
        if unit and expected and unit != expected:
            raise UserError(
                f"{recorded.source}: feature {shown(column)} is in {shown(unit)}, the model was trained on "
                f"{shown(expected)}; convert it"
            )
        if expected and not unit:
            unknown.append(expected)
    if unknown:
        units = ", ".join(sorted(set(unknown)))
        return [
            f"The recordings name no unit for {len(unknown)} features; they were taken to be the model's ({units})."
        ]
    if not trained.units and not any(split_unit(name)[1] for name in trained.features):
        return ["The model was trained on recordings without units, so units could not be compared."]
    return []
