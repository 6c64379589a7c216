"""Labels of recordings, read as what the user says they are: classes, ordered classes, or a score."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Self, cast

import numpy as np

from steps.core.data.dataset import Floats
from steps.core.data.labelling import (
    BINARY,
    CLASSES,
    MOST_CLASSES,
    ORDERED,
    SCORE,
    LabelKind,
    Labelling,
    score_text,
)
from steps.errors import UserError, listed, shown

AUTO: Final = "auto"
NONE: Final = "none"
PREFERRED: Final = "fear"
_FEWEST_CLASSES = 3


@dataclass(frozen=True)
class LabelChoice:
    """What the user says about labels.

    Attributes:
        kind: what they are.
        order: names of ordered classes, the lowest first; none where they are numbers.
        cut_off: the level or score from which on the question is answered by yes; ``auto`` takes the one that parts
            subjects most evenly.
    """

    kind: LabelKind = BINARY
    order: tuple[str, ...] = ()
    cut_off: str = AUTO

    @classmethod
    def of(cls, kind: str = BINARY, order: str = NONE, cut_off: str = AUTO) -> Self:
        """From the parameters ``label_kind``, ``label_order`` and ``cut_off``.

        Raises:
            UserError: two of them do not go together, or the order names a class twice.
        """
        names = () if order.strip() == NONE else tuple(name.strip() for name in next(csv.reader([order])))
        if names and kind != ORDERED:
            raise UserError(f"label_order is for label_kind=ordered, found label_kind={kind}")
        if cut_off != AUTO and kind not in (ORDERED, SCORE):
            raise UserError(f"cut_off is for label_kind=ordered or score, found label_kind={kind}")
        if names and (len(set(names)) < len(names) or not all(names) or len(names) < _FEWEST_CLASSES):
            raise UserError(
                f"label_order is {shown(order)}, expected {_FEWEST_CLASSES} or more different names, the lowest first, "
                "separated by commas"
            )
        return cls(cast("LabelKind", kind), names, cut_off.strip())


TWO: Final = LabelChoice()


@dataclass(frozen=True, eq=False)
class ReadLabels:
    """Labels, read.

    Attributes:
        labelling: what they are.
        values: of the trials, float32, shape ``(trials,)``: places of classes, or scores.
        notes: what was found and chosen, one sentence each.
    """

    labelling: Labelling
    values: Floats
    notes: tuple[str, ...]


def read_labels(choice: LabelChoice, positive_label: str, labels: Sequence[str], subjects: Sequence[str]) -> ReadLabels:
    """Labels that are not binary.

    Args:
        choice: what they are.
        positive_label: of classes, the one that is asked for; ``auto`` takes ``fear``, else the last in sorted order.
        labels: of each trial, as text.
        subjects: whose trials they are.

    Raises:
        UserError: they are not what they are said to be, there are too few classes, or the cut-off parts nobody.
    """
    if choice.kind == CLASSES:
        return _classes(labels, positive_label)
    if positive_label != AUTO:
        raise UserError(
            f"positive_label is {shown(positive_label)}, but labels are {_said(choice.kind)}; expected cut_off to say "
            "from where on the answer is yes"
        )
    return _ordered(choice, labels, subjects) if choice.kind == ORDERED else _score(choice, labels, subjects)


def _said(kind: str) -> str:
    return {CLASSES: "classes", ORDERED: "ordered classes", SCORE: "a score"}[kind]


def _classes(labels: Sequence[str], positive_label: str) -> ReadLabels:
    names = sorted(set(labels))
    _check_count(names, CLASSES)
    if positive_label == AUTO:
        positive_label = next((name for name in names if name.casefold() == PREFERRED), names[-1])
    if positive_label not in names:
        raise UserError(
            f"positive_label is {shown(positive_label)}, which is no label of the data; expected one of {listed(names)}"
        )
    place = {name: number for number, name in enumerate(names)}
    labelling = Labelling(kind=CLASSES, names=tuple(names), cut_off=place[positive_label])
    note = f"Labels are {len(names)} classes, {_counted(labels, names)}; the question is {positive_label!r} or not."
    return ReadLabels(labelling, np.array([place[one] for one in labels], dtype=np.float32), (note,))


def _ordered(choice: LabelChoice, labels: Sequence[str], subjects: Sequence[str]) -> ReadLabels:
    found = sorted(set(labels))
    _check_count(found, ORDERED)
    names = list(choice.order)
    if not names:
        numbers = {one: as_score(one) for one in found}
        if None in numbers.values():
            raise UserError(
                f"labels are {listed(found)}, whose order is not known; expected label_order, the lowest first, for "
                f"instance label_order={','.join(found)}"
            )
        names = sorted(found, key=lambda one: numbers[one] or 0.0)
        for lower, higher in pairwise(names):
            if numbers[lower] == numbers[higher]:
                raise UserError(
                    f"labels {shown(lower)} and {shown(higher)} are the same number, so their order is not known; "
                    "expected one spelling of each level, or label_order, the lowest first"
                )
    if unknown := [one for one in found if one not in names]:
        raise UserError(f"label {shown(unknown[0])} is not in label_order, expected one of {listed(names)}")
    if missing := [one for one in names if one not in found]:
        raise UserError(f"label_order names {shown(missing[0])}, which no trial has; there are {listed(found)}")
    place = {name: number for number, name in enumerate(names)}
    values = np.array([place[one] for one in labels], dtype=np.float32)
    if choice.cut_off != AUTO and choice.cut_off not in names[1:]:
        raise UserError(f"cut_off is {shown(choice.cut_off)}, expected 'auto' or one of {listed(names[1:])}")
    cut_off = place[choice.cut_off] if choice.cut_off != AUTO else _most_even(values, subjects)
    labelling = Labelling(kind=ORDERED, names=tuple(names), cut_off=cut_off)
    note = (
        f"Labels are {len(names)} ordered classes, {_counted(labels, names)}; the question is {names[int(cut_off)]!r} "
        f"or more{_by(choice)}."
    )
    return ReadLabels(labelling, values, (note,))


def _score(choice: LabelChoice, labels: Sequence[str], subjects: Sequence[str]) -> ReadLabels:
    numbers = [as_score(one) for one in labels]
    if None in numbers:
        wrong = labels[numbers.index(None)]
        raise UserError(f"label_kind is score, but a trial of {shown(subjects[numbers.index(None)])} has the label "
                        f"{shown(wrong)}; expected a number")  # fmt: skip
    values = np.array(numbers, dtype=np.float32)
    lowest, highest = float(values.min()), float(values.max())
    if lowest == highest:
        raise UserError(f"all trials have the score {lowest:g}, expected scores that differ")
    text = choice.cut_off if choice.cut_off != AUTO else score_text(_most_even(values, subjects))
    cut_off = as_score(text)
    # Scores are float32, in which 0.7 is a little less than 0.7.
    if cut_off is None or not lowest < float(np.float32(cut_off)) <= highest:
        raise UserError(
            f"cut_off is {shown(choice.cut_off)}, expected 'auto' or a number above {score_text(lowest)}, up to "
            f"{score_text(highest)}: the lowest score that counts as yes"
        )
    labelling = Labelling(kind=SCORE, names=(), cut_off=cut_off)
    note = (
        f"Labels are a score, {score_text(lowest)} to {score_text(highest)} with {len(set(numbers))} different values; "
        f"the question is {score_text(cut_off)} or more{_by(choice)}."
    )
    return ReadLabels(labelling, values, (note,))


def _by(choice: LabelChoice) -> str:
    return "" if choice.cut_off != AUTO else ", which parts subjects most evenly (cut_off says another)"


def _most_even(values: Floats, subjects: Sequence[str]) -> float:
    """The value from which on there are as many subjects as below it, or nearly; of equal ones the highest."""
    names, codes = np.unique(np.asarray(subjects), return_inverse=True)
    means = np.bincount(codes, weights=values) / np.bincount(codes)
    candidates = np.unique(values)[1:]
    uneven = [abs(2 * int((means >= one).sum()) - len(names)) for one in candidates]
    return float(candidates[len(uneven) - 1 - int(np.argmin(uneven[::-1]))])


def _check_count(names: Sequence[str], kind: str) -> None:
    if len(names) < _FEWEST_CLASSES:
        raise UserError(
            f"label_kind is {kind}, but there are {len(names)} labels, {listed(names)}; expected three or more, or "
            "label_kind=binary"
        )
    if len(names) > MOST_CLASSES:
        raise UserError(
            f"label_kind is {kind}, but there are {len(names)} labels; expected at most {MOST_CLASSES}: is it a score "
            "(label_kind=score)?"
        )


def _counted(labels: Sequence[str], names: Sequence[str]) -> str:
    counts: Mapping[str, int] = Counter(labels)
    return ", ".join(f"{counts[name]} trials {name!r}" for name in names)


def as_score(text: str) -> float | None:
    """The number in a text; None where it is none that float32 holds."""
    try:
        number = float(text)
    except ValueError:
        return None
    if "_" in text:  # 1_2 is no twelve but to Python
        return None
    return number if math.isfinite(number) and abs(number) < 1e30 else None
