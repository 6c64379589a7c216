"""The gates between challenger and champion: each looks at numbers that were recorded, and says yes or no."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from steps.configuration import Promote
from steps.core.metrics.comparable import check_comparable
from steps.core.metrics.not_worse import paired_difference
from steps.errors import UserError, shown
from steps.parameter_values import GATES
from steps.promote.evidence import Evidence, metric
from steps.tracking.promotion import Trail

PASSED, FAILED, NOT_JUDGED, SKIPPED = "passed", "failed", "not judged", "skipped"
_SHOWN: Final = 60


@dataclass(frozen=True)
class Gate:
    """What a gate says.

    Attributes:
        name: one of `GATES`.
        outcome: passed, failed, skipped, or not judged, which is no pass: what should be looked at is not there.
        said: in a sentence.
        value: the number that was looked at; None where there is none.
        limit: what it was held against.
    """

    name: str
    outcome: str
    said: str
    value: float | None = None
    limit: float | None = None

    @property
    def lets_pass(self) -> bool:
        """Whether it does not stand in the way."""
        return self.outcome in (PASSED, SKIPPED)


@dataclass(frozen=True)
class Candidate:
    """Who is judged, and beside whom.

    Attributes:
        challenger: the version that may become the champion.
        champion: the version that is; None while there is none.
        trail: what was decided before.
    """

    challenger: Evidence
    champion: Evidence | None
    trail: Trail


def judge(candidate: Candidate, limits: Promote) -> list[Gate]:
    """What every gate says, in the order of `GATES`."""
    return [_judged(name, candidate, limits) for name in GATES]


def _judged(name: str, candidate: Candidate, limits: Promote) -> Gate:
    if name in limits.skip_gates:
        return Gate(name, SKIPPED, "not looked at: skip_gates names it")
    try:
        return _GATES[name](candidate, limits)
    except UserError as error:
        return Gate(name, NOT_JUDGED, str(error))


def _gate(name: str, *, passed: bool, said: str, value: float | None = None, limit: float | None = None) -> Gate:
    return Gate(name, PASSED if passed else FAILED, said, value, limit)


def _auc(candidate: Candidate, limits: Promote) -> Gate:
    run, limit = candidate.challenger.evaluation, limits.min_auc
    value = metric(run, "subject/auc")
    if "subject/auc_low" not in run.data.metrics:
        raise UserError(f"AUC of subjects, {value:.3f}, has no interval: there are too few subjects of a class")
    low, high = metric(run, "subject/auc_low"), metric(run, "subject/auc_high")
    _ = candidate.challenger.scores  # the predictions on record are those that gave this number
    said = f"AUC of subjects {value:.3f} [{low:.3f}, {high:.3f}], its interval has to lie above {limit:g}"
    return _gate("auc", passed=low > limit, said=said, value=low, limit=limit)


def _champion(candidate: Candidate, limits: Promote) -> Gate:
    if candidate.champion is None:
        lost = candidate.trail.broken_off
        if lost is not None and lost.version != candidate.challenger.reference.version:
            raise UserError(
                f"the alias is gone, which the decision of {lost.at} gave to version {lost.version}: there is nobody "
                "to compare with; set it again, or, if you answer for it, skip_gates=champion"
            )
        return Gate("champion", PASSED, "there is no champion yet", limit=-limits.margin)
    challenger, champion = candidate.challenger, candidate.champion
    try:
        check_comparable(challenger.method, champion.method)
    except UserError as error:
        raise UserError(
            f"not comparable with {champion.reference.uri}: {str(error).removeprefix('runs: ')}; run the study again "
            "with the champion's settings on this data and promote that first, or, if you answer for it, "
            "skip_gates=champion"
        ) from error
    try:
        found = paired_difference(challenger.scores, champion.scores)
    except ValueError as error:
        raise UserError(f"not comparable with {champion.reference.uri}: {error}") from error
    said = (
        f"AUC of subjects {found.first:.3f}, of the champion {found.second:.3f} (version "
        f"{champion.reference.version}): worse by at most {max(0.0, -found.low):.3f} (one-sided 95% bound, "
        f"{found.subjects} subjects), allowed is {limits.margin:g}"
    )
    if found.smallest_margin > limits.margin and found.low <= -limits.margin:
        said += f"; so few subjects can show nothing below {found.smallest_margin:.3f}, whatever the models are"
    return _gate("champion", passed=found.low > -limits.margin, said=said, value=found.low, limit=-limits.margin)


def _calibration(candidate: Candidate, limits: Promote) -> Gate:
    value, limit = metric(candidate.challenger.evaluation, "pooled/ece"), limits.max_calibration_error
    said = f"expected calibration error over trials {value:.3f}, allowed is {limit:g}"
    return _gate("calibration", passed=value <= limit, said=said, value=value, limit=limit)


def _completeness(candidate: Candidate, limits: Promote) -> Gate:
    run, limit = candidate.challenger.attribution, limits.max_completeness_error
    value = metric(run, "completeness_error_max")
    said = f"largest completeness error of an attribution {value:.2g} of the output change, allowed is {limit:g}"
    return _gate("completeness", passed=value <= limit, said=said, value=value, limit=limit)


def _audit(candidate: Candidate, limits: Promote) -> Gate:
    value = metric(candidate.challenger.evaluation, "audit_findings")
    said = f"{value:.0f} finding{'s' * (value != 1)} of the audit, allowed is none"
    if value:
        said += "; the report says which"
    return _gate("audit", passed=value == 0, said=said, value=value, limit=0.0)


def _signature(candidate: Candidate, limits: Promote) -> Gate:
    new = candidate.challenger.signature
    if candidate.champion is None:
        return Gate("signature", PASSED, "there is no champion yet; files are those that were recorded")
    old = candidate.champion.signature
    if changed := [name for name in new if not _same(name, old.get(name), new[name])]:
        first = changed[0]
        more = f", and {len(changed) - 1} more" if len(changed) > 1 else ""
        text = f"{first} changed from {shown(old.get(first), _SHOWN)} to {shown(new[first], _SHOWN)}{more}"
        return Gate("signature", FAILED, f"{text}: whoever calls the champion would have to be told")
    return Gate("signature", PASSED, "in- and output, features, units, time and labels are the champion's")


def _same(name: str, old: object, new: object) -> bool:
    """Whether a part of the signature is the champion's; parameters may be more, as each has a default."""
    if name == "params" and isinstance(old, list) and isinstance(new, list):
        return all(parameter in new for parameter in old)
    return old == new


def _rollback(candidate: Candidate, limits: Promote) -> Gate:
    version = candidate.challenger.reference.version
    if entry := candidate.trail.withdrawn(version):
        said = f"version {version} was the champion and was rolled back by {entry.by} on {entry.at}"
        return Gate("rollback", FAILED, said)
    return Gate("rollback", PASSED, "was never rolled back")


_GATES: Final[Mapping[str, Callable[[Candidate, Promote], Gate]]] = {
    "auc": _auc,
    "champion": _champion,
    "calibration": _calibration,
    "completeness": _completeness,
    "audit": _audit,
    "signature": _signature,
    "rollback": _rollback,
}
