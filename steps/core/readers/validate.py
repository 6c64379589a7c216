"""The schema of the long table, checked with pandera; its failures become one line each."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
import pandera.errors
import pandera.pandas as pa

from steps.core.readers.groups import GROUP_RULE, is_control_name, is_group_name
from steps.core.readers.identities import MISSING_WORDS, comparable, difference
from steps.core.readers.long_table import LongTable
from steps.errors import UserError, shown

NAME_LENGTH: Final = 64
# A letter or digit of any script first (\w less the underscore), so no name is hidden, an option or a parent folder.
_NAME = re.compile(r"[^\W_][\w .\-]*")
_NAME_RULE = f"at most {NAME_LENGTH} letters, digits, spaces, _ - . beginning with a letter or digit, without '..'"
_SIGNED = re.compile(r"[-+]\d[\w .\-]*")  # a class may be -1
_LARGEST = float(np.finfo(np.float32).max)


def is_safe_name(name: str) -> bool:
    """Whether a subject, label or trial may be called this: it ends up in file names, run names and HTML."""
    return len(name) <= NAME_LENGTH and ".." not in name and _NAME.fullmatch(name) is not None


def check(table: LongTable, *, labelled: bool = True) -> None:
    """Check a long table: names, groups, time, and the range of the features (missing values are allowed here).

    Args:
        table: as read.
        labelled: whether every trial outside the control group needs a label; else all may go without.

    Raises:
        UserError: the first failure, with the file, row, column and value.
    """
    frame = table.frame.drop(columns="side") if "side" in table.frame else table.frame
    features: tuple[str, ...] = ()
    if not table.largest <= _LARGEST:  # a closer look is needed: some value is too large, infinite or missing
        features = table.features
        frame = frame.join(pd.DataFrame(table.values, columns=pd.Index(features)))
    try:
        _schema(features, labelled or _some_label(frame)).validate(frame)
    except pandera.errors.SchemaError as error:
        failure = error.failure_cases.iloc[0]
        row = int(failure["index"])
        column = error.schema.name if error.schema.name in frame else "label"
        value = frame[column].tolist()[row]
        expected = getattr(error.check, "error", None) or str(error.check)
        missing = f" (missing: {MISSING_WORDS})" if value == "" else ""
        raise UserError(f"{table.where(row)}: {column} is {shown(value)}{missing}, expected {expected}") from error
    _check_spellings(table, is_control(frame).to_numpy())
    _check_groups(table)


def _schema(features: Sequence[str], labelled: bool) -> pa.DataFrameSchema:
    safe = pa.Check(_names_are_safe, error=_NAME_RULE)
    optional = pa.Check(lambda column: _names_are_safe(column, allow_empty=True), error=_NAME_RULE)
    label = pa.Check(lambda column: _names_are_safe(column, allow_empty=True, allow_sign=True), error=_NAME_RULE)
    number = pa.Check(np.isfinite, error="a number", ignore_na=False)
    # Infinite values count as missing, which is not this schema's concern.
    single = pa.Check(
        lambda column: ~((column.abs() > _LARGEST) & np.isfinite(column)),
        error=f"a number up to {_LARGEST:.3g} (float32)",
    )
    columns = {
        "subject": pa.Column(checks=safe),
        "label": pa.Column(checks=label),
        "trial": pa.Column(checks=safe),
        "group": pa.Column(checks=pa.Check(_groups_are_known, error=GROUP_RULE)),
        "test_number": pa.Column(checks=optional),
        "time": pa.Column(float, checks=number, nullable=True),
    }
    columns |= {name: pa.Column(float, checks=single, nullable=True) for name in features}
    labels = [pa.Check(_labelled, error="a label")] if labelled else []
    return pa.DataFrameSchema(columns, checks=labels, strict=True)


def _names_are_safe(column: pd.Series, allow_empty: bool = False, allow_sign: bool = False) -> pd.Series:
    safe = [
        is_safe_name(name[1:] if allow_sign and _SIGNED.fullmatch(name) else name) or (allow_empty and not name)
        for name in column.cat.categories
    ]
    return pd.Series(np.array(safe, dtype=bool)[column.cat.codes], index=column.index)


def _groups_are_known(column: pd.Series) -> pd.Series:
    known = [is_group_name(name) for name in column.cat.categories]
    return pd.Series(np.array(known, dtype=bool)[column.cat.codes], index=column.index)


def _some_label(frame: pd.DataFrame) -> bool:
    """Whether a trial outside the control group has a label: then the others need one too."""
    return bool(((frame["label"] != "") & ~is_control(frame)).any())


def _labelled(frame: pd.DataFrame) -> pd.Series:
    return (frame["label"] != "") | is_control(frame)


def is_control(frame: pd.DataFrame) -> pd.Series:
    """Which rows belong to the control group."""
    control = [is_control_name(name) for name in frame["group"].cat.categories]
    return pd.Series(np.array(control, dtype=bool)[frame["group"].cat.codes], index=frame.index)


def _check_groups(table: LongTable) -> None:
    control = is_control(table.frame).to_numpy()
    subject = table.frame["subject"].cat.codes.to_numpy()
    both = np.intersect1d(subject[control], subject[~control])
    if len(both):
        rows = [int(np.flatnonzero((subject == both[0]) & (control == side))[0]) for side in (False, True)]
        raise UserError(
            f"subject {table.frame['subject'].cat.categories[both[0]]!r} is a patient in {table.where(rows[0])} "
            f"and a control in {table.where(rows[1])}, expected one or the other"
        )


def _check_spellings(table: LongTable, is_control: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> None:
    """Check that nobody and nothing has two names: subjects, labels of patients, trials of a subject and label.

    Raises:
        UserError: two names look like one; the message says where each is first.
    """
    frame = table.frame.drop(columns="side") if "side" in table.frame else table.frame
    nothing = np.zeros(len(frame), dtype=np.int64)
    subject, label, test = (frame[name].cat.codes.to_numpy() for name in ("subject", "label", "test_number"))
    within = pd.DataFrame({"subject": subject, "label": label, "test_number": test, "control": is_control})
    _check_one_spelling(table, "subject", pd.DataFrame({"all": nothing}), np.ones(len(frame), dtype=np.bool_))
    _check_one_spelling(table, "label", pd.DataFrame({"all": nothing}), ~is_control)
    _check_one_spelling(table, "trial", within, np.ones(len(frame), dtype=np.bool_))


def _check_one_spelling(
    table: LongTable, column: str, within: pd.DataFrame, where: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
) -> None:
    names = table.frame[column].cat.categories.tolist()
    alike: dict[str, list[int]] = defaultdict(list)
    for code, name in enumerate(names):
        if name:
            alike[comparable(name)].append(code)
    suspects = [codes for codes in alike.values() if len(codes) > 1]
    if not suspects:
        return
    group = np.full(len(names), -1)
    for number, codes in enumerate(suspects):
        group[codes] = number
    codes_of = table.frame[column].cat.codes.to_numpy()
    rows = np.flatnonzero((group[codes_of] >= 0) & where)
    spelled = within.iloc[rows].assign(group=group[codes_of[rows]], code=codes_of[rows], row=rows)
    keys = [*within.columns, "group"]
    first = spelled.drop_duplicates([*keys, "code"])
    twice = first[first.duplicated(keys, keep=False)]
    if twice.empty:
        return
    same = twice[(twice[keys] == twice[keys].iloc[0]).all(axis=1)].iloc[:2]
    (a, row_a), (b, row_b) = sorted((names[c], int(row)) for c, row in zip(same["code"], same["row"], strict=True))
    raise UserError(
        f"{column}s {shown(a)} and {shown(b)} differ only in {difference(a, b)} ({table.line(row_a)} and "
        f"{table.line(row_b)}); they look like one {column}: write one spelling throughout"
    )
