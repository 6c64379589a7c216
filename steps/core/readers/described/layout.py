"""How the files of a folder are called: guesses a pattern with placeholders from the paths alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from steps.core.readers.described.pattern import AmbiguousError, Pattern
from steps.core.readers.groups import is_group_name

# What others write before a value: ``sub-01``, ``task-fear``.
_KEYS: Final = {
    "sub": "subject", "subj": "subject", "subject": "subject", "participant": "subject", "vp": "subject",
    "ses": "session", "session": "session", "visit": "session", "day": "session", "site": "site", "center": "site",
    "task": "label", "cond": "label", "condition": "label", "label": "label", "class": "label", "trialtype": "label",
    "run": "trial", "trial": "trial", "rep": "trial", "take": "trial", "side": "side", "hemi": "side", "group": "group",
}  # fmt: skip
_SUBJECT = re.compile(
    r"(?:sub|subj|subject|s|pp?|part|participant|vp|id|pat|patient|proband|c|hc|ctrl|control)?[-_ ]?\d+[a-z]?",
    re.IGNORECASE,
)
_SESSION = re.compile(r"(?:ses|session|visit|day|week|month)[-_ ]?\d+|pre|post|baseline|followup", re.IGNORECASE)
_SIDES: Final = {"left", "right", "l", "r"}
_LABELS: Final = 8
_KEY = re.compile(r"([A-Za-z]+)-(.+)", re.DOTALL)


@dataclass
class _Blank:
    """A place where names differ: its values in all paths, and what it may be."""

    values: list[str]
    key: str = ""
    role: str = ""

    @property
    def different(self) -> list[str]:
        """Its values, each once, in order."""
        return sorted(set(self.values))


@dataclass
class Layout:
    """A guess.

    Attributes:
        pattern: of the files.
        values: of each placeholder, each once.
        unsure: what was guessed with little reason, one sentence each.
        others: paths that it does not fit.
    """

    pattern: str
    values: dict[str, list[str]]
    unsure: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def guess(paths: Sequence[str], suffix: str = "") -> Layout:
    """The layout of files, as far as their paths tell; ``suffix`` is what all of them end in, and no blank.

    Args:
        paths: of files below a folder, at least one.
        suffix: of all of them, with what comes before it if that is the same.
    """
    depth = Counter(path.count("/") for path in paths).most_common(1)[0][0]
    own = [path for path in paths if path.count("/") == depth]
    rows = [path.removesuffix(suffix).split("/") for path in own]
    levels: list[list[str | _Blank]] = [_level([row[i] for row in rows]) for i in range(depth + 1)]
    blanks = [part for level in levels for part in level if isinstance(part, _Blank)]
    unsure = _assign(blanks)
    text = "/".join("".join(_written(part) for part in level) for level in levels) + suffix
    values = {blank.role: blank.different for blank in blanks if blank.role}
    others = [path for path in paths if path.count("/") != depth]
    for role in ("", "label", "side", "group", "session", "site", "subject"):
        if role and not (role in values and len(values[role]) <= _LABELS):
            continue
        if role:
            text = text.replace(f"{{{role}}}", f"{{{role}:{'|'.join(values[role])}}}", 1)
        if not _is_ambiguous(text, own):
            break
    return Layout(text, values, unsure, others)


def _is_ambiguous(text: str, paths: Sequence[str]) -> bool:
    pattern = Pattern(text)
    for path in paths:
        try:
            pattern.match(path)
        except AmbiguousError:
            return True
    return False


def _level(names: Sequence[str]) -> list[str | _Blank]:
    """One level of all paths: texts that are the same everywhere, and blanks."""
    if len(set(names)) == 1:
        return [names[0]]
    sign = "-" if all("-" in name for name in names) and not all("_" in name for name in names) else "_"
    rows = [name.split(sign) for name in names]
    lengths = {len(row) for row in rows}
    if lengths == {1} or (sign == "-" and max(lengths) == 2 and isinstance(_segment(list(names))[0], str)):
        return _segment(list(names))
    if len(lengths) > 1:
        rows = _aligned(rows, sign)
        if not rows:
            return [_Blank(list(names))]
    parts: list[str | _Blank] = []
    for i in range(len(rows[0])):
        parts += [*([sign] if i else []), *_segment([row[i] for row in rows])]
    return parts


def _aligned(rows: list[list[str]], sign: str) -> list[list[str]]:
    """Rows of one length, where one place of the longer ones holds several words, as in ``S1_no_fear_03``."""
    shortest = min(len(row) for row in rows)
    for place in range(shortest):
        after = shortest - 1 - place
        joint = [
            [*row[:place], sign.join(row[place : len(row) - after]), *(row[len(row) - after :] if after else [])]
            for row in rows
        ]
        words = {row[place] for row in joint}
        if len(words) <= _LABELS and not any(any(sign.isdigit() for sign in word) for word in words):
            return joint
    return []


def _segment(values: list[str]) -> list[str | _Blank]:
    if len(set(values)) == 1:
        return [values[0]]
    found = [_KEY.fullmatch(value) for value in values]
    keys = {match[1] for match in found if match}
    if all(found) and len(keys) == 1:
        (key,) = keys
        own = [match[2] for match in found if match]
        return [f"{key}-", _Blank(own, key.casefold())]
    return [_Blank(values)]


def _assign(blanks: Sequence[_Blank]) -> list[str]:
    """Give every blank its role; returns what is unsure."""
    unsure: list[str] = []
    for blank in blanks:
        blank.role = _KEYS.get(blank.key, "")
    _same(blanks)
    tests: list[tuple[str, Callable[[_Blank], bool]]] = [
        ("side", lambda one: {value.casefold() for value in one.different} <= _SIDES),
        ("group", lambda one: all(is_group_name(value) for value in one.different)),
        ("session", lambda one: len(one.different) <= _LABELS and all(_SESSION.fullmatch(v) for v in one.different)),
        ("subject", lambda one: all(_SUBJECT.fullmatch(value) for value in one.different)),
        ("label", _is_wordy),
    ]
    for role, test in tests:
        if any(blank.role == role for blank in blanks):
            continue
        fitting = [blank for blank in blanks if not blank.role and test(blank)]
        wordy = [blank for blank in blanks if not blank.role and _is_wordy(blank)]
        if role == "subject" and len(wordy) > 1 and fitting and all(v.isdigit() for v in fitting[0].values):
            continue  # people have initials, and this counts trials
        if fitting:
            chosen = min(fitting, key=lambda one: len(one.different)) if role == "label" else fitting[0]
            chosen.role = role
            _same(blanks)
            if role == "group":
                unsure.append(
                    f"{{group}} stands where it is {_some(chosen)}: a control group is never tested; if these are "
                    "the classes, write {label} there."
                )
    free = [blank for blank in blanks if not blank.role]
    if free and not any(blank.role == "subject" for blank in blanks):
        free[0].role = "subject"
        unsure.append(f"{{subject}} stands where it is {_some(free[0])}: is that the people?")
        _same(blanks)
        free = [blank for blank in blanks if not blank.role]
    few = [blank for blank in free[:-1] if 1 < len(blank.different) <= _LABELS]  # the last is the trial
    if few and not any(blank.role == "label" for blank in blanks):
        few[0].role = "label"
        unsure.append(f"{{label}} stands where it is {_some(few[0])}: are those the classes?")
        _same(blanks)
        free = [blank for blank in blanks if not blank.role]
    if free and not any(blank.role == "trial" for blank in blanks):
        free[-1].role = "trial"
        _same(blanks)
        free = [blank for blank in blanks if not blank.role]
    for blank in free:
        unsure.append(
            f"* stands where it is {_some(blank)}: if it matters, it may be {{session}}, {{site}} or {{side}}."
        )
    return unsure


def _is_wordy(blank: _Blank) -> bool:
    """Whether a few words without numbers stand there."""
    return 2 <= len(blank.different) <= _LABELS and not any(sign.isdigit() for one in blank.different for sign in one)


def _same(blanks: Sequence[_Blank]) -> None:
    """What has the same value in every path is the same thing."""
    for blank in blanks:
        twin = next((one for one in blanks if one.role and one.values == blank.values), None)
        if twin and not blank.role:
            blank.role = twin.role


def _written(part: str | _Blank) -> str:
    if isinstance(part, str):
        return part
    return f"{{{part.role}}}" if part.role else "*"


def _some(blank: _Blank) -> str:
    different = blank.different
    return ", ".join(different[:3]) + (f" … ({len(different)})" if len(different) > 3 else "")
