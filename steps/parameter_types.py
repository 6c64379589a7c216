"""What a parameter is: its type, its bounds, and what is said of a value that is not like that."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import click

from steps.errors import shown

Value = str | int | float | bool
# MLflow's tags and parameters hold a few thousand characters. A longer list of subjects is recorded as a file.
TEXT_LENGTH: Final = 4000


class _Said(click.ParamType[Any]):
    """Refuses a value in one line: what it is, and what was expected."""

    parameter: Parameter

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value, of its type and within its bounds."""
        try:
            if isinstance(value, str):
                _check_text(value, self.parameter)
            return super().convert(value, param, ctx)
        except (click.BadParameter, ValueError) as error:
            reason = str(error) if isinstance(error, _UnfitError) else f"expected {self.parameter.expected}"
            self.fail(f"{self.parameter.name} is {shown(value)}, {reason}", param, ctx)


class _UnfitError(ValueError):
    """Says what is wrong with a text of any kind."""


def _check_text(text: str, parameter: Parameter) -> None:
    if len(text) > parameter.longest:
        raise _UnfitError(f"which has {len(text)} characters; expected at most {parameter.longest}")
    is_number = isinstance(parameter.default, int | float)
    if is_number and (not text.isascii() or "_" in text):  # Python would read 1_0 as 10
        raise ValueError
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise _UnfitError("which holds characters that are none; expected text in UTF-8")


class _Text(_Said, click.types.StringParamType):
    """Text."""


class _Switch(_Said, click.types.BoolParamType):
    """true or false."""


class _Choice(_Said, click.Choice[str]):
    """One of several words."""


class _Finite(_Said, click.FloatRange):
    """Numbers within their bounds; not-a-number is within none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{self.parameter.name} is {shown(value)}, expected {self.parameter.expected}", param, ctx)
        return number


class _Whole(_Said, click.IntRange):
    """Whole numbers, also spelled ``3.0``: MLproject has no integers, only floats."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, within its bounds."""
        whole: Any = re.sub(r"\.0+$", "", value) if isinstance(value, str) else value
        return super().convert(whole, param, ctx)


@dataclass(frozen=True)
class Parameter:
    """One parameter: its name, its default (which fixes its type) and one line of help.

    Attributes:
        name: of the option and in MLproject.
        default: its type is the parameter's.
        help: one line.
        choices: of a text, all that is allowed.
        minimum: of a number.
        maximum: of a number: what no study needs, and a typing mistake or a prank may ask for.
        longest: of a text, in characters.
        is_folder: whether MLproject has it as a path.
        read: of a text that means something else, what makes that of it; it raises UserError.
    """

    name: str
    default: Value
    help: str
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    longest: int = TEXT_LENGTH
    is_folder: bool = False
    read: Callable[[str], Any] | None = None

    @property
    def mlproject_type(self) -> str:
        """The MLproject type: MLflow knows no integers and no booleans."""
        if self.is_folder:
            return "path"
        if isinstance(self.default, int | float) and not isinstance(self.default, bool):
            return "float"
        return "string"

    @property
    def expected(self) -> str:
        """Which values it takes, as text."""
        if isinstance(self.default, bool):
            return "true or false"
        if not isinstance(self.default, int | float):
            return f"one of {', '.join(self.choices)}" if self.choices else "text"
        kind = "a whole number" if isinstance(self.default, int) else "a number"
        bounds = [f"{word} {bound:g}" if abs(bound) < 1e6 else f"{word} {bound:.0f}"
                  for word, bound in (("from", self.minimum), ("to", self.maximum)) if bound is not None]  # fmt: skip
        return " ".join([kind, *bounds])

    def parse(self, value: object) -> Value:
        """A value given as text or typed, as the type of the default.

        Raises:
            click.BadParameter: it is not of that type, or out of bounds.
        """
        return self.click_type().convert(value, None, None)  # type: ignore[no-any-return]

    def value(self, given: Value) -> Any:
        """What a parsed value means: itself, unless ``read`` makes something else of it.

        Raises:
            UserError: it means nothing.
        """
        return self.read(str(given)) if self.read else given

    def click_type(self) -> click.ParamType[Any]:
        """The type the command line checks, with its bounds."""
        made: _Said
        if isinstance(self.default, bool):
            made = _Switch()
        elif isinstance(self.default, int):
            made = _Whole(
                None if self.minimum is None else int(self.minimum),
                None if self.maximum is None else int(self.maximum),
            )
        elif isinstance(self.default, float):
            made = _Finite(self.minimum, self.maximum)
        else:
            made = _Choice(self.choices) if self.choices else _Text()
        made.parameter = self
        return made


def as_text(value: Value) -> str:
    """A value as a command line takes it; `Parameter.parse` reads it back."""
    return str(value).lower() if isinstance(value, bool) else str(value)
