"""Which class a trial has, and who is the control group: by what was found, by a table of participants, by a score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from steps.core.data.labelling import BINARY, SCORE, LabelKind
from steps.core.data.manifest import CONTROL, PATIENT
from steps.core.readers.described.description import Description
from steps.core.readers.described.schema import Score
from steps.core.readers.described.small_table import (
    SmallTable,
    by_subject,
    is_missing,
    number,
    read_participants,
    subject_column,
)
from steps.core.readers.identities import clean, comparable
from steps.core.readers.missing_codes import is_code_among
from steps.errors import UserError, listed, shown

FEAR, NO_FEAR = "fear", "no_fear"
LEFT_OUT: Final = "left_out"  # label of people who are left out as a whole, and need none
_PREFIX: Final = "sub-"
_SHOWN: Final = 20


@dataclass(frozen=True)
class Who:
    """Labels and groups of a described study.

    Attributes:
        labels: of subjects, where a table says them; else None: they are as found.
        groups: of subjects, where a table says them.
        names: a label as found -> as it is called in the study; empty for all as they are.
        where: the description and its line, for messages about labels.
        score: the cut-off, where labels come of one.
        scores: number of each subject.
    """

    labels: Mapping[str, str] | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    where: str = ""
    score: Score | None = None
    scores: Mapping[str, float] = field(default_factory=dict)

    def label(self, subject: str, found: str) -> str | None:
        """The label of a trial; None where it is to be left out."""
        label = found if self.labels is None else self.labels.get(subject, "")
        return self.names.get(label) if self.names and label not in ("", LEFT_OUT) else label

    def group(self, subject: str, found: str) -> str:
        """The group of a subject."""
        return self.groups.get(subject, found)

    def check(self, labels: Mapping[str, Iterable[str]]) -> None:
        """Check that the names of labels mean something, and that a cut-off leaves two classes.

        Args:
            labels: of each subject outside the control group, all labels as found, before `label`.

        Raises:
            UserError: they do not.
        """
        found = {one for some in labels.values() for one in some} if self.labels is None else set(self.labels.values())
        for name in self.names:
            if name not in found:
                raise UserError(
                    f"{self.where}: names says {shown(name)}, which is no label; there are "
                    f"{listed(sorted(found - {''}))}"
                )
        if self.score is None or self.labels is None:
            return
        counts = Counter(self.labels[subject] for subject in labels if self.labels.get(subject) in (FEAR, NO_FEAR))
        if len(counts) == 1:
            ((only, count),) = counts.items()
            values = [self.scores[subject] for subject in labels if subject in self.scores]
            raise UserError(
                f"{self.where}: {self.score} makes all {count} subjects {only!r} and 0 {_other(only)!r} "
                f"({self.score.column} goes from {min(values):g} to {max(values):g}); expected a cut-off that leaves "
                "two classes"
            )


def _other(label: str) -> str:
    return NO_FEAR if label == FEAR else FEAR


def tables_of(description: Description) -> list[str]:
    """The tables of participants that a description names, as they are called there."""
    study = description.study
    named = [study.labels and study.labels.table, study.group and study.group.table]
    return list(dict.fromkeys(name for name in named if name))


def who(
    description: Description,
    folder: Path,
    subjects: Sequence[str],
    read: Callable[[str, Path], bytes],
    *,
    labelled: bool = True,
    excused: Iterable[str] = (),
    label_kind: LabelKind = BINARY,
) -> Who:
    """Labels and groups, as a description says.

    Args:
        description: of the study.
        folder: of the study, where tables lie.
        subjects: all of them.
        read: reads a file: its name below the folder, where it lies.
        labelled: whether every subject needs a label.
        excused: subjects who need none.
        label_kind: what labels are: of a score, the score itself and not whether it meets the cut-off.

    Raises:
        UserError: a table is not there or lacks a column, or subjects lack a label or score; the message names them.
    """
    study = description.study
    tables: dict[str, SmallTable] = {}
    for name in tables_of(description):
        path = folder / name
        if not path.is_file():
            if labelled:
                raise UserError(
                    f"{description.where('labels')}: {shown(name)} is not there, expected a table in {folder}"
                )
            continue
        tables[name] = read_participants(read(name, path), name)
    groups: dict[str, str] = {}
    if (
        study.group
        and study.group.column
        and (table := tables.get(study.group.table or (study.labels and study.labels.table) or ""))
    ):
        where = description.where("group")
        found = _looked_up(table, study.group.subject, study.group.column, subjects, where)
        unknown = sorted({one for one in study.group.control if one not in found.values()})
        if unknown and labelled:
            raise UserError(
                f"{where}: control is {listed(unknown)}, which is no value of {shown(study.group.column)} in "
                f"{table.name}; it has {listed(sorted(set(found.values())))}"
            )
        groups = {one: CONTROL if value in study.group.control else PATIENT for one, value in found.items()}
    labels = study.labels
    if labels is None:
        return Who(groups=groups)
    where = description.where("labels")
    if labels.table is None:
        return Who(groups=groups, names=labels.names, where=where)
    table = tables.get(labels.table)
    if table is None:
        return Who({}, groups, labels.names, where)
    column = labels.score.column if labels.score else labels.column or ""
    cells = _looked_up(table, labels.subject, column, subjects, where)
    scores = {one: value for one, cell in cells.items() if (value := number(cell)) is not None}
    if labels.score:
        _check_codes(scores, f"{where}: {shown(column)} in {table.name}")
    needing = [one for one in subjects if groups.get(one) != CONTROL]
    lacking = [one for one in needing if (one not in scores if labels.score else is_missing(cells.get(one, "")))]
    missing = [one for one in lacking if one not in set(excused)]
    if missing and labelled:
        what = "a number" if labels.score else "a label"
        raise UserError(
            f"{where}: {len(missing)} of {len(needing)} subjects have no {shown(column)} in {table.name}: "
            f"{listed(missing, _SHOWN)}; expected {what} for everybody, or leave them out: "
            f"exclude={','.join(missing[:_SHOWN])}"
        )
    if labels.score and label_kind == SCORE:
        told = {one: repr(value) for one, value in scores.items()}
    elif labels.score:
        told = {one: FEAR if labels.score.is_met(value) else NO_FEAR for one, value in scores.items()}
    else:
        told = {one: clean([cell], "label")[0] for one, cell in cells.items()}
    told |= dict.fromkeys(lacking, LEFT_OUT if labelled else "")
    if missing:  # of new recordings some have labels: then none counts
        told = {}
    score = labels.score if label_kind == BINARY else None
    return Who(told, groups, labels.names, where, score, scores)


def _looked_up(
    table: SmallTable, given: str | None, column: str, subjects: Sequence[str], where: str
) -> dict[str, str]:
    """The cell of each subject who has a row."""
    cells = table.column(column, where)
    rows = by_subject(table, subject_column(table, given, where), where)
    bare = {name.removeprefix(_PREFIX): row for name, row in rows.items()}
    rows = {f"{_PREFIX}{name}": row for name, row in bare.items()} | bare | rows
    _check_spelling(subjects, rows, table, where)
    found = {one: cells[rows[one]] for one in subjects if one in rows}
    if not found and subjects:
        raise UserError(
            f"{where}: none of the {len(subjects)} subjects has a row in {table.name}: the study has "
            f"{listed(sorted(subjects), 3)}, the table {listed(sorted(rows), 3)}; expected the same names"
        )
    return found


def _check_spelling(subjects: Sequence[str], rows: Mapping[str, int], table: SmallTable, where: str) -> None:
    """Refuse a table that calls somebody 1 who is 01 in the study: nobody is to be lost by that."""
    alike = {comparable(name.removeprefix(_PREFIX)): name for name in rows}
    for one in subjects:
        if one not in rows and (other := alike.get(comparable(one.removeprefix(_PREFIX)))):
            raise UserError(
                f"{where}: subject {shown(one)} has no row in {table.name}, but row {table.lines[rows[other]]} has "
                f"{shown(other.removeprefix(_PREFIX))}; write the same name in both (a spreadsheet drops zeros: format "
                "the column as text)"
            )


def _check_codes(scores: Mapping[str, float], where: str) -> None:
    """Refuse a score that seems to say that there is none: whoever has it would get a label by it."""
    for one, value in scores.items():
        if is_code_among(value, {other for other in scores.values() if other != value}):
            raise UserError(
                f"{where}: {shown(one)} has {value:g}, unlike all others; does it stand for a missing number? Then "
                f"empty the cell, and leave them out: exclude={one}"
            )
