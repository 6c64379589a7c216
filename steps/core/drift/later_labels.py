"""Labels that came after people were scored: a small table by subject, or by subject and trial."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from steps.core.data.labelling import Labelling
from steps.errors import UserError, listed, shown

_COLUMNS = ("subject", "label")


def read_labels(
    raw: bytes, name: str, labels: Mapping[Literal["0", "1"], str], labelling: Labelling | None = None
) -> pd.DataFrame:
    """``subject``, ``label`` (0 or 1) and, where the table has it, ``trial``.

    Args:
        raw: content of a CSV file.
        name: what messages call it.
        labels: names of the classes by ``0`` and ``1``; the file may say either.
        labelling: of the model; the file may then say whole labels, classes or scores, which answer its question.

    Raises:
        UserError: it is no such table.
    """
    try:
        table = pd.read_csv(io.BytesIO(raw), dtype=str, keep_default_na=False, sep=_separator(raw))
    except (ValueError, pd.errors.ParserError) as error:  # UnicodeDecodeError is a ValueError
        raise UserError(
            f"{name} is no table that can be read ({error}); expected CSV with subject and label"
        ) from error
    table.columns = table.columns.str.strip()
    if lacking := [column for column in _COLUMNS if column not in table]:
        raise UserError(
            f"{name} has no column {shown(lacking[0])}, found {listed(list(table.columns))}; expected subject, label "
            "and, where trials of one person differ, trial"
        )
    kept = table[[*_COLUMNS, *(["trial"] if "trial" in table else [])]].apply(lambda column: column.str.strip())
    numbers = {"0": 0, "1": 1, labels["0"]: 0, labels["1"]: 1}
    expected = f"one of {listed(list(numbers))}"
    if labelling and labelling.has_classes:
        numbers |= dict(zip(labelling.names, labelling.asked.astype(int).tolist(), strict=True))
        expected = f"one of {listed(list(labelling.names))}"
    elif labelling:
        del numbers["0"], numbers["1"]  # these are scores
        expected = f"a score, or one of {listed(list(numbers))}"
    known = kept["label"].map(numbers)
    if labelling and not labelling.has_classes:
        scores = pd.to_numeric(kept["label"], errors="coerce").astype(np.float32)
        known = known.fillna(pd.Series(labelling.answers(scores.to_numpy())).where(np.isfinite(scores)))
    if known.isna().any():
        row = int(known.isna().to_numpy().argmax())
        raise UserError(f"{name}, row {row + 2}: label is {shown(kept['label'].iloc[row])}, expected {expected}")
    kept = kept.assign(label=known.astype(np.int8))
    keys = [column for column in kept if column != "label"]
    twice = kept.drop_duplicates().duplicated(keys)
    if twice.any():
        row = kept.drop_duplicates()[twice].iloc[0]
        raise UserError(f"{name}: {shown(' '.join(str(row[key]) for key in keys))} has two labels; keep one")
    return pd.DataFrame(kept.drop_duplicates())


def _separator(raw: bytes) -> str:
    """The one that the first line has most of."""
    first = raw.partition(b"\n")[0]
    return max(",;\t", key=lambda one: first.count(one.encode()))


def with_labels(predictions: pd.DataFrame, labels: pd.DataFrame | None) -> pd.DataFrame:
    """Predictions with ``label`` where it is known, from the table or from the start; else empty.

    Args:
        predictions: a row per trial: ``subject``, ``trial``, perhaps ``label``.
        labels: from `read_labels`.
    """
    known = pd.Series(pd.NA, index=predictions.index, dtype="Int8")
    if "label" in predictions:
        known = pd.to_numeric(predictions["label"], errors="coerce").astype("Int8")
    if labels is not None:
        keys = [column for column in labels if column != "label"]
        later = predictions[keys].merge(labels, on=keys, how="left")["label"].astype("Int8")
        known = later.set_axis(predictions.index).fillna(known)
    return predictions.assign(label=known)
