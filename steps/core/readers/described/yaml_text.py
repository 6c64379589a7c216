"""YAML of strangers as plain text, lists and mappings, with the line of every key; nothing else can come out of it.

Scalars stay text: ``007`` is no number, ``no`` is no truth value, a date is no date. What a value means is for whoever
asked for it. Aliases and tags are refused, as they are what bombs are made of.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

import yaml

from steps.errors import UserError, shown

Value = str | list["Value"] | dict[str, "Value"]
Path = tuple[str | int, ...]
LARGEST: Final = 256 << 10
_DEEPEST: Final = 12


@dataclass(frozen=True)
class Document:
    """A file of YAML.

    Attributes:
        value: its content.
        lines: line of every key and item, from 1, by its path.
    """

    value: Value
    lines: dict[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int:
        """Line of a key or item, or of the nearest one around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def parse_yaml(raw: bytes, name: str) -> Document:
    """The one document that ``raw`` holds.

    Raises:
        UserError: it is too large, no UTF-8, no YAML, or holds aliases, tags or a key twice; the message calls it
            ``name`` and says the line.
    """
    if len(raw) > LARGEST:
        raise UserError(f"{name} has {len(raw):,} bytes, expected a description of at most {LARGEST:,}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{name} is not UTF-8 text: byte 0x{raw[error.start]:02x} at offset {error.start}; save it as UTF-8"
        ) from error
    try:
        events = _events(text, name)
        return _Reader(events, name).document()
    except yaml.YAMLError as error:
        raise UserError(_what_is_wrong(error, text, name)) from error


def _events(text: str, name: str) -> list[yaml.Event]:
    """What a parser sees, checked before anything is built of it."""
    events = []
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = _line(event)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise UserError(f"{name}, line {line}: holds an anchor or alias (& or *), expected the text itself; a name "
                            "that begins with * or & stands in quotes")  # fmt: skip
        if getattr(event, "tag", None) not in (None, "!"):
            raise UserError(f"{name}, line {line}: holds a tag (!), expected plain text; quote a text that begins so")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise UserError(f"{name}, line {line}: more than {_DEEPEST} levels in each other")
        events.append(event)
    return events


@dataclass
class _Reader:
    """Builds a value of events."""

    events: list[yaml.Event]
    name: str
    at: int = 0
    lines: dict[Path, int] = field(default_factory=dict)

    def document(self) -> Document:
        starts = [event for event in self.events if isinstance(event, yaml.DocumentStartEvent)]
        if not starts:
            raise UserError(f"{self.name} is empty, expected a description of the study")
        if len(starts) > 1:
            raise UserError(f"{self.name}, line {_line(starts[1])}: a second document begins, expected one")
        self.at = self.events.index(starts[0]) + 1
        value = self._value(())
        return Document(value, self.lines)

    def _text(self, event: yaml.ScalarEvent) -> str:
        text = str(event.value)
        if not text.isprintable():
            raise UserError(f"{self.name}, line {_line(event)}: {shown(text)} holds signs that cannot be printed")
        return text

    def _next(self) -> yaml.Event:
        self.at += 1
        return self.events[self.at - 1]

    def _value(self, path: Path) -> Value:
        event = self._next()
        if isinstance(event, yaml.ScalarEvent):
            return self._text(event)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Value] = []
            while not isinstance(self.events[self.at], yaml.SequenceEndEvent):
                own = (*path, len(items))
                self.lines[own] = _line(self.events[self.at])
                items.append(self._value(own))
            self.at += 1
            return items
        keys: dict[str, Value] = {}
        while not isinstance(self.events[self.at], yaml.MappingEndEvent):
            key = self._next()
            line = _line(key)
            if not isinstance(key, yaml.ScalarEvent):
                raise UserError(f"{self.name}, line {line}: a key is a list or mapping, expected a word; a text with "
                                "{ or [ at its beginning stands in quotes")  # fmt: skip
            word = self._text(key)
            if word in keys:
                raise UserError(
                    f"{self.name}, line {line}: key {shown(word)} was already given in line "
                    f"{self.lines[(*path, word)]}, expected it once"
                )
            self.lines[(*path, word)] = line
            keys[word] = self._value((*path, word))
        self.at += 1
        return keys


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _what_is_wrong(error: yaml.YAMLError, text: str, name: str) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or error).splitlines()[0]
    if mark is None:
        return f"{name} is no YAML: {problem}"
    lines = text.splitlines()
    for number in range(min(mark.line, len(lines) - 1), max(mark.line - 3, -1), -1):
        if re.match(r"\s*(?:- |[\w ]+:\s+)\s*[{\[*&!%@`]", lines[number]):
            return (
                f"{name}, line {number + 1}: {shown(lines[number].strip())} cannot be read; put the text in double "
                "quotes, as it begins with a sign that means something in YAML"
            )
    line = lines[mark.line].strip() if mark.line < len(lines) else ""
    return f"{name}, line {mark.line + 1}: {shown(line)} cannot be read as YAML: {problem}"
