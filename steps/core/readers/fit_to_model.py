"""Recordings as a model takes them."""

from __future__ import annotations

import numpy as np

from steps.core.data.training_reference import TrainingReference
from steps.core.data.unseen import Unseen
from steps.core.readers.identities import comparable
from steps.core.readers.model_axis import on_time_axis
from steps.core.readers.model_match import match_features, match_label_values, match_labels
from steps.core.readers.recorded import Recorded


def fit_to_model(recorded: Recorded, trained: TrainingReference) -> Unseen:
    """Recordings as the model takes them.

    Raises:
        UserError: features, units, time axis or labels are not the model's; the message names both.
    """
    order, about_units = match_features(recorded, trained)
    labels = match_labels(recorded, trained)
    known_labels = trained.labelling and labels is not None
    values_of_labels = match_label_values(recorded, trained.labelling) if trained.labelling and known_labels else None
    values, about_time = on_time_axis(recorded, trained)
    subjects = np.array([one.subject for one in recorded.recordings], dtype=np.str_)
    trials = np.array(recorded.trials, dtype=np.str_)
    known = {comparable(name) for name in trained.subjects}
    rank = np.lexsort((trials, subjects))
    return Unseen(
        values=values[rank][:, :, order],
        subjects=subjects[rank],
        trials=trials[rank],
        is_control=np.array([one.is_control for one in recorded.recordings], dtype=np.bool_)[rank],
        labels=None if labels is None else labels[rank],
        label_values=values_of_labels[rank] if values_of_labels is not None else None,
        in_training=np.array([comparable(name) in known for name in subjects[rank]], dtype=np.bool_),
        source=recorded.source,
        notes=(*recorded.notes, *about_units, *about_time),
    )
