"""What a request may say of its columns: the same rule as `predict`. Without a network: a sum stands in for it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steps.core.data.dataset import Dataset
from steps.core.data.training_reference import TrainingReference
from steps.core.readers.fit_to_model import fit_to_model
from steps.core.readers.model_match import match_features
from steps.core.readers.recorded import Recorded, from_dataset
from steps.errors import UserError
from steps.tracking.models.scorer import CHUNK, FearScorer, Refused


def scorer(training: TrainingReference) -> FearScorer:
    made = FearScorer()
    made.training = json.loads(training.model_dump_json())
    # Every feature counts otherwise, so columns that were exchanged would show.
    made.network = lambda trials: 1 / (1 + np.exp(-(trials * np.arange(trials.shape[2])).mean(axis=(1, 2)))[:, None])
    return made


def answers(training: TrainingReference, values: Any, **params: Any) -> pd.DataFrame:
    return scorer(training).predict(None, np.asarray(values, dtype=np.float32), params)


def refusal(training: TrainingReference, values: Any, **params: Any) -> str:
    with pytest.raises(Refused) as refused:
        answers(training, values, **params)
    refused.value.message = f"Failed to predict data '[[1\n 2]]'. \nError: {refused.value.message}"  # as MLflow does
    answer = json.loads(refused.value.serialize_as_json())
    assert refused.value.get_http_status_code() == 400
    assert "\n" not in answer["message"]
    assert "stack_trace" not in answer
    return str(answer["message"])


def test_named_columns_are_put_into_the_order_of_the_model(trained: TrainingReference, new_people: Dataset) -> None:
    values, names = new_people.values, trained.features
    expected = answers(trained, values)
    assert np.ptp(expected["probability"]) > 0.01
    order = [3, 1, 5, 0, 2, 4]
    mixed = {"features": [names[place] for place in order], "units": [trained.units[names[place]] for place in order]}
    for params in (
        {"features": names},
        {"units": [trained.units[name] for name in names]},
        {"features": [], "units": ["", None, "", "", "", ""], "threshold": None, "sampling_rate": 0.0},
    ):
        pd.testing.assert_frame_equal(answers(trained, values, **params), expected, check_exact=True)
    pd.testing.assert_frame_equal(answers(trained, values[:, :, order], **mixed), expected, check_exact=True)
    assert not answers(trained, values[:, :, order]).equals(expected)
    with_units = [f"{names[place]} [{trained.units[names[place]]}]" for place in order]
    pd.testing.assert_frame_equal(answers(trained, values[:, :, order], features=with_units), expected)


def test_what_does_not_fit_is_one_line(trained: TrainingReference, new_people: Dataset) -> None:
    names, values = trained.features, new_people.values[:2]
    units = [trained.units[name] for name in names]
    for params, said in (
        ({"features": ["knee", *names[1:]]}, f"missing {names[0]!r}; additional 'knee'; expected the 6 features"),
        ({"features": [names[1], *names[1:]]}, f"features has {names[1]!r} twice"),
        ({"features": [f"{names[1]} [Nm]", f"{names[1]} (Nm)", *names[2:]]}, f"features has {names[1]!r} twice"),
        ({"features": names[1:]}, "features names 5, expected 6: one for each column of the trials"),
        ({"features": [None, *names[1:]]}, "features has no name for column 0"),
        ({"units": units[1:]}, "units names 5, expected 6"),
        (
            {"units": ["lb", *units[1:]]},
            f"feature {names[0]!r} is in 'lb', the model was trained on {units[0]!r}; convert",
        ),
        ({"features": [f"{names[0]} (lb)", *names[1:]]}, f"'{names[0]} (lb)' is in 'lb'"),
        ({"threshold": 2}, "threshold is 2.0, expected a probability"),
        ({"error_rate": 0.1}, "cannot say when it does not know"),
    ):
        assert said in refusal(trained, values, **params), params
    assert "..." not in refusal(trained, values, features=["x" * 10_000, *names[1:]])
    assert len(refusal(trained, values, features=["x" * 10_000, *names[1:]])) < 500


@pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value encountered")
def test_what_the_network_has_no_answer_to_is_not_answered_no(trained: TrainingReference, new_people: Dataset) -> None:
    values = new_people.values[:3].copy()
    values[1] = 3e38
    made = scorer(trained)
    made.network = lambda trials: (trials - trials.sum(axis=(1, 2), keepdims=True)).mean(axis=(1, 2))[:, None]
    with pytest.raises(
        Refused, match=r"the network has no answer for trial 1 \(counted from 0\), whose values reach 3e"
    ):
        made.predict(None, values)
    assert len(made.predict(None, values[[0, 2]])) == 2


def test_a_sampling_rate_is_held_against_the_time_of_the_training(
    trained: TrainingReference, new_people: Dataset
) -> None:
    values, points = new_people.values[:2], len(trained.time)
    rate = (points - 1) / (trained.time[-1] - trained.time[0])
    answers(trained, values, sampling_rate=rate * (1 + 0.4 / points))
    told = refusal(trained, values, sampling_rate=rate * 2)
    assert f"sampling_rate is {2 * rate:g} per unit of time, expected {rate:g}" in told
    assert "expected a number above 0" in refusal(trained, values, sampling_rate=-1.0)
    normalised = trained.model_copy(update={"time_normalised": True})
    assert "were brought to one length" in refusal(normalised, values, sampling_rate=rate)
    without = trained.model_copy(update={"time_unit": "sample"})
    assert "had no common time axis" in refusal(without, values, sampling_rate=rate)


NAMES = ["a", "a [m]", "a (m)", "a [s]", "b", "b [m]", "c", "c (kg)", "d"]


@given(
    st.lists(st.sampled_from(NAMES), min_size=3, max_size=3, unique=True),
    st.lists(st.sampled_from(NAMES), min_size=3, max_size=3, unique=True),
    st.lists(st.sampled_from(["", "m", "s", "kg"]), min_size=6, max_size=6),
)
def test_columns_are_matched_as_predict_matches_them(wanted: list[str], found: list[str], units: list[str]) -> None:
    known = {name: unit for name, unit in zip(wanted, units, strict=False) if unit}
    named = {name: unit for name, unit in zip(found, units[3:], strict=True) if unit}
    training = TrainingReference.model_construct(features=wanted, units=known)
    recorded = Recorded.__new__(Recorded)
    for attribute, value in {"features": tuple(found), "units": named, "source": "x", "choice": _Choice()}.items():
        object.__setattr__(recorded, attribute, value)
    made = FearScorer()
    made.training = {"features": wanted, "units": known}
    try:
        expected: list[int] | None = match_features(recorded, training)[0].tolist()
    except UserError:
        expected = None
    try:
        order: list[int] | None = made._order(found, units[3:])
    except Refused:
        order = None
    assert order == expected


class _Choice:
    def without(self, _names: list[str]) -> str:
        return ""


def test_how_many_trials_are_sent_at_once_changes_no_answer(trained: TrainingReference, new_people: Dataset) -> None:
    values = np.resize(new_people.values, (CHUNK + 3, *new_people.values.shape[1:]))
    made, sizes = scorer(trained), []
    network = made.network

    def counting(trials: Any) -> Any:
        sizes.append(len(trials))
        return network(trials)

    made.network = counting
    at_once = made.predict(None, values)
    assert sizes == [CHUNK, 3]
    one_by_one = pd.concat([made.predict(None, values[i : i + 1]) for i in range(0, len(values), 50)])
    pd.testing.assert_frame_equal(at_once[::50].reset_index(drop=True), one_by_one.reset_index(drop=True), rtol=1e-6)
    assert len(made.predict(None, values[:0])) == 0


def test_names_give_the_answers_of_predict(new_people: Dataset, trained: TrainingReference) -> None:
    order = np.array([3, 1, 5, 0, 2, 4])
    mixed = replace(
        new_people, values=new_people.values[:, :, order], features=tuple(new_people.features[i] for i in order)
    )
    fitted = fit_to_model(from_dataset(mixed, "new"), trained)
    expected = answers(trained, fitted.values)
    pd.testing.assert_frame_equal(answers(trained, mixed.values, features=list(mixed.features)), expected)
