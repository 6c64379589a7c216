"""What the text of a parameter means, read once, at the command's boundary."""

from __future__ import annotations

import math
import re
from typing import Final, NamedTuple

from steps.errors import UserError, shown

ALL: Final = "all"
AUTO: Final = "auto"
LATEST: Final = "latest"
NONE: Final = "none"
PREVIOUS: Final = "previous"
_ADDRESS = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<place>[^/?#]*)(?P<path>[^?#]*)(\?(?P<query>[^#]*))?(#(?P<fragment>.*))?",
    re.IGNORECASE | re.DOTALL,
)
GATES: Final = ("auc", "champion", "calibration", "completeness", "audit", "signature", "rollback")
_RUN_ID = re.compile(r"[0-9a-f]{32}")


def parse_source(text: str) -> str:
    """A source as it is, if it can be recorded as it is.

    Raises:
        UserError: it is an address that holds a password or a token, or ends in something else than a digest.
    """
    return _recordable(text, "source")


def parse_model_uri(text: str) -> str:
    """Where a model is, as `parse_source`.

    Raises:
        UserError: it is an address that holds a password or a token, or ends in something else than a digest.
    """
    return _recordable(text, "model_uri")


def _recordable(text: str, name: str) -> str:
    address = _ADDRESS.fullmatch(text)
    if address is None or address["scheme"].lower() == "file":
        return text
    user = address["place"].rpartition("@")[0]
    query = [one.partition("=")[0].lower() for one in (address["query"] or "").split("&")]
    on_web = address["scheme"].lower() in ("http", "https")
    if ":" in user or (user and on_web) or set(query) - {"", "versionid"}:
        alone = f"{address['scheme']}://{address['place'].rpartition('@')[2]}{address['path']}"
        raise UserError(
            f"{name} holds a password or a token, which would be recorded; expected {alone[:200]}, with credentials in "
            f"the environment{' (FEAR_SOURCE_QUERY for what follows ?)' if on_web else ''}, as docs/prepare.md says; "
            "mlflow run has recorded what it was given, so do not use this one again"
        )
    if address["fragment"] and not address["fragment"].startswith("sha256="):
        raise UserError(f"{name} is {shown(text)}: after # stands sha256= and 64 digits, or nothing")
    return text


def _probability(text: str) -> float | None:
    """A number strictly between 0 and 1; None where the text is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0.0 < number < 1.0 else None


def parse_thresholds(text: str) -> tuple[float, ...]:
    """The thresholds in a comma-separated list, in the order given, e.g. ``"0.5,0.43,0.35"``.

    Raises:
        UserError: the list is empty, names a threshold twice, or holds something other than a number
            strictly between 0 and 1.
    """
    thresholds: list[float] = []
    for item in text.split(","):
        threshold = _probability(item)
        if threshold is None:
            raise UserError(
                f"thresholds={shown(text)}: {shown(item.strip())} is not a number between 0 and 1 "
                "(expected a list such as 0.5,0.43,0.35)"
            )
        if threshold in thresholds:
            raise UserError(f"thresholds={shown(text)}: {shown(item.strip())} is there twice")
        thresholds.append(threshold)
    return tuple(thresholds)


def parse_threshold(text: str, name: str = "threshold") -> float | None:
    """The threshold, None for ``auto``.

    Args:
        text: as the user or a tag has it.
        name: of the parameter or tag, for the message.

    Raises:
        UserError: it is neither ``auto`` nor one number strictly between 0 and 1.
    """
    threshold = _probability(text)
    if threshold is None and text != AUTO:
        raise UserError(f"{name} is {shown(text)}, expected 'auto' or a number between 0 and 1")
    return threshold


def parse_subjects(text: str) -> tuple[str, ...] | None:
    """The names in a comma-separated list, None for ``all``.

    Raises:
        UserError: there are none.
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise UserError("subjects names nothing, expected 'all' or subjects separated by commas")
    return None if text == "all" else names


def parse_class_weight(text: str) -> tuple[float, float] | None:
    """Weights of the negative and the positive class in the loss, None for ``balanced``.

    Raises:
        UserError: neither ``balanced`` nor ``none`` nor two weights, or a weight that is negative or not finite.
    """
    if text == "balanced":
        return None
    if text == "none":
        return 1.0, 1.0
    try:
        negative, positive = (float(part) for part in text.split(","))
        valid = all(map(math.isfinite, (negative, positive))) and min(negative, positive) >= 0 < max(negative, positive)
    except ValueError:
        valid = False
    if not valid:
        raise UserError(f"class_weight={shown(text)}, expected 'balanced', 'none' or two weights such as '1,2.5'")
    return negative, positive


def parse_exclude(text: str) -> tuple[tuple[str, ...], ...]:
    """Trials to leave out, from a comma-separated list; none for ``none``.

    Returns:
        For each entry ``(subject,)``, ``(subject, trial)`` or ``(subject, label, trial)``.

    Raises:
        UserError: the list is empty, or an entry has an empty part or more than three.
    """
    if text.strip() == NONE:
        return ()
    entries = [tuple(part.strip() for part in entry.split("/")) for entry in text.split(",")]
    for entry in entries:
        if not all(entry) or len(entry) > 3:
            raise UserError(
                f"exclude={shown(text)}: {shown('/'.join(entry))} names no trial; expected 'none', or subject/trial, "
                "subject/label/trial or subject, separated by commas"
            )
    return tuple(dict.fromkeys(entries))


def parse_search(text: str) -> tuple[str, ...] | None:
    """The names in a comma-separated list, None for ``all``.

    Raises:
        UserError: there are none.
    """
    return _names("search", text, ALL)


def parse_networks(text: str) -> tuple[str, ...]:
    """The names in a comma-separated list, nothing for ``none``.

    Raises:
        UserError: there are none.
    """
    return _names("networks", text, NONE) or ()


def _names(parameter: str, text: str, word: str) -> tuple[str, ...] | None:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise UserError(f"{parameter} names nothing, expected {word!r} or names separated by commas")
    return None if names == (word,) else names


class Compared(NamedTuple):
    """One side of a comparison.

    Attributes:
        name: run ID of a training, ``latest`` or ``previous``, or a baseline.
        is_training: whether it is no baseline.
    """

    name: str
    is_training: bool


def parse_runs(text: str) -> tuple[Compared, Compared]:
    """The two names in ``runs``.

    Raises:
        UserError: there are not two, they are the same, or neither is a training.
    """
    names = [name.strip() for name in text.split(",")]
    if len(names) != 2 or not all(names):
        raise UserError(
            f"runs={shown(text)}: expected two, separated by a comma: run IDs of trainings, or one and a baseline"
        )
    first, second = (Compared(name, name in (LATEST, PREVIOUS) or bool(_RUN_ID.fullmatch(name))) for name in names)
    if first == second:
        raise UserError(
            f"runs={shown(text)} names the same twice; expected two different trainings, or one and a baseline"
        )
    if not (first.is_training or second.is_training):
        raise UserError(f"runs={shown(text)}: at least one must be a training: a run ID, 'latest' or 'previous'")
    return first, second


def parse_gates(text: str) -> tuple[str, ...]:
    """The gates in a comma-separated list, in the order of `GATES`; ``none`` is an empty one.

    Raises:
        UserError: one of them is no gate.
    """
    names = [] if text.strip() == NONE else [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in GATES]:
        raise UserError(
            f"skip_gates={shown(text)}: {shown(unknown[0])} is no gate; expected some of {', '.join(GATES)}, or none"
        )
    return tuple(gate for gate in GATES if gate in names)
