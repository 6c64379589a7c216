"""``study.yaml`` as read: whatever is wrong is said with its line and key."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from steps.core.data.labelling import SCORE
from steps.core.readers.choice import Choice, closest
from steps.core.readers.columns import DESCRIBED
from steps.core.readers.described import yaml_text
from steps.core.readers.described.pattern import Pattern
from steps.core.readers.described.processing import Processing
from steps.core.readers.described.schema import OWN, ROLES, Events, Group, Labels, Study, Trials, Windows
from steps.core.readers.described.steps import STEPS, Entry
from steps.core.readers.label_choice import AUTO as AUTO
from steps.core.readers.label_choice import NONE as NONE
from steps.core.readers.label_choice import LabelChoice
from steps.core.readers.simulate import SIMULATED
from steps.errors import SHOWN_PATH_LENGTH, UserError, shown, shown_path
from steps.system.untrusted_files import read_regular

FILE: Final = "study.yaml"
_IN_BRACES: Final = {name.strip("{}"): name for name in DESCRIBED}


@dataclass(frozen=True)
class Description:
    """A study's description, as read.

    Attributes:
        study: what it says.
        text: the whole of it, as it is kept.
        name: what messages call it.
        file: where it lies; None where it was given as text.
        document: for lines in messages.
    """

    study: Study
    text: str
    name: str
    file: Path | None = None
    document: yaml_text.Document = field(default_factory=lambda: yaml_text.Document({}), compare=False)

    def where(self, *path: str | int) -> str:
        """File, line and key, for a message."""
        keys = ".".join(str(key) for key in path if isinstance(key, str))
        return f"{self.name}, line {self.document.line(path)}: {keys}"

    @property
    def patterns(self) -> dict[str, list[Pattern]]:
        """Patterns of the files, by the name of their source; "" where recordings are a file each."""
        if self.study.sources:
            return {name: [Pattern(text, self.where("sources", name))] for name, text in self.study.sources.items()}
        return {"": [Pattern(text, self.where("files", i)) for i, text in enumerate(self.study.files)]}

    @property
    def processing(self) -> Processing:
        """What is done to its signals."""
        entries = self.study.process
        where = tuple(self.where("process", i, one.name) for i, one in enumerate(entries))
        return Processing(tuple(one.step for one in entries), where)

    @property
    def labels(self) -> LabelChoice:
        """What labels are; the cut-off of a score is the one it is described with, ``TSK >= 37``.

        Raises:
            UserError: keys do not go together, or fear is where that score is low.
        """
        study, score = self.study, self.study.labels and self.study.labels.score
        cut_off = AUTO if study.cut_off is None else f"{study.cut_off}"
        if study.label_kind == SCORE and score and study.cut_off is None:
            if score.sign != ">=":
                raise UserError(
                    f"{self.where('labels', 'score')} is {score}, expected {score.column} >= a number with label_kind: "
                    "score, where the answer is yes from the cut-off on"
                )
            cut_off = repr(score.number)
        order = io.StringIO()
        csv.writer(order, lineterminator="").writerow(study.label_order)
        return LabelChoice.of(study.label_kind, order.getvalue() or NONE, cut_off)

    @property
    def learning_its_score(self) -> Description:
        """The same with ``label_kind: score``: the score of its labels itself is learnt."""
        return replace(self, study=self.study.model_copy(update={"label_kind": SCORE}))

    def choice(self, given: Choice) -> Choice:
        """Which columns are wanted: those that parameters name count, and then those of the description."""
        return replace(
            given,
            features=given.features or tuple(self.study.features),
            ignore=tuple(dict.fromkeys((*given.ignore, *self.study.ignore))),
            columns=given.columns or tuple(self.study.header),
            called=tuple((_IN_BRACES.get(name, name), column) for name, column in self.study.called.items()),
        )


def names_a_file(study: str) -> bool:
    """Whether the parameter ``study`` is a path."""
    return study not in (AUTO, NONE) and not study.lstrip().startswith("{") and "\n" not in study


def find_description(source: str, study: str = AUTO) -> Description | None:
    """The description of a source.

    Args:
        source: a path.
        study: the parameter: ``auto`` for the ``study.yaml`` in the source's folder, if there is one; ``none``; a path;
            or the description itself, in braces.

    Raises:
        UserError: it cannot be read.
    """
    if study == NONE or source == SIMULATED:
        return None
    if study == AUTO:
        file = os.path.join(source, FILE)  # noqa: PTH118, no error for odd names
        return read_description(Path(file)) if os.path.isfile(file) else None  # noqa: PTH113
    if not names_a_file(study):
        return parse_description(study.encode(), "parameter study")
    file = os.path.expanduser(study)  # noqa: PTH111
    if not os.path.isfile(file):  # noqa: PTH113
        raise UserError(
            f"study is {shown(study, SHOWN_PATH_LENGTH)}, which is no file; expected a description ({FILE}), 'auto' "
            "for the one in the source's folder, or 'none'"
        )
    return read_description(Path(file))


def read_description(file: Path) -> Description:
    """A description in a file.

    Raises:
        UserError: it is no description.
    """
    return parse_description(read_regular(file, shown_path(file.name)), shown_path(file.name), file)


def parse_description(raw: bytes, name: str, file: Path | None = None) -> Description:
    """A description as bytes.

    Args:
        raw: its text.
        name: what messages call it.
        file: where it lies.

    Raises:
        UserError: it is no YAML, or says what no description says; the message names line and key.
    """
    document = yaml_text.parse_yaml(raw, name)
    if not isinstance(document.value, dict):
        raise UserError(f"{name}, line 1: holds no keys, expected files: and what else there is to say about the study")
    try:
        study = Study.model_validate(document.value)
    except ValidationError as error:
        raise UserError(_first_error(error, document, name)) from error
    description = Description(study, raw.decode("utf-8-sig"), name, file, document)
    for patterns in description.patterns.values():
        for pattern in patterns:
            _ = pattern.names
    for table, key in ((study.labels and study.labels.table, "labels"), (study.group and study.group.table, "group")):
        if table and (table.startswith("/") or ".." in table.split("/") or "\\" in table):
            raise UserError(
                f"{description.where(key, 'table')} is {shown(table)}, expected a file in the study's folder"
            )
    if study.trials and study.trials.events and study.trials.events.files != OWN:
        Pattern(study.trials.events.files, description.where("trials", "events", "files"))
    return description


def of_training(text: str) -> Description:
    """The description of a model's study, for new recordings.

    What was left out then is known to the model, and need not be there again.

    Raises:
        UserError: it is no description.
    """
    read = parse_description(text.encode(), "the description of the model's study")
    return replace(read, study=read.study.model_copy(update={"ignore": []}))


def _first_error(error: ValidationError, document: yaml_text.Document, name: str) -> str:
    """The first thing that is wrong, in one line."""
    first = min(error.errors(), key=lambda one: (one["type"] == "missing", document.line(one["loc"])))
    path = tuple(key for key in first["loc"] if key != "[key]")
    own = path if path in document.lines else path[:-1] if path[:-1] in document.lines else path
    keys = ".".join(str(key) for key in path)
    at = f"{name}, line {document.line(own)}"
    kind, value = first["type"], first["input"]
    if kind == "extra_forbidden":
        known = _keys_at(path[:-1])
        close = closest(str(path[-1]), known)
        return (
            f"{at}: key {shown(path[-1])} is not known{f' in {_dotted(path[:-1])}' if path[:-1] else ''}, expected "
            f"{', '.join(known)}" + (f"; did you mean {shown(close[0])}?" if close else "")
        )
    if kind == "literal_error":
        expected = ", ".join(ROLES) if path[0] == "columns" else first["ctx"]["expected"]
        close = closest(str(value), ROLES) if path[0] == "columns" else []
        return f"{at}: {keys} is not known, expected {expected}" + (
            f"; did you mean {shown(close[0])}?" if close else ""
        )
    if kind == "missing":
        return f"{at}: {keys} is missing"
    if kind == "value_error":
        told = str(first["ctx"]["error"])
        found = f" is {shown(value)}," if isinstance(value, str) else ""
        return f"{at}: {keys or 'the description'}{found} {told}"
    expected = _EXPECTED.get(kind, first["msg"])
    return f"{at}: {keys} is {_found(value)}, expected {expected.format(**first.get('ctx', {}))}"


_EXPECTED: Final = {
    "string_type": "text",
    "string_too_long": "at most {max_length} characters",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a number",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than_equal": "a number up to {le:g}",
    "too_short": "at least one",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "list_type": "a name or a list of names",
    "dict_type": "keys with values below it",
    "model_type": "keys with values below it",
}


def _found(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list) else shown(value)


def _dotted(path: tuple[str | int, ...]) -> str:
    return ".".join(str(key) for key in path)


def _keys_at(path: tuple[str | int, ...]) -> list[str]:
    models: dict[tuple[str | int, ...], type[BaseModel]] = {
        (): Study, ("labels",): Labels, ("group",): Group, ("trials",): Trials, ("trials", "windows"): Windows,
        ("trials", "events"): Events, ("process",): Entry, **{("process", name): step for name, step in STEPS.items()},
    }  # fmt: skip
    path = tuple(key for key in path if isinstance(key, str))
    return list(models[path].model_fields) if path in models else []
