"""What ``study.yaml`` may say, and reading it: one line for whatever is wrong, with its line in the file and its key."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from steps.core.readers.choice import Choice, closest
from steps.core.readers.described import yaml_text
from steps.core.readers.described.pattern import Pattern
from steps.errors import SHOWN_PATH_LENGTH, UserError, shown, shown_path
from steps.system.untrusted_files import read_regular

FILE: Final = "study.yaml"
AUTO, NONE = "auto", "none"
Role = Literal["subject", "site", "session", "label", "trial", "test_number", "side", "group", "time"]
ROLES: Final[tuple[str, ...]] = get_args(Role)
_SCORE = re.compile(r"\s*(?P<column>.+?)\s*(?P<sign>>=|<=|>|<)\s*(?P<number>[-+]?\d+(?:\.\d+)?)\s*")
_COMPOSED = re.compile(r"[^{}]*\{[a-z]+\}[^{}]*(?:\{[a-z]+\}[^{}]*)*")


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


_Names = Annotated[list[str], BeforeValidator(_as_list)]
_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Score(_Strict):
    """``TSK >= 37``: whoever meets it is ``fear``, the others are ``no_fear``."""

    column: str
    sign: Literal[">=", "<=", ">", "<"]
    number: float

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, text: Any) -> Any:
        if not isinstance(text, str):
            return text
        if not (found := _SCORE.fullmatch(text)):
            raise ValueError("expected a column, a sign and a number, as in TSK >= 37")
        return found.groupdict()

    def is_met(self, score: float) -> bool:
        """Whether a score meets it."""
        return {">=": score >= self.number, "<=": score <= self.number, ">": score > self.number,
                "<": score < self.number}[self.sign]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.column} {self.sign} {self.number:g}"


class Labels(_Strict):
    """Where labels come from, where neither a path nor a column of the files says them.

    Attributes:
        table: of participants, a row each; a file below the study's folder.
        subject: its column with their names.
        column: its column with the labels; without a table, a column of the recordings.
        score: a column of numbers and a cut-off.
        names: a label as found -> its name in the study; trials with another label are left out.
    """

    table: str | None = None
    subject: str | None = None
    column: str | None = None
    score: Score | None = None
    names: dict[str, str] = {}

    @model_validator(mode="after")
    def _says_one_thing(self) -> Labels:
        if self.score and not self.table:
            raise ValueError("names a score but no table, expected table: participants.tsv")
        if self.score and self.column:
            raise ValueError("names a column and a score, expected one of them")
        if self.table and not (self.score or self.column):
            raise ValueError("names a table, expected column: (its column of labels) or score: (TSK >= 37) as well")
        if self.subject and not self.table:
            raise ValueError("names a column of subjects but no table; of recordings, it is columns: subject:")
        if not (self.column or self.score or self.names):
            raise ValueError("says nothing, expected column, score or names")
        return self


class Group(_Strict):
    """Who is the control group, by a table of participants.

    Attributes:
        table: as of `Labels`, and that by default.
        subject: its column with their names.
        column: its column with the groups.
        control: what the control group is called there.
    """

    table: str | None = None
    subject: str | None = None
    column: str
    control: _Names


class Windows(_Strict):
    """Pieces of equal length, in seconds; ``step`` from the beginning of one to the next, by default the length."""

    length: _Seconds
    step: _Seconds | None = None


class Events(_Strict):
    """Where pieces begin and end, in files of their own.

    Attributes:
        files: pattern of the files; its placeholders tell whose they are.
        subject: a column, where one file holds the events of several subjects.
        onset: the column with the beginning, in seconds.
        duration: the column with the duration, in seconds, or a number of seconds.
        offset: the column with the end.
        label: the column with the label.
        between: labels of the stretches from each event to the next, where events are marks only; ``-`` for a stretch
            that is no trial.
    """

    files: str
    subject: str | None = None
    onset: str = "onset"
    duration: str | None = None
    offset: str | None = None
    label: str | None = None
    between: _Names = []

    @model_validator(mode="after")
    def _has_an_end(self) -> Events:
        told = [name for name in ("duration", "offset", "between") if getattr(self, name)]
        if len(told) != 1:
            raise ValueError(
                f"says {' and '.join(told) or 'not where an event ends'}, expected one of duration, offset and between"
            )
        if self.between and self.label:
            raise ValueError("says label and between, expected one of them")
        return self


class Trials(_Strict):
    """How recordings are cut into trials: ``stretches`` are those of one label, where labels are a column."""

    windows: Windows | None = None
    events: Events | None = None
    stretches: bool = False

    @model_validator(mode="after")
    def _cuts(self) -> Trials:
        if not (self.windows or self.events or self.stretches):
            raise ValueError("says nothing, expected windows, events or stretches: true")
        if self.events and self.stretches:
            raise ValueError("says events and stretches, expected one of them")
        return self


class Study(_Strict):
    """All of ``study.yaml``.

    Attributes:
        files: patterns of the recordings; none where the source is a file.
        sources: name -> pattern, where a recording is several files of different rates.
        columns: what a column of the files is.
        labels: where labels come from.
        group: who is the control group.
        subject: how a subject's name is put together, ``{site}-{subject}``.
        features: names or globs of columns to take.
        ignore: names or globs of columns to leave out.
        units: name or glob of features -> unit.
        positive_label: the label that becomes class 1.
        rate: in samples per second, to which recordings are resampled.
        trials: how recordings are cut.
    """

    files: _Names = []
    sources: dict[str, str] = {}
    columns: dict[Role, str] = {}
    labels: Labels | None = None
    group: Group | None = None
    subject: str | None = None
    features: _Names = []
    ignore: _Names = []
    units: dict[str, str] = {}
    positive_label: str | None = None
    rate: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] | None = None
    trials: Trials | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Study:
        if self.files and self.sources:
            raise ValueError("says files and sources, expected one of them")
        if self.sources and not self.rate:
            raise ValueError("says sources but no rate, expected rate: (samples per second, to which all are brought)")
        if self.subject and not _COMPOSED.fullmatch(self.subject):
            raise ValueError("has a subject without a placeholder, expected subject: '{site}-{subject}'")
        if self.labels and self.labels.column and not self.labels.table and "label" in self.columns:
            raise ValueError("says the column of labels twice, in columns and in labels; expected it once")
        if self.trials and self.trials.stretches and not self.label_column:
            raise ValueError("cuts stretches of one label, but no column is the label; expected columns: label: ...")
        return self

    @property
    def label_column(self) -> str | None:
        """The column of the recordings that holds labels."""
        of_labels = self.labels.column if self.labels and not self.labels.table else None
        return self.columns.get("label") or of_labels

    @property
    def called(self) -> dict[str, str]:
        """What a column of the recordings is -> its name in the files."""
        labels = {"label": self.label_column} if self.label_column else {}
        return {**self.columns, **labels}


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

    def choice(self, given: Choice) -> Choice:
        """Which columns are wanted: those that parameters name count, and then those of the description."""
        return Choice(
            features=given.features or tuple(self.study.features),
            ignore=tuple(dict.fromkeys((*given.ignore, *self.study.ignore))),
            known=given.known,
            left_out=given.left_out,
            called=tuple(self.study.called.items()),
        )


def find_description(source: str, study: str = AUTO) -> Description | None:
    """The description of a source.

    Args:
        source: a path.
        study: the parameter: ``auto`` for the ``study.yaml`` in the source's folder, if there is one; ``none``; a path;
            or the description itself, in braces.

    Raises:
        UserError: it cannot be read.
    """
    if study == NONE:
        return None
    if study.lstrip().startswith("{") or "\n" in study:
        return parse_description(study.encode(), "study")
    if study == AUTO:
        file = os.path.join(source, FILE)  # noqa: PTH118, no error for odd names
        return read_description(Path(file)) if os.path.isfile(file) else None  # noqa: PTH113
    file = os.path.expanduser(study)  # noqa: PTH111
    if not os.path.isfile(file):  # noqa: PTH113
        raise UserError(
            f"study is {shown(study, SHOWN_PATH_LENGTH)}, which is no file; expected a description ({FILE}), 'auto' for "
            f"the one in the source's folder, or 'none'"
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
    if study.trials and study.trials.events:
        Pattern(study.trials.events.files, description.where("trials", "events", "files"))
    return description


def _first_error(error: ValidationError, document: yaml_text.Document, name: str) -> str:
    """The first thing that is wrong, in one line."""
    first = min(error.errors(), key=lambda one: document.line(one["loc"]))
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
        return f"{at}: {keys} is not known, expected {expected}" + (f"; did you mean {shown(close[0])}?" if close else "")
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
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a number",
    "greater_than": "a number above {gt:g}",
    "less_than_equal": "a number up to {le:g}",
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
        ("trials", "events"): Events,
    }  # fmt: skip
    return list(models[path].model_fields) if path in models else []
