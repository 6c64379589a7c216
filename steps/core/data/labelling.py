"""Labels that say more than yes or no: several classes, ordered classes, or a score.

A study always asks one question that is answered by yes or no (`steps.core.data.dataset.Dataset.labels`): is it this
class? is it this level or a higher one? does the score reach the cut-off? With a labelling its networks learn the whole
label, and their answer to the question follows from what they say of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

LabelKind = Literal["binary", "classes", "ordered", "score"]
BINARY: Final = "binary"
CLASSES: Final = "classes"
ORDERED: Final = "ordered"
SCORE: Final = "score"
MOST_CLASSES: Final = 100
REST: Final = "rest"  # all classes but the one that is asked for

# Columns of tables.
VALUE: Final = "label_value"
SCORE_COLUMN: Final = "predicted_score"
CLASS_COLUMN: Final = "predicted_class"

Array = npt.NDArray[np.float64]


class Labelling(BaseModel):
    """What the labels of a study are, where they are more than two classes.

    Attributes:
        kind: ``classes`` (in no order), ``ordered`` (from the lowest level to the highest), or ``score`` (a number).
        names: of the classes, in the order of their places; none of a score.
        cut_off: what the study asks: the place of the class that is asked for; the place of the lowest level that
            counts; the lowest score that counts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: Literal["classes", "ordered", "score"]
    names: tuple[str, ...] = Field(max_length=MOST_CLASSES)
    cut_off: float

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.kind != SCORE and (len(set(self.names)) < 3 or self.cut_off not in range(len(self.names))):
            raise ValueError(f"{self.kind} labels have {len(self.names)} names and the cut-off {self.cut_off}")
        if self.kind == SCORE and self.names:
            raise ValueError("a score has no names of classes")
        return self

    @property
    def has_classes(self) -> bool:
        """Whether a network gives a probability of each class; else it gives a score."""
        return self.kind != SCORE

    @property
    def width(self) -> int:
        """How many numbers a network gives of each trial."""
        return len(self.names) or 1

    @property
    def asked(self) -> npt.NDArray[np.bool_]:
        """The classes that the question counts as yes, shape ``(classes,)``."""
        places = np.arange(len(self.names))
        return np.asarray(places == self.cut_off if self.kind == CLASSES else places >= self.cut_off)

    @property
    def question(self) -> tuple[str, str]:
        """Names of the negative and the positive class of the question."""
        if self.kind == CLASSES:
            asked = self.names[int(self.cut_off)]
            return rest_of(asked, self.names), asked
        limit = self.name(self.cut_off)
        return f"below {limit}", f"{limit} or more"

    def asking(self, name: str) -> Self:
        """The same classes, asked for another one.

        Raises:
            ValueError: there is no such class.
        """
        return self.model_copy(update={"cut_off": float(self.names.index(name))})

    def answers(self, values: npt.NDArray[np.floating | np.integer]) -> npt.NDArray[np.int8]:
        """The question's answer for label values ``(trials,)``, 0 or 1."""
        yes = values == self.cut_off if self.kind == CLASSES else values >= self.cut_off
        return np.asarray(yes, dtype=np.int8)

    def name(self, value: float) -> str:
        """A label value as people read it: the name of the class, or the score."""
        return self.names[int(value)] if self.has_classes else score_text(value)

    def strata(self, values: npt.NDArray[np.floating | np.integer]) -> npt.NDArray[np.int8]:
        """Classes by which folds are balanced, shape ``(trials,)``: those of the label, or those of the question."""
        return values.astype(np.int8) if self.has_classes else self.answers(values)


def rest_of(asked: str, names: Sequence[str] = ()) -> str:
    """What all classes but one are called together: ``rest``, where neither it nor any of ``names`` is called so."""
    return f"not {asked}" if REST in {name.casefold() for name in (asked, *names)} else REST


def score_text(value: float) -> str:
    """A score with as many digits as float32 holds, so that reading it gives the same score."""
    return f"{float(str(np.float32(value))):.9g}"


def as_written(values: npt.NDArray[np.float32]) -> Array:
    """Label values as people wrote them, same shape: 0.7, where float32 has a little less."""
    return values.astype(np.str_).astype(np.float64)


def output_columns(labelling: Labelling) -> list[str]:
    """The columns with what a model says: ``probability_<class>`` of each class, or ``predicted_score``."""
    return [f"probability_{name}" for name in labelling.names] or [SCORE_COLUMN]
