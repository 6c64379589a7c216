"""Who is compared with whom, and what permutations say: against enumeration and independent references."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, pairwise, product

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from steps.core.audit.exchange import Exchange, average_ranks, tell_apart
from steps.core.data.dataset import Dataset

Doubles = npt.NDArray[np.float64]


def people(labels: list[int]) -> Exchange:
    """A row per person, all in one block."""
    rows = tuple(np.array([i]) for i in range(len(labels)))
    return Exchange(np.array(labels) == 1, (np.arange(len(labels)),), (len(labels),), rows)


def trials(*labels: list[int]) -> Exchange:
    """Trials of people with both classes, one list per person."""
    bounds = np.cumsum([0, *map(len, labels)])
    blocks = tuple(np.arange(start, stop) for start, stop in pairwise(bounds.tolist()))
    rows = tuple(np.array([i]) for i in range(bounds[-1]))
    return Exchange(np.concatenate(labels) == 1, blocks, (1,) * len(labels), rows)


def auc_of(exchange: Exchange, labels: npt.NDArray[np.bool_], values: Doubles) -> float:
    """The mean over blocks, each counted by its people, from pairs one by one."""
    areas = []
    for block in exchange.blocks:
        own, value = labels[block], values[block]
        pairs = [(a > b) + 0.5 * (a == b) for a in value[own] for b in value[~own]]
        areas.append(np.mean(pairs))
    return float(np.average(areas, weights=exchange.people))


def every_labelling(exchange: Exchange) -> Iterator[npt.NDArray[np.bool_]]:
    """All ways of placing the labels within blocks."""
    choices = [combinations(block.tolist(), int(exchange.labels[block].sum())) for block in exchange.blocks]
    for chosen in product(*choices):
        labels = np.zeros(len(exchange.labels), dtype=np.bool_)
        labels[[row for rows in chosen for row in rows]] = True
        yield labels


EXCHANGES = {
    "people": people([0, 1, 0, 1, 1, 0, 0]),
    "trials": trials([0, 1, 0, 1], [1, 0, 0], [0, 1]),
}


@pytest.mark.parametrize("name", EXCHANGES)
def test_p_values_are_those_of_all_arrangements(name: str) -> None:
    exchange = EXCHANGES[name]
    values = np.random.default_rng(3).integers(0, 4, (len(exchange.labels), 5)).astype(float)
    values[:, 0] = exchange.labels + 0.0
    told = tell_apart(exchange, values, permutations=20_000, seed=0)
    areas = np.array([[auc_of(exchange, one, column) for column in values.T] for one in every_labelling(exchange)])
    apart = np.abs(areas - 0.5)
    truth = np.array([auc_of(exchange, exchange.labels, column) for column in values.T])
    np.testing.assert_allclose(told.auc, truth, atol=1e-12)
    np.testing.assert_allclose(told.p, (apart >= np.abs(truth - 0.5) - 1e-9).mean(axis=0), atol=0.012)
    standardised = apart / areas.std(axis=0)  # the variance over all arrangements, which the code has in closed form
    size = np.abs(truth - 0.5) / areas.std(axis=0)
    corrected = (standardised.max(axis=1)[:, None] >= size - 1e-9).mean(axis=0)
    np.testing.assert_allclose(told.corrected, corrected, atol=0.012)


def test_the_area_of_people_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels = [0] * 9 + [1] * 6
    values = rng.integers(0, 5, (15, 4)).astype(float)
    told = tell_apart(people(labels), values, permutations=10, seed=0)
    np.testing.assert_allclose(told.auc, [roc_auc_score(labels, column) for column in values.T])


def test_the_correction_counts_what_is_different_only() -> None:
    rng = np.random.default_rng(1)
    exchange = people([0, 1] * 8)
    one = rng.normal(size=(16, 1))
    alone, twice = (tell_apart(exchange, np.repeat(one, n, axis=1), permutations=500, seed=0) for n in (1, 9))
    np.testing.assert_array_equal(twice.corrected, np.repeat(alone.p, 9))
    many = tell_apart(exchange, np.hstack([one, rng.normal(size=(16, 40))]), permutations=500, seed=0)
    assert many.corrected[0] > many.p[0] == alone.p[0]


def test_what_is_the_same_for_all_tells_nothing() -> None:
    told = tell_apart(people([0, 1, 0, 1]), np.ones((4, 2)), permutations=10, seed=0)
    assert np.isnan(told.auc).all()
    assert (told.p == 1).all()
    assert (told.corrected == 1).all()


def test_order_unit_and_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    exchange, values = people([0, 1] * 6), rng.normal(size=(12, 6))
    told = tell_apart(exchange, values, permutations=300, seed=5)
    monkeypatch.setattr("steps.core.audit.exchange._CELLS", 100)
    other = tell_apart(exchange, np.exp(values), permutations=300, seed=5)
    for name in ("auc", "p", "corrected"):
        np.testing.assert_array_equal(getattr(told, name), getattr(other, name))


@pytest.mark.parametrize("rows", [1, 2, 7, 40])
def test_ranks_are_those_of_scipy(rows: int) -> None:
    values = np.random.default_rng(rows).integers(0, 6, (rows, 9)).astype(float)
    np.testing.assert_array_equal(average_ranks(values), rankdata(values, axis=0))


def test_people_of_one_class_are_rows_of_one_block(small_study: Dataset) -> None:
    study = small_study.select(~small_study.is_control)
    exchange = Exchange.of(study)
    names = np.unique(study.subjects)
    assert [set(study.subjects[members]) for members in exchange.members] == [{name} for name in names]
    (block,) = exchange.blocks
    assert (block.tolist(), exchange.people) == (list(range(len(names))), (len(names),))
    values = np.arange(len(study.labels), dtype=float)[:, None]
    np.testing.assert_allclose(exchange.values(values)[:, 0], [values[study.subjects == name].mean() for name in names])


def test_people_with_both_classes_are_compared_with_themselves(small_study: Dataset, within_study: Dataset) -> None:
    study = within_study.select(~within_study.is_control)
    exchange = Exchange.of(study)
    assert exchange.people == (1,) * len(np.unique(study.subjects))
    assert all(len(set(study.subjects[[exchange.members[i][0] for i in block]])) == 1 for block in exchange.blocks)
    np.testing.assert_array_equal(exchange.labels, study.labels == 1)
    labels = exchange.permuted(50, seed=0)
    assert (labels[0] == exchange.labels).all()
    for block in exchange.blocks:
        assert (labels[:, block].sum(axis=1) == exchange.labels[block].sum()).all()
    # Half and half: the pure people are one block more, and count as many as they are.
    pure = small_study.select(~small_study.is_control)
    mixed = replace(
        study,
        values=np.concatenate([study.values, pure.values]),
        labels=np.concatenate([study.labels, pure.labels]),
        subjects=np.concatenate([study.subjects, np.char.add(pure.subjects, "x")]),
        trials=np.concatenate([study.trials, pure.trials]),
        is_control=np.zeros(len(study.labels) + len(pure.labels), dtype=np.bool_),
    )
    assert sorted(Exchange.of(mixed).people) == [1] * 6 + [8]
