"""Parameters from a file (``config``) or a declared set (``preset``), filled in before anything else is read.

What the command line gives wins over the file, the file over the set, the set over the defaults. MLflow fills in every
default before we see anything, so a parameter that is at its default on the command line counts as not given.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from steps.errors import UserError, shown, shown_path
from steps.parameter_types import as_text
from steps.parameters import CONFIG, NOT_IN_FILES, PARAMETERS, PRESET, PRESETS, RENAMED, STEPS, Value

_RECORDED_AS: Final = "config.yaml"


@dataclass(frozen=True)
class Filled:
    """Parameters of an entry point, complete.

    Attributes:
        given: all of them; ``config`` and ``preset`` are done with and at their defaults.
        files: what is recorded with the run, by its name: the file as it was.
        notes: what was taken from where, one line each.
    """

    given: dict[str, Any]
    files: dict[str, bytes]
    notes: tuple[str, ...]


def filled(entry_point: str, given: Mapping[str, Any]) -> Filled:
    """Parameters with those of a file and of a set filled in.

    Args:
        entry_point: whose parameters; a file may hold those of others, too, which are passed over.
        given: by the command line, complete.

    Raises:
        UserError: there is no such file or set, or it holds what is no parameter; the message names line and key.
    """
    known = STEPS[entry_point].parameters
    if CONFIG not in known:
        return Filled(dict(given), {}, ())
    config, preset = str(given[CONFIG]), str(given[PRESET])
    raw = b"" if config == PARAMETERS[CONFIG].default else _read(config)
    of_file = _parameters(raw, shown_path(Path(config).name)) if raw else {}
    preset = str(of_file.pop(PRESET, preset)) if preset == PARAMETERS[PRESET].default else preset
    of_preset = {} if preset == PARAMETERS[PRESET].default else dict(PRESETS[preset].parameters)
    values, notes = dict(given), []
    for name, source in ((f"config {shown_path(config)}", of_file), (f"preset {preset}", of_preset)):
        taken = {one: value for one, value in source.items() if one in known and _is_free(one, values)}
        others = {one for one in source if one in known} - taken.keys()
        said = ", ".join(f"{one}={as_text(value)}" for one, value in taken.items())
        unused = f" (given otherwise: {', '.join(sorted(others))})" if others else ""
        notes += [f"{name}: {said or 'nothing'}{unused}"] if source else []
        values |= taken
    values |= {CONFIG: PARAMETERS[CONFIG].default, PRESET: PARAMETERS[PRESET].default}
    return Filled(values, {_RECORDED_AS: raw} if raw else {}, tuple(notes))


def _is_free(name: str, values: Mapping[str, Any]) -> bool:
    return bool(values[name] == PARAMETERS[name].default)


def _read(config: str) -> bytes:
    path = Path(config).expanduser()
    if not path.exists():
        raise UserError(f"config={shown(config)} does not exist, expected a file of parameters, or 'none'")
    from steps.system.untrusted_files import read_regular  # imports pyarrow

    raw = read_regular(path, shown_path(path.name))
    if not raw.strip():
        raise UserError(f"{shown_path(path.name)} is empty, expected parameters, one in a line (name: value)")
    return raw


def _parameters(raw: bytes, name: str) -> dict[str, Value]:
    """What a file holds, each as a value of its parameter."""
    from steps.core.readers.described.yaml_text import parse_yaml  # imports YAML, which most commands go without

    document = parse_yaml(raw, name)
    if not isinstance(document.value, dict):
        raise UserError(f"{name}, line 1: holds no parameters, expected one in a line (name: value)")
    found: dict[str, Value] = {}
    for key, value in document.value.items():
        where = f"{name}, line {document.line((key,))}"
        own = RENAMED.get(key, key)
        if own not in PARAMETERS:
            close = difflib.get_close_matches(key, PARAMETERS, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise UserError(f"{where}: {shown(key)} is no parameter of any entry point{hint}")
        if own in NOT_IN_FILES:
            raise UserError(f"{where}: {own} belongs on the command line; leave it out of the file")
        try:
            found[own] = PARAMETERS[own].parse(_text(value, where, key))
        except click.BadParameter as error:
            raise UserError(f"{where}: {error.message}") from error
    return found


def _text(value: Any, where: str, key: str) -> str:
    """A value as a command line takes it; a list is one of commas."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ",".join(value)
    raise UserError(f"{where}: {key} holds keys of its own, expected a value or a list of values")
