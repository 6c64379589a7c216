"""A search: the same tries whenever it goes on, in order, with those stopped that are not worth going on."""

from __future__ import annotations

import math
from collections import Counter
from statistics import median

import pytest

from steps.core.data.tried import Tried
from steps.core.models.table import Choice
from steps.core.tuning.search import search
from steps.core.tuning.space import Settings, Space
from steps.errors import UserError

pytest.importorskip("optuna")

STEPS = 3


def bowl(settings: Settings, step: int) -> float:
    """Best at a learning rate of 0.002 and 80 epochs of the cnn, a little different in each inner fold."""
    rate = math.log10(float(settings.get("learning_rate", 0.01)) / 0.002)
    epochs = (float(settings["epochs"]) - 80) / 100
    return 0.1 + rate**2 + epochs**2 + 0.01 * step * (int(settings["epochs"]) % 3)


def test_a_search_that_goes_on_tries_what_it_would_have_tried(space: Space) -> None:
    whole = search(space, bowl, steps=STEPS, tries=25, seed=3)
    states = Counter(one.state for one in whole.tried)
    assert states["finished"] > 5
    assert states["stopped"] > 5
    for done in (0, 1, 4, 13, 24, 25):
        new: list[Tried] = []
        again = search(space, bowl, steps=STEPS, tries=25, seed=3, done=whole.tried[:done], on_tried=new.append)
        assert again == whole
        assert tuple(new) == whole.tried[done:]


def test_the_first_try_is_what_would_be_done_without_a_search(space: Space) -> None:
    one = search(space, bowl, steps=STEPS, tries=1, seed=0)
    assert one.tried[0].settings == space.start
    assert one.best is one.tried[0]
    assert one.best.value == bowl(space.start, STEPS - 1)


def test_it_finds_better_settings_than_chance_and_another_seed_tries_others(space: Space) -> None:
    found = [search(space, bowl, steps=STEPS, tries=40, seed=seed) for seed in range(3)]
    assert all(one.best.values[-1] < 0.15 < bowl(space.start, STEPS - 1) for one in found)
    assert found[0].tried[1].settings != found[1].tried[1].settings
    for one in found:
        assert one.importance.keys() == space.dimensions.keys()
        assert sum(one.importance.values()) == pytest.approx(1)


def test_a_stopped_try_is_worse_than_the_median_of_those_that_finished_and_is_trained_no_further(space: Space) -> None:
    asked = Counter[tuple[object, ...]]()

    def counted(settings: Settings, step: int) -> float:
        asked[tuple(settings.items())] += 1
        return bowl(settings, step)

    for one in (found := search(space, counted, steps=STEPS, tries=25, seed=3)).tried:
        assert len(one.values) == STEPS or one.state == "stopped"
        if one.state == "stopped":
            step = len(one.values) - 1
            before = [other.values[step] for other in found.tried[: one.number] if other.state == "finished"]
            assert min(one.values) > median(before)
    assert sum(asked.values()) == sum(len(one.values) for one in found.tried)


def test_a_small_space_is_tried_through_once_and_among_equals_the_first_is_best() -> None:
    space = Space({"cnn": {"class_weight": Choice(("balanced", "none"))}}, {"model": "cnn", "class_weight": "balanced"})
    found = search(space, lambda _settings, _step: 0.25, steps=STEPS, tries=30, seed=0)
    assert [one.settings["class_weight"] for one in found.tried] == ["balanced", "none"]
    assert found.best.number == 0
    assert found.importance == {}


def test_settings_that_cannot_be_trained_are_passed_over_unless_all_are(space: Space) -> None:
    def fragile(settings: Settings, step: int) -> float:
        if float(settings.get("learning_rate", 0)) > 0.002:
            raise UserError("training left the finite numbers")
        return bowl(settings, step)

    found = search(space, fragile, steps=STEPS, tries=20, seed=1)
    failed = [one for one in found.tried if one.state == "failed"]
    assert failed
    assert all(one.reason == "training left the finite numbers" for one in failed)
    assert search(space, fragile, steps=STEPS, tries=20, seed=1, done=found.tried[:12]) == found

    def broken(_settings: Settings, _step: int) -> float:
        raise UserError("a feature is too small")

    with pytest.raises(UserError, match="a feature is too small"):
        search(space, broken, steps=STEPS, tries=3, seed=1)
