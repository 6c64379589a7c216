"""What came of a reproduction."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import pytest

from steps.reproduce.compare import Comparison
from steps.reproduce.result import Reproduction
from steps.reproduce.surroundings import surroundings
from tests.reproduce.test_surroundings import THEN

SAME = surroundings(THEN, THEN, {}, {})
ELSEWHERE = surroundings(THEN, THEN | {"cpu": "Intel, 8 cores"}, {}, {})
EQUAL = Comparison("main", "metric", "auc", "identical", 1, 0.0, "0.9", "0.9")
CLOSE = Comparison("main", "curve", "loss", "within 1e-6", 60, 2e-8)
APART = Comparison("fold S01 1", "metric", "f1", "different", 1, 0.25, "0.5", "0.75")
GONE = Comparison("fold S02 1", "run", "", "missing", 0)


def result(comparisons: Sequence[Comparison], where: object = SAME) -> Reproduction:
    return Reproduction("r1", "main", "r2", comparisons, where)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("comparisons", "where", "verdict", "reproduced"),
    [
        ([EQUAL], SAME, "identical", True),
        ([EQUAL], ELSEWHERE, "identical", True),
        ([EQUAL, CLOSE], ELSEWHERE, "within 1e-6", True),
        ([EQUAL, CLOSE], SAME, "within 1e-6", False),
        ([EQUAL, APART], ELSEWHERE, "different", False),
        ([EQUAL, GONE], ELSEWHERE, "different", False),
        ([], SAME, "identical", False),
    ],
)
def test_exact_equality_is_expected_where_everything_is_the_same(
    comparisons: list[Comparison], where: object, verdict: str, reproduced: bool
) -> None:
    outcome = result(comparisons, where)
    assert (outcome.verdict, outcome.reproduced) == (verdict, reproduced)
    assert outcome.sentence().startswith("reproduced" if reproduced else "NOT reproduced")


def test_json_is_strict_and_complete() -> None:
    infinite = Comparison("main", "metric", "x", "different", 1, math.inf)
    for comparisons in ([EQUAL, APART], [GONE], [infinite]):
        text = json.dumps(result(comparisons).as_json(), allow_nan=False)
        assert json.loads(text)["verdict"] == "different"
    document = result([EQUAL, CLOSE, APART, GONE], ELSEWHERE).as_json()
    assert document["counts"] == {"identical": 1, "within 1e-6": 1, "different": 1, "missing": 1, "new": 0}
    assert document["largest_difference"] == 0.25
    assert document["differing_surroundings"] == ["processor"]
    assert document["surroundings"]["processor"] == {"recorded": "AMD, 2 cores", "now": "Intel, 8 cores"}


def test_the_worst_come_first() -> None:
    far = Comparison("main", "metric", "g", "different", 1, 0.5)
    assert result([EQUAL, CLOSE, APART, GONE, far]).worst() == [GONE, far, APART, CLOSE]


def test_a_row_per_run_and_per_thing() -> None:
    outcome = result([EQUAL, CLOSE, APART])
    assert [row[:2] for row in outcome.summary()] == [("main", "2"), ("fold S01 1", "1")]
    assert outcome.table().shape[0] == 3
    assert outcome.markdown().count("\n| ") >= 3
