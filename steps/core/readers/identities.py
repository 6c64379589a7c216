"""Names of subjects, labels and trials: which spellings mean the same one, and which mean that there is none."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from steps.errors import shown

# What pandas, R, SQL and Excel write where there is no value, as pandas reads it. "None" is not among them for labels:
# beside "some" it is a class.
_MISSING: Final = frozenset(
    {"#N/A", "#N/A N/A", "#NA", "-NaN", "-nan", "<NA>", "N/A", "NA", "NAN", "NULL", "NaN", "NaT", "n/a", "nan", "null"}
)
_NONE: Final = "None"
MISSING_WORDS: Final = "empty, NA, N/A, NaN or null"
_ZEROS = re.compile(r"(?<![\d.])0+(?=\d)")
_BLANKS = re.compile(r"(?<!\d) | (?!\d)")  # "S 1" is "S1", but "1 1" is not "11"
_WHOLE = re.compile(r"([-+]?\d+)\.0+")
_ALIKE: Final[tuple[tuple[str, Callable[[str], str]], ...]] = (
    ("upper and lower case", str.casefold),
    ("leading zeros", lambda name: _ZEROS.sub("", name)),
    ("blanks", lambda name: _BLANKS.sub("", " ".join(name.split()))),
    ("how characters are written (Unicode)", lambda name: unicodedata.normalize("NFKC", name)),
    ("invisible characters", lambda name: "".join(c for c in name if unicodedata.category(c) not in ("Cf", "Cc"))),
)


def clean(names: Sequence[str], column: str = "") -> list[str]:
    """Identities as they are kept: accents composed, no blanks around them, whole numbers without ``.0``, "" for none.

    Args:
        names: as found in a column, or among the folders.
        column: which one; ``None`` as text is a label but no subject and no trial.
    """
    # A file system or a spreadsheet may decompose accents: the same name must stay the same subject.
    # And a stray space must not make two people of one, who would then train and be tested.
    composed = [unicodedata.normalize("NFC", name).strip() for name in names]
    missing = _MISSING if column == "label" else _MISSING | {_NONE}
    composed = ["" if name in missing else name for name in composed]
    if all(re.fullmatch(r"-?\d+(\.0+)?", name) for name in composed if name):
        return [name.partition(".")[0] for name in composed]
    return composed


def made_one(names: Sequence[str], column: str) -> list[str]:
    """What `clean` makes one of several spellings, one sentence each; missing values are no name, however written."""
    spellings: dict[str, list[str]] = defaultdict(list)
    for raw, cleaned in zip(names, clean(names, column), strict=True):
        if cleaned:
            spellings[cleaned].append(raw)
    return [
        f"Took {' and '.join(map(shown, sorted(raw)))} for one {column}." for raw in spellings.values() if len(raw) > 1
    ]


def comparable(name: str) -> str:
    """A name such that what looks like the same name is the same text.

    Upper and lower case, blanks, leading zeros of numbers, fullwidth and other forms of a character, and characters
    that cannot be seen make no difference.
    """
    for _ in range(2):  # one change may bring about another: fullwidth zeros are zeros
        for _, alike in reversed(_ALIKE):
            name = alike(name)
    name = _WHOLE.sub(r"\1", name) if _WHOLE.fullmatch(name) else name
    return name.removeprefix("+") if name[1:].isdecimal() else name


def difference(a: str, b: str) -> str:
    """What two names differ in that are comparable as one."""
    return next((what for what, alike in _ALIKE if alike(a) == alike(b)), "how they are written")
