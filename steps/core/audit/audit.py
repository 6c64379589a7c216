"""The whole audit of a study, as a JSON document and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from steps.core.audit.candidates import LEVEL, NAMES, ORDER, Family
from steps.core.audit.identity import Identity, identity
from steps.core.audit.shortcuts import ALPHA, PERMUTATIONS, Shortcut, Shortcuts, shortcuts
from steps.core.audit.twice import SameRecording, in_both_groups, one_person_by_name, same_recordings
from steps.core.data.dataset import Dataset

if TYPE_CHECKING:
    from steps.core.audit.leak import LeakCheck

_ORDERS: Final = (ORDER, NAMES)
_CHANCE: Final = 0.5  # AUC of guessing


@dataclass(frozen=True)
class Audit:
    """What was looked for, and what was found.

    Attributes:
        shortcuts: every value looked at, found or not.
        is_within: whether anybody has trials of both classes, so that they are compared with themselves.
        same_recordings: None where there were too many trials to compare all.
        names: names that look like one person's.
        both_groups: people in both groups of a study whose others are in one.
        identity: None in tiny studies.
        leak: where it was asked for.
        seed: of what was drawn.
    """

    shortcuts: Shortcuts
    is_within: bool
    same_recordings: list[SameRecording] | None
    names: list[tuple[str, ...]]
    both_groups: list[str]
    identity: Identity | None
    leak: LeakCheck | None
    seed: int

    @property
    def checks(self) -> int:
        """How many things were looked at: values, and recordings, names and groups."""
        return len(self.shortcuts.looked_at) + len(self.shortcuts.same_for_all) + 2 + (self.same_recordings is not None)

    @property
    def findings(self) -> int:
        """How many would make an answer worthless; not counted is what may be the effect itself, or mere order."""
        kinds = {one.candidate.kind for one in self.shortcuts.looked_at if one.is_found and is_warning(one)}
        alike = self.identity.alike if self.identity else ()
        return len(kinds) + len(self.same_recordings or ()) + len(self.names) + len(alike) + len(self.both_groups)


def is_warning(shortcut: Shortcut) -> bool:
    """Whether it would be a difference in how people were recorded.

    Levels may be the effect itself, and how somebody sorted files is in no signal.
    """
    return shortcut.candidate.family != LEVEL and shortcut.candidate.kind not in _ORDERS


def audit(dataset: Dataset, *, seed: int, with_leak_check: bool = False) -> Audit:
    """Look for whatever would make the answer of a study worthless.

    Args:
        dataset: the study, as its networks take it where that is known.
        seed: of what is drawn.
        with_leak_check: whether to compare folds of people with folds of trials.
    """
    study = dataset.select(~dataset.is_control)
    classes = np.unique(np.stack([study.subjects, study.labels.astype(np.str_)]), axis=1).shape[1]
    return Audit(
        shortcuts=shortcuts(study, seed=seed),
        is_within=classes > len(np.unique(study.subjects)),
        same_recordings=same_recordings(dataset),
        names=one_person_by_name(dataset.subjects.tolist()),
        both_groups=in_both_groups(study),
        identity=identity(study),
        leak=_leak_check(study, seed) if with_leak_check else None,
        seed=seed,
    )


def _leak_check(study: Dataset, seed: int) -> LeakCheck:
    from steps.core.audit.leak import leak_check  # imports scikit-learn, which `prepare` goes without

    return leak_check(study, seed=seed)


def does_as_well(auc: float, models: Mapping[str, float] | None) -> bool:
    """Whether a shortcut alone does as well as the models, as far as these people can tell.

    Args:
        auc: of people, by the shortcut.
        models: AUC of people by the models, ``{value, low, high}``; None where it is undefined.
    """
    return models is not None and auc >= models.get("low", models["value"])


def document(made: Audit, models: Mapping[str, float] | None = None) -> dict[str, Any]:
    """Plain numbers, strings, lists and dictionaries; what is undefined is absent.

    Args:
        made: the audit.
        models: AUC of people by the models, where there are any yet.

    Returns:
        ``checks``, ``findings`` (counts), ``alpha``, ``permutations``, ``seed``, ``within_people``; ``models_auc`` as
        given, and whether it ``beats_guessing``; ``shortcuts``: of each kind ``kind``, ``family``, ``looked_at``,
        ``warning``, ``does_as_well`` (where there are models), ``strongest`` and ``found`` (as rows of `table`);
        ``same_for_all``: kinds; ``same_recordings`` (absent where not looked for), ``names``, ``both_groups``;
        ``identity`` and ``leak_check`` where there is one.
    """
    return {
        "checks": made.checks,
        "findings": made.findings,
        "alpha": ALPHA,
        "permutations": PERMUTATIONS,
        "seed": made.seed,
        "within_people": made.is_within,
        **({"models_auc": {**models, "beats_guessing": models.get("low", _CHANCE) > _CHANCE}} if models else {}),
        "shortcuts": [_kind(rows, models) for rows in _by_kind(made.shortcuts.looked_at)],
        "same_for_all": made.shortcuts.same_for_all,
        **(
            {"same_recordings": [asdict(one) for one in made.same_recordings]}
            if made.same_recordings is not None
            else {}
        ),
        "names": [list(names) for names in made.names],
        "both_groups": made.both_groups,
        **({"identity": asdict(made.identity)} if made.identity else {}),
        **({"leak_check": {"is_a_result": False, **asdict(made.leak)}} if made.leak else {}),
    }


def table(made: Audit) -> pd.DataFrame:
    """A row per value looked at: family, kind, feature, AUC, p, corrected p, medians of the classes, found (1 or 0)."""
    return pd.DataFrame([_row(one) for one in made.shortcuts.looked_at], columns=list(_COLUMNS))


_COLUMNS: Final = (
    "family", "kind", "feature", "auc", "higher_in_positive", "p_value", "p_corrected", "median_negative",
    "median_positive", "found",
)  # fmt: skip


def _row(one: Shortcut) -> dict[str, Any]:
    family: Family = one.candidate.family
    values = (family, one.candidate.kind, one.candidate.feature, one.auc, int(one.higher_in_positive), one.p,
              one.corrected, *one.medians, int(one.is_found))  # fmt: skip
    return dict(zip(_COLUMNS, values, strict=True))


def _by_kind(looked_at: Sequence[Shortcut]) -> list[list[Shortcut]]:
    kinds: dict[str, list[Shortcut]] = {}
    for one in looked_at:
        kinds.setdefault(one.candidate.kind, []).append(one)
    return list(kinds.values())


def _kind(rows: Sequence[Shortcut], models: Mapping[str, float] | None) -> dict[str, Any]:
    """What `document` says of one kind; the strongest of ``rows`` comes first."""
    strongest = rows[0]
    found = [_row(one) for one in rows if one.is_found]
    return {
        "kind": strongest.candidate.kind,
        "family": strongest.candidate.family,
        "warning": is_warning(strongest),
        "looked_at": len(rows),
        "strongest": _row(strongest),
        "found": found,
        **({"does_as_well": bool(found) and does_as_well(strongest.auc, models)} if models else {}),
    }
