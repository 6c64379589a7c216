"""Globs with placeholders: what they take, and when a path could mean two things."""

from __future__ import annotations

import itertools
import random

import pytest

from steps.core.readers.described.pattern import AmbiguousError, Pattern, ambiguous
from steps.errors import UserError


@pytest.mark.parametrize(
    ("pattern", "path", "said"),
    [
        (
            "sub-{subject}/ses-{session}/**/*_task-{label}_run-{trial}.csv",
            "sub-01/ses-2/beh/sub-01_ses-2_task-fear_run-3.csv",
            {"subject": "01", "session": "2", "label": "fear", "trial": "3"},
        ),
        ("{label}/{trial}/{subject}.csv", "fear/1/S1.csv", {"label": "fear", "trial": "1", "subject": "S1"}),
        ("{subject}/**/{trial}.csv", "S1/t.csv", {"subject": "S1", "trial": "t"}),
        ("{subject}/sub-{subject}_{trial}.csv", "01/sub-01_2.csv", {"subject": "01", "trial": "2"}),
        ("{subject}/sub-{subject}_{trial}.csv", "01/sub-02_2.csv", None),
        ("{subject}_?.csv", "S1_2.csv", {"subject": "S1"}),
        ("{subject}_?.csv", "S1_22.csv", None),
        ("{subject}.csv", "a/S1.csv", None),
        ("{subject}_{label:fear|no_fear}_{trial}.csv", "S1_no_fear_03.csv",
         {"subject": "S1", "label": "no_fear", "trial": "03"}),
        ("{subject:S??}_{label}_{trial:0*}.csv", "S01_no_fear_03.csv",
         {"subject": "S01", "label": "no_fear", "trial": "03"}),
        ("a+b/{subject}.(1).csv", "a+b/S1.(1).csv", {"subject": "S1"}),
    ],
)  # fmt: skip
def test_what_a_path_says(pattern: str, path: str, said: dict[str, str] | None) -> None:
    assert Pattern(pattern).match(path) == said


def test_two_readings_are_shown() -> None:
    pattern = Pattern("{subject}_{label}_{trial}.csv", "study.yaml, line 1: files")
    with pytest.raises(AmbiguousError) as caught:
        pattern.match("S01_no_fear_03.csv")
    assert str(ambiguous(caught.value, pattern, "S01_no_fear_03.csv")) == (
        "study.yaml, line 1: files: S01_no_fear_03.csv fits '{subject}_{label}_{trial}.csv' in two ways: label 'no', "
        "trial "
        "'fear_03'; or label 'no_fear', trial '03'; say what {label} may be, by names or globs: {label:no_fear|...}"
    )


def test_a_path_is_ambiguous_where_counting_all_readings_says_so() -> None:
    """Against every way to cut a path at underscores."""
    draw = random.Random(1)  # noqa: S311
    pattern = Pattern("{subject}_{label}_*_{trial}")
    for _ in range(300):
        path = "_".join(draw.choice("ab") for _ in range(draw.randint(3, 6)))
        parts = path.split("_")
        cuts = itertools.combinations(range(1, len(parts)), 3)
        readings = {tuple("_".join(parts[a:b]) for a, b in ((0, x), (x, y), (z, len(parts)))) for x, y, z in cuts}
        if not readings:
            assert pattern.match(path) is None
        elif len(readings) > 1:
            with pytest.raises(AmbiguousError):
                pattern.match(path)
        else:
            assert tuple((pattern.match(path) or {}).values()) == readings.pop()


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{subjct}.csv", r"placeholder \{subjct\}, expected .* did you mean \{subject\}\?"),
        ("{subject.csv", "a brace without its partner"),
        ("{subject}{trial}.csv", "two placeholders side by side"),
        ("/data/{subject}.csv", "expected a path below"),
        ("../{subject}.csv", "expected a path below"),
        ("*a" * 11, "more than 10 placeholders"),
        ("", "expected a path below"),
    ],
)
def test_what_is_no_pattern(pattern: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Pattern(pattern)
