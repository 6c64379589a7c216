"""Which file is whose: a glob with placeholders, ``sub-{subject}/*_task-{label}_run-{trial}.csv``.

``*`` is anything but ``/``, ``**`` anything, ``?`` one character. A placeholder is one or more characters but ``/``;
where one occurs twice, both are the same. ``{label:fear|no_fear}`` says what it may be: names or globs, of which the
longest that fits counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Final

from steps.core.readers.choice import closest
from steps.errors import UserError, shown, shown_path

PLACEHOLDERS: Final = ("subject", "site", "session", "label", "trial", "side", "group")
_LONGEST: Final = 400
_MOST: Final = 10
_READINGS: Final = 100
_TOKEN = re.compile(r"\{(?P<name>[^{}:]*)(?::(?P<allowed>[^{}]*))?\}|(?P<stars>\*+/?)|(?P<one>\?)|(?P<text>[^{}*?]+)")
_LABEL_FOLDER = re.compile(r"(?:^|(?<=/))\{label(?::[^{}]*)?\}/")


class AmbiguousError(Exception):
    """A path that fits in two ways: both readings."""

    def __init__(self, first: dict[str, str], second: dict[str, str]) -> None:
        super().__init__()
        self.readings = first, second


@dataclass(frozen=True)
class _Piece:
    """A part of a pattern: a regular expression, and the placeholder it stands for ("" for none).

    ``expression`` takes as little as it can, ``longest`` the same paths, but as much as it can.
    """

    expression: str
    longest: str
    name: str = ""
    is_free: bool = True


@dataclass(frozen=True)
class Pattern:
    """A glob with placeholders.

    Attributes:
        text: as the user wrote it.
        where: the description and its line, for messages.
    """

    text: str
    where: str = "files"

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            UserError: braces do not match, or a placeholder is not known.
        """
        text = self.text
        if not text or len(text) > _LONGEST or text.startswith("/") or ".." in text.split("/") or "\\" in text:
            raise UserError(
                f"{self.where}: {shown(text)} is no pattern, expected a path below the study's folder, with / between "
                f"folders, of at most {_LONGEST} characters"
            )
        if "".join(token.group() for token in _TOKEN.finditer(text)) != text:
            raise UserError(f"{self.where}: {shown(text)} has a brace without its partner, expected {{subject}}")
        for token in _TOKEN.finditer(text):
            name = token["name"]
            if name is not None and name not in PLACEHOLDERS:
                close = closest(name, PLACEHOLDERS)
                raise UserError(
                    f"{self.where}: {shown(text)} has the placeholder {{{name}}}, expected one of "
                    f"{', '.join(f'{{{one}}}' for one in PLACEHOLDERS)}"
                    + (f"; did you mean {{{close[0]}}}?" if close else "; use * for what does not matter")
                )
        if max(sum(sign in "*{?" for sign in part) for part in text.split("/")) > _MOST:
            raise UserError(
                f"{self.where}: {shown(text)} has more than {_MOST} placeholders and * in one name, expected fewer"
            )
        if re.search(r"\}\{", text):
            raise UserError(f"{self.where}: {shown(text)} has two placeholders side by side, expected a sign between")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Its placeholders, in order."""
        return tuple(dict.fromkeys(piece.name for piece in self._pieces if piece.name))

    @cached_property
    def _listed(self) -> tuple[str, ...]:
        """Those of which it is said what they may be."""
        return tuple(token["name"] for token in _TOKEN.finditer(self.text) if token["allowed"])

    @cached_property
    def without_label_folder(self) -> Pattern:
        """The same where label folders are not there."""
        return Pattern(_LABEL_FOLDER.sub("", self.text) or self.text, self.where)

    def match(self, path: str) -> dict[str, str] | None:
        """What the placeholders stand for in a path; None where it does not fit.

        Raises:
            AmbiguousError: it fits in two ways that say different things.
        """
        shortest, longest = self._expressions
        first = shortest.fullmatch(path)
        if first is None:
            return None
        second = longest.fullmatch(path)
        if second is None or first.groups() != second.groups():
            readings = list(islice(_distinct(self._readings(path)), _READINGS))
            told = [sum(len(one[name]) for name in self._listed) for one in readings]
            if told.count(max(told)) > 1:
                raise AmbiguousError(
                    *[one for one, length in zip(readings, told, strict=True) if length == max(told)][:2]
                )
            return readings[told.index(max(told))]
        return {name: value for name, value in first.groupdict().items() if not name.startswith("_")}

    @cached_property
    def _pieces(self) -> tuple[_Piece, ...]:
        pieces = []
        seen: set[str] = set()
        for token in _TOKEN.finditer(self.text):
            if (name := token["name"]) is not None:
                repeated = name in seen
                seen.add(name)
                if repeated:
                    pieces.append(_Piece(f"(?P={name})", f"(?P={name})", is_free=False))
                    continue
                globs = sorted(((token["allowed"] or "").split("|")), key=len)
                some = [_glob(one.strip()) for one in globs] if token["allowed"] else ["[^/]+?"]
                pieces.append(_Piece("|".join(some), _greedy("|".join(reversed(some))), name))
            elif stars := token["stars"]:
                below = stars.startswith("**")
                some_of = "(?:[^/]+/)*?" if below and stars.endswith("/") else ".*?" if below else "[^/]*?"
                some_of += "/" if stars == "*/" else ""
                pieces.append(_Piece(some_of, _greedy(some_of)))
            else:
                same = "[^/]" if token["one"] else re.escape(token["text"])
                pieces.append(_Piece(same, same, is_free=False))
        return tuple(pieces)

    @cached_property
    def _expressions(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        """Both take the same paths; of several readings one finds the shortest, the other the longest pieces first."""
        named = [piece.name or f"_{i}" for i, piece in enumerate(self._pieces)]
        shortest, longest = (
            "".join(
                f"(?P<{name}>{text})" if piece.is_free else text
                for name, piece, text in zip(named, self._pieces, texts, strict=True)
            )
            for texts in ([one.expression for one in self._pieces], [one.longest for one in self._pieces])
        )
        return re.compile(shortest), re.compile(longest)

    @cached_property
    def _compiled(self) -> list[re.Pattern[str] | None]:
        """Each piece for itself; None for one that is as another."""
        return [re.compile(piece.expression) if "(?P=" not in piece.expression else None for piece in self._pieces]

    def _readings(self, path: str) -> Iterator[dict[str, str]]:
        """Every way in which a path fits."""
        pieces = self._compiled

        def after(i: int, start: int, known: dict[str, str]) -> Iterator[dict[str, str]]:
            if i == len(pieces):
                if start == len(path):
                    yield known
                return
            piece, expression = self._pieces[i], pieces[i]
            if expression is None:
                value = known[piece.expression.removeprefix("(?P=").removesuffix(")")]
                if path.startswith(value, start):
                    yield from after(i + 1, start + len(value), known)
                return
            for end in range(start, len(path) + 1):
                if expression.fullmatch(path, start, end):
                    yield from after(i + 1, end, {**known, piece.name: path[start:end]} if piece.name else known)

        return after(0, 0, {})


def ambiguous(error: AmbiguousError, pattern: Pattern, path: str) -> UserError:
    """A file that fits in two ways, as a line that shows both and says what to do."""
    first, second = error.readings
    differing = [name for name in first if first[name] != second[name]]
    told = [", ".join(f"{name} {shown(reading[name])}" for name in differing) for reading in (first, second)]
    name = "label" if "label" in differing else differing[0]
    some = max(first[name], second[name], key=len)
    return UserError(
        f"{pattern.where}: {shown_path(path)} fits {shown(pattern.text, 160)} in two ways: {told[0]}; or {told[1]}; "
        f"say what {{{name}}} may be, by names or globs: {{{name}:{some}|...}}"
    )


def _distinct(readings: Iterator[dict[str, str]]) -> Iterator[dict[str, str]]:
    seen: list[dict[str, str]] = []
    for reading in readings:
        if reading not in seen:
            seen.append(reading)
            yield reading


def _greedy(expression: str) -> str:
    return expression.replace("+?", "+").replace("*?", "*")


def _glob(text: str) -> str:
    return "".join("[^/]*?" if sign == "*" else "[^/]" if sign == "?" else re.escape(sign) for sign in text)
