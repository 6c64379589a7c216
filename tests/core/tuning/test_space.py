"""What a search chooses among."""

from __future__ import annotations

import re
from typing import Any

import pytest

from steps.core.data.tried import Value
from steps.core.models.table import MODELS
from steps.core.tuning.space import Space, space_of
from steps.errors import UserError
from steps.parameters import PARAMETERS, STEPS

DEFAULTS: dict[str, Any] = {name: PARAMETERS[name].default for name in STEPS["train"].parameters}


def space_with(*, normalise: bool = True, networks: Any = (), search: Any = None, **given: Any) -> Space:
    return space_of(DEFAULTS | given, DEFAULTS, networks=networks, search=search, normalise=normalise)


def test_settings_go_through_their_names_and_back(space: Space) -> None:
    other: dict[str, Value] = {"model": "soft_minirocket", "epochs": 30, "class_weight": "none"}
    for settings in (dict(space.start), other):
        assert space.settings(space.named(settings)) == settings
    assert set(space.named(space.start)) == {"model", "cnn.learning_rate", "cnn.epochs"}
    assert space.size == float("inf")


def test_numbers_are_rounded_to_what_somebody_would_write(space: Space) -> None:
    named: dict[str, Value] = {"model": "cnn", "cnn.learning_rate": 0.00031298371, "cnn.epochs": 77}
    assert space.settings(named) == {"model": "cnn", "learning_rate": 0.000313, "epochs": 77}


@pytest.mark.parametrize("model", sorted(MODELS))
def test_a_search_begins_at_what_train_would_do(model: str) -> None:
    space = space_with(model=model)
    assert space.start == {"model": model, **{name: DEFAULTS[name] for name in MODELS[model].search}}


def test_all_settings_of_a_finite_space_come_once_and_the_first_is_the_start() -> None:
    space = space_with(networks=("soft_minirocket",), search=("class_weight", "epochs"))
    every = list(space.every())
    assert every[0] == space.start
    assert len(every) == len({tuple(one.items()) for one in every}) == space.size == 2 + 2 * 101


def test_normalise_is_searched_only_where_the_study_allows_it() -> None:
    assert "normalise" in space_with().networks["soft_multirocket"]
    assert "normalise" not in space_with(normalise=False).networks["soft_multirocket"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"networks": ("resnet",)}, "networks names 'resnet', expected 'none' or some of: cnn"),
        ({"search": ("epochs",)}, "search names 'epochs', which is not searched for soft_multirocket"),
        ({"search": ("normalise",), "normalise": False}, "takes trials of both classes of every subject"),
        (
            {"model": "cnn", "learning_rate": 0.01},
            "learning_rate=0.01 was given, and learning_rate is searched (0.0001 to 0.01); leave it out, or take it "
            "out of the search: search=batch_size,class_weight,epochs,normalise",
        ),
    ],
)
def test_what_cannot_be_searched_is_one_line(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)) as raised:
        space_with(**given)
    assert "\n" not in str(raised.value)


def test_a_network_without_declared_values_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    monkeypatch.setitem(MODELS, "bare", replace(MODELS["cnn"], search={}))
    with pytest.raises(UserError, match="model=bare has nothing to search in this study, expected a network"):
        space_with(model="bare")


def test_a_parameter_outside_the_search_may_be_given() -> None:
    space = space_with(model="cnn", learning_rate=0.5, search=("epochs",))
    assert space.dimensions.keys() == {"epochs"}
