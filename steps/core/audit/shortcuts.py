"""Shortcuts: can the class be told from what is not asked about?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from steps.core.audit.candidates import FAMILIES, Candidate, candidates
from steps.core.audit.exchange import Exchange, tell_apart
from steps.core.data.dataset import Dataset

ALPHA: Final = 0.05  # of any false alarm, over all values of both families
PERMUTATIONS: Final = 2000


@dataclass(frozen=True)
class Shortcut:
    """What one value tells of the class.

    Attributes:
        candidate: what it is.
        auc: of people (in designs with both classes per person: of trials within people), 0.5 to 1, whichever class has
            the higher values.
        higher_in_positive: whether that is the positive class.
        p: permutation p of this value alone.
        corrected: the same, corrected for all values looked at.
        medians: of the rows of the negative and of the positive class.
    """

    candidate: Candidate
    auc: float
    higher_in_positive: bool
    p: float
    corrected: float
    medians: tuple[float, float]

    @property
    def is_found(self) -> bool:
        """Whether it tells the classes apart beyond chance."""
        return self.corrected <= ALPHA


@dataclass(frozen=True)
class Shortcuts:
    """Of all that is known.

    Attributes:
        looked_at: values that differ at all, family by family, the one that tells most first.
        same_for_all: kinds that are the same for everybody.
    """

    looked_at: list[Shortcut]
    same_for_all: list[str]


def shortcuts(study: Dataset, *, seed: int, permutations: int = PERMUTATIONS) -> Shortcuts:
    """Test every value.

    Either family is corrected within itself, and both share the error rate by halves (Bonferroni): with hundreds of
    features a recording's length would else have to be judged by the standard of hundreds of values.

    Args:
        study: without its control group.
        seed: of the permutations.
        permutations: of the labels.
    """
    exchange = Exchange.of(study)
    if not exchange.blocks:  # of one class, or nobody
        return Shortcuts([], [])
    known, values = candidates(study, exchange)
    varying = [i for i in range(len(known)) if _varies(exchange, values[:, i])]
    parts = [[i for i in varying if known[i].family == family] for family in FAMILIES]
    families = sum(bool(columns) for columns in parts)
    found = []
    for columns in parts:
        told = tell_apart(exchange, values[:, columns], permutations=permutations, seed=seed)
        medians = [np.median(values[exchange.labels == label][:, columns], axis=0) for label in (False, True)]
        found += [
            Shortcut(
                known[i],
                auc=float(max(told.auc[n], 1 - told.auc[n])),
                higher_in_positive=bool(told.auc[n] > 0.5),
                p=float(told.p[n]),
                corrected=float(min(1.0, families * told.corrected[n])),
                medians=(float(medians[0][n]), float(medians[1][n])),
            )
            for n, i in enumerate(columns)
        ]
    order = {family: place for place, family in enumerate(FAMILIES)}
    varied = {known[i].kind for i in varying}
    return Shortcuts(
        sorted(found, key=lambda one: (order[one.candidate.family], one.corrected, -one.auc)),
        [kind for kind in dict.fromkeys(one.kind for one in known) if kind not in varied],
    )


def _varies(exchange: Exchange, values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> bool:
    """Whether a value differs within any block."""
    return any(np.ptp(values[block]) > 0 for block in exchange.blocks)
