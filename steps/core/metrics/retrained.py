"""A permutation test that trains again for every permutation, in closed form, and is exact for that.

Where held-out probabilities are kept and only labels change places, labels have also taken part in training; such p
values are off. Here a ridge head is fitted anew for every permutation, on features that were made without labels, and
whoever is tested is left out of it. The labels of the study are then one permutation among others if they mean
nothing, so ``p <= alpha`` happens in at most ``alpha`` of all studies (Ojala & Garriga 2010, J. Mach. Learn. Res.
11:1833-1863; Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39).

A subject is scored by heads that lack, besides himself, one subject of the other class, each of those in turn: so no
head leans to either class because of who is missing (leave-pair-out: Airola et al. 2011, Comput. Stat. Data Anal.
55:1828-1844). What a head without a group of trials says of them follows from the head of all: its residuals, through
the group's block of the inverse of the bordered kernel matrix (An, Liu & Venkatesh 2007, Pattern Recognition
40:2154-2162). So there is one inverse for all permutations, and a small system for each pair of subjects.

Several heads count by how well they do for whom they leave out, under every permutation by its own labels: as the heads
of a fold do (`steps.core.models.heads`), with a line in place of the sigmoid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from scipy.stats import rankdata

from steps.core.metrics.names import POOLED, SUBJECT
from steps.core.metrics.permutation import Tested, auc_of_ranks, permuted_labels, place
from steps.core.metrics.predictions import Scores

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

PENALTY: Final = 10**0.5  # a light one of `steps.core.models.heads.PENALTIES`; docs/evaluation-checks.md
_NOTHING = 1e-6  # standard deviation of scores below which they differ by rounding, as those of constant features do
_PARTNERS = 12  # on either side, of each subject; in small studies that is everybody


def retrained_test(features: Sequence[Array], study: Scores, *, permutations: int, seed: int) -> dict[str, Tested]:
    """One-sided p values of AUC, the heads trained again for every permutation.

    Args:
        features: of the study's trials, a matrix ``(trials, features)`` for each head; no label has taken part in them.
        study: the same trials, both classes among them. Probabilities are not looked at.
        permutations: how many, as `steps.core.metrics.permutation.permuted_labels` draws them.
        seed: of the permutations.

    Returns:
        ``pooled`` (over trials) and ``subject`` (over mean scores of subjects).
    """
    labels = permuted_labels(study, permutations, seed)
    codes = np.unique(study.subjects, return_inverse=True)[1]
    scores = together(np.stack([left_out_scores(one, labels, codes) for one in features]), labels, codes.max() + 1)
    of_subjects, own_labels = _by_subject(scores, labels, codes)
    return {
        POOLED: place(auc_of_ranks(labels, rankdata(scores, axis=1)), retrained=True),
        SUBJECT: place(auc_of_ranks(own_labels, rankdata(of_subjects, axis=1)), retrained=True),
    }


def left_out_scores(features: Array, labels: Bools, codes: npt.NDArray[np.intp]) -> Array:
    """Scores of all trials by ridge heads that lack their subject and one of the other class.

    Args:
        features: shape ``(trials, features)``, standardised over the trials.
        labels: one labelling per row, shape ``(labellings, trials)``.
        codes: subject of each trial, numbered from 0, shape ``(trials,)``.

    Returns:
        Shape ``(labellings, trials)``; larger for positives. A subject with trials of both classes is left out alone,
        and so is one that has no partner of the other class.
    """
    inverse = _bordered_inverse(features)
    targets = np.where(labels, 1.0, -1.0).T
    residuals = inverse @ targets
    members = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
    positive = np.stack([labels[:, rows].mean(axis=1) for rows in members])  # (subjects, labellings)
    sums, counts = np.zeros_like(targets), np.zeros(positive.shape)
    for one, other in _pairs(len(members)):
        differ = np.flatnonzero(np.abs(positive[one] - positive[other]) == 1)
        if len(differ):
            rows = np.concatenate([members[one], members[other]])
            said = _without(inverse, residuals, targets, rows, differ)
            sums[np.ix_(rows, differ)] += said
            counts[one, differ] += 1
            counts[other, differ] += 1
    for code, rows in enumerate(members):
        alone = np.flatnonzero(counts[code] == 0)
        if len(alone):
            sums[np.ix_(rows, alone)] = _without(inverse, residuals, targets, rows, alone)
            counts[code, alone] = 1
    return np.asarray((sums / counts[codes]).T)


def together(scores: Array, labels: Bools, subjects: int) -> Array:
    """The weighted mean of the scores of several heads, each in its standard deviations.

    A head counts by how likely the labels are on the line through its scores, which may not fall, a subject being one
    observation: ``(1 - r**2) ** (-subjects / 2)``, with r the correlation of scores and labels, or 0 if it is negative.
    Scores that differ by rounding alone say nothing.

    Args:
        scores: shape ``(heads, labellings, trials)``.
        labels: one labelling per row, shape ``(labellings, trials)``.
        subjects: how many.

    Returns:
        Shape ``(labellings, trials)``.
    """
    centred = scores - scores.mean(axis=2, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=2, keepdims=True))
    if len(scores) == 1:
        return np.where(spread[0] > _NOTHING, scores[0], 0.0)
    scaled = np.where(spread > _NOTHING, centred / np.maximum(spread, _NOTHING), 0.0)
    share = labels.mean(axis=1, keepdims=True)
    standardised = (labels - share) / np.sqrt(share * (1 - share))
    correlation = np.clip((scaled * standardised).mean(axis=2), 0.0, 1 - 1e-9)
    weights = softmax(-subjects / 2 * np.log1p(-(correlation**2)), axis=0)
    return np.asarray((weights[:, :, np.newaxis] * scaled).sum(axis=0))


def _bordered_inverse(features: Array) -> Array:
    """Inverse of ``K + PENALTY * I``, bordered for the intercept, without its border; ``K`` of these features."""
    kernel = features @ features.T
    kernel[np.diag_indices_from(kernel)] += PENALTY
    inverse = np.linalg.inv(kernel)
    of_ones = inverse.sum(axis=1)
    return np.asarray(inverse - np.outer(of_ones, of_ones) / of_ones.sum())


def _without(
    inverse: Array, residuals: Array, targets: Array, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]
) -> Array:
    """What the heads fitted without these rows say of them, shape ``(rows, columns)``."""
    own = np.ix_(rows, columns)
    return np.asarray(targets[own] - np.linalg.solve(inverse[np.ix_(rows, rows)], residuals[own]))


def _pairs(subjects: int) -> list[tuple[int, int]]:
    """Each subject with some others, drawn whatever their labels; with everybody where there are few."""
    reach = min(_PARTNERS, subjects // 2)
    around = np.random.default_rng(subjects).permutation(subjects).tolist()  # names in order may be classes in order
    neighbours = (
        (around[place], around[(place + step) % subjects]) for place in range(subjects) for step in range(1, reach + 1)
    )
    return sorted({(min(pair), max(pair)) for pair in neighbours if pair[0] != pair[1]})


def _by_subject(scores: Array, labels: Bools, codes: npt.NDArray[np.intp]) -> tuple[Array, Bools]:
    """Mean scores and labels of subjects, ``(labellings, rows)``; two rows where a subject has trials of both classes.

    How many trials of each class such a subject has is the same in every labelling.
    """
    columns, own = [], []
    for code in range(codes.max() + 1):
        mine = codes == code
        truth = labels[0, mine]
        if truth.all() or not truth.any():
            columns.append(scores[:, mine].mean(axis=1))
            own.append(labels[:, np.flatnonzero(mine)[0]])
            continue
        for label in (False, True):
            chosen = labels[:, mine] == label
            columns.append((scores[:, mine] * chosen).sum(axis=1) / chosen.sum(axis=1))
            own.append(np.full(len(labels), label))
    return np.column_stack(columns), np.column_stack(own)
