"""Which question's probability is attributed."""

from __future__ import annotations

from typing import Final

from steps.core.data.dataset import Dataset
from steps.core.data.labelling import ORDERED
from steps.errors import UserError, listed, shown

AUTO: Final = "auto"


def asked(dataset: Dataset, explained_class: str) -> tuple[Dataset, str | None]:
    """The dataset with the question whose probability is attributed, and the class that is asked for.

    Raises:
        UserError: there is no such class.
    """
    if explained_class == AUTO:
        return dataset, None
    labelling = dataset.labelling
    names = labelling.names if labelling else ()
    able = names[1:] if labelling and labelling.kind == ORDERED else names
    if explained_class not in able:
        expected = f"'auto' or one of {listed(able)}" if able else "'auto': labels are not several classes"
        raise UserError(f"explained_class is {shown(explained_class)}, expected {expected}")
    return dataset.asking(explained_class), explained_class
