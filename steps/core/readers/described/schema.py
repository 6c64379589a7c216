"""What ``study.yaml`` may say."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from steps.core.data.labelling import BINARY, LabelKind
from steps.core.readers.described.steps import Names as _Names
from steps.core.readers.described.steps import Recipe

Role = Literal["subject", "site", "session", "label", "trial", "test_number", "side", "group", "time"]
ROLES: Final[tuple[str, ...]] = get_args(Role)
_SCORE = re.compile(r"\s*(?P<column>.+?)\s*(?P<sign>>=|<=|>|<)\s*(?P<number>[-+]?\d+(?:\.\d+)?)\s*")
OWN: Final = "own"
_COMPOSED = re.compile(r"[^{}]*\{[a-z]+\}[^{}]*(?:\{[a-z]+\}[^{}]*)*")


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
    """Who is the control group.

    Attributes:
        table: of participants, by default that of `Labels`.
        subject: its column with their names.
        column: its column with the groups; where there is none, paths say the group.
        control: what the control group is called.
    """

    table: str | None = None
    subject: str | None = None
    column: str | None = None
    control: _Names


class Windows(_Strict):
    """Pieces of equal length, in seconds; ``step`` from the beginning of one to the next, by default the length."""

    length: _Seconds
    step: _Seconds | None = None


class Events(_Strict):
    """Where pieces begin and end, in files of their own or in those of the recordings.

    Attributes:
        files: pattern of the files; its placeholders tell whose they are. ``own`` for the events that recordings hold
            themselves, by name (C3D, EDF).
        subject: a column, where one file holds the events of several subjects.
        onset: the column with the beginning, in seconds.
        duration: the column with the duration, in seconds, or a number of seconds.
        offset: the column with the end.
        label: the column with the label.
        start: of own events, the names of those at which pieces begin; several are labels.
        end: the name of those at which they end, the same as ``start`` for cycles; or ``duration``.
        between: labels of the stretches from each event to the next, where events are marks only; ``-`` for a stretch
            that is no trial.
    """

    files: str
    subject: str | None = None
    onset: str = "onset"
    duration: str | None = None
    offset: str | None = None
    label: str | None = None
    start: _Names = []
    end: str | None = None
    between: _Names = []

    @model_validator(mode="after")
    def _has_an_end(self) -> Events:
        ends = ("duration", "end", "between") if self.files == OWN else ("duration", "offset", "between")
        told = [name for name in ends if getattr(self, name)]
        if len(told) != 1:
            raise ValueError(
                f"has {' and '.join(told) or 'no end of events'}, expected one of {', '.join(ends[:-1])} and {ends[-1]}"
            )
        columns = [name for name in ("subject", "offset", "label") if getattr(self, name)]
        if self.files == OWN and columns:
            raise ValueError(f"has {columns[0]}, a column, but own events have none; expected start and an end")
        if (self.files == OWN and not self.between) != bool(self.start):
            raise ValueError("expected start: (the name of an event) with files: own, and only there")
        if self.end and len(self.start) > 1:
            raise ValueError("has end and several events as start, expected a duration: (seconds)")
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
        header: names of the columns of files that have none.
        labels: where labels come from.
        group: who is the control group.
        subject: how a subject's name is put together, ``{site}-{subject}``.
        features: names or globs of columns to take.
        ignore: names or globs of columns to leave out.
        units: name or glob of features -> unit.
        positive_label: the label that becomes class 1.
        label_kind: what labels are; those below are for labels that are not binary.
        label_order: names of ordered classes, the lowest first.
        cut_off: the level or score from which on the question is answered by yes.
        process: what is done to signals, in this order: up to the first step that is about trials to whole
            recordings, before they are resampled and cut.
        rate: in samples per second, to which recordings are resampled.
        trials: how recordings are cut.
    """

    files: _Names = []
    sources: dict[str, str] = {}
    columns: dict[Role, str] = {}
    header: list[str] = []
    labels: Labels | None = None
    group: Group | None = None
    subject: str | None = None
    features: _Names = []
    ignore: _Names = []
    units: dict[str, Annotated[str, Field(max_length=64)]] = {}
    positive_label: str | None = None
    label_kind: LabelKind = BINARY
    label_order: list[str] = []
    cut_off: str | float | None = None
    process: Recipe = []
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
        if self.sources and self.trials and self.trials.events and self.trials.events.files == OWN:
            raise ValueError("says sources and own events, expected events in files of their own")
        if self.group and self.group.column and not (self.group.table or (self.labels and self.labels.table)):
            raise ValueError("has a column of groups but no table, expected group: table: participants.tsv")
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
        return {**{str(name): column for name, column in self.columns.items()}, **labels}
