"""Who trains, who validates, who is tested: subject-wise splits, apart from any fitting.

The outer split is leave-one-subject-out or grouped K-fold; the inner split takes the early-stopping
subjects out of the training subjects. Control subjects are never tested and never validate.

Who is left out is missing in his class: leaving out a positive subject, a model trains on one positive less than the
models that leave out a negative one, and thinks positives a little rarer. Where there is little to find that pushes
AUC far below 0.5. So a fold sets aside one subject of the other class, drawn at random, and all folds train on as many
of each (Austin et al. 2025, Science Advances, eadx6976). Docs: docs/train.md#cross-validation.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import KFold, LeaveOneGroupOut, StratifiedGroupKFold

from steps.core.data.cross_validation import LOSO, CrossValidation
from steps.core.data.dataset import Dataset, Strings
from steps.core.data.fold import Fold
from steps.core.data.stratified_groups import Indices, stratified_parts
from steps.errors import UserError, shown

_FEWEST_TO_SPARE = 3  # subjects of a class, for one of them to be set aside


def plan_folds(
    dataset: Dataset,
    *,
    cv: CrossValidation = LOSO,
    repeats: int = 1,
    subjects: Sequence[str] | None = None,
    controls: str = "exclude",
    validation_fraction: float = 0.2,
    seed: int = 0,
) -> list[Fold]:
    """All folds of a study, in the order of their names and test numbers.

    Args:
        dataset: the study.
        cv: who is tested together.
        repeats: test numbers per fold.
        subjects: those to test, None for all; the others still train. With grouped K-fold, the folds that test one of
            them.
        controls: ``exclude``, or ``negatives`` to let the control group train as negatives.
        validation_fraction: share of the training subjects that validate; 0 for none.
        seed: the study's seed.

    Raises:
        UserError: unknown subject, too many groups, no control group to join, or too few subjects for a split.
    """
    if controls == "negatives" and not dataset.is_control.any():
        raise UserError("controls=negatives, but the dataset has no control group; use controls=exclude")
    joining = tuple(np.unique(dataset.subjects[dataset.is_control]).tolist()) if controls == "negatives" else ()
    study = dataset.select(~dataset.is_control)
    wanted = _wanted_subjects(subjects, study)
    names, counts = _trials_of_classes(study)
    class_names = study.labelling.names if study.labelling and study.labelling.has_classes else study.label_names
    splits = []
    for name, test in _outer(study, cv, seed):
        if wanted is not None and wanted.isdisjoint(test):
            continue
        is_tested = np.isin(names, test)
        for test_number in range(1, repeats + 1):
            fold_seed = derive_seed(seed, name, test_number)
            aside = _set_aside(counts, is_tested, fold_seed) if cv.balanced else np.empty(0, dtype=np.intp)
            takes_part = ~is_tested
            takes_part[aside] = False
            splits.append(_Split(name, test_number, test, aside, np.flatnonzero(takes_part), fold_seed))
    folds = []
    for split, validates in zip(splits, _validation(counts, splits, validation_fraction), strict=True):
        tested = np.flatnonzero(counts[np.isin(names, split.test)].sum(axis=0))
        training = np.setdiff1d(split.takes_part, validates, assume_unique=True)
        folds.append(
            Fold(
                name=split.name,
                test_number=split.test_number,
                test_subjects=split.test,
                validation_subjects=tuple(names[validates].tolist()),
                training_subjects=(*names[training].tolist(), *joining),
                label=class_names[tested[0]] if len(tested) == 1 else "mixed",
                seed=split.seed,
                set_aside_subjects=tuple(names[split.aside].tolist()),
            )
        )
    return folds


@dataclass(frozen=True, eq=False)
class _Split:
    """A fold before anybody validates; subjects are places in the order of their names."""

    name: str
    test_number: int
    test: tuple[str, ...]
    aside: Indices
    takes_part: Indices
    seed: int


def derive_seed(seed: int, *parts: object) -> int:
    """A 31-bit seed from the study's seed and what it is for, stable over versions and machines."""
    text = "\x1f".join(str(part) for part in (seed, *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") & 0x7FFFFFFF


def _outer(study: Dataset, cv: CrossValidation, seed: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    names = np.unique(study.subjects)
    count = cv.groups
    if count is None:
        for _, test in LeaveOneGroupOut().split(study.labels, groups=study.subjects):
            subject = str(study.subjects[test[0]])
            yield subject, (subject,)
        return
    if count > len(names):
        raise UserError(f"cv={shown(str(cv))} asks for {count} folds, but only {len(names)} subjects can be tested")
    # Stratified where every class has enough trials; either way each subject is in one group.
    stratified = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    groups = _test_groups(stratified, study.strata, study.subjects)
    if len(groups) != count:
        plain = KFold(count, shuffle=True, random_state=seed)
        groups = [tuple(names[test].tolist()) for _, test in plain.split(names)]
    for number, test in enumerate(groups, start=1):
        yield f"fold-{number:0{len(str(count))}d}", test


def _trials_of_classes(study: Dataset) -> tuple[Strings, npt.NDArray[np.float64]]:
    """Names of the subjects in order, and how many trials of each class they have, shape ``(subjects, classes)``."""
    names, codes = np.unique(study.subjects, return_inverse=True)
    has_classes = study.labelling is not None and study.labelling.has_classes
    counts = np.zeros((len(names), study.labelling.width if study.labelling and has_classes else 2))
    np.add.at(counts, (codes, study.strata), 1)
    return names, counts


def _set_aside(counts: npt.NDArray[np.float64], is_tested: npt.NDArray[np.bool_], seed: int) -> Indices:
    """A subject of every class that the tested one is not of, but for tiny ones; nobody where it has several."""
    tested = np.flatnonzero(counts[is_tested].sum(axis=0))
    if len(tested) > 1:
        return np.empty(0, dtype=np.intp)
    generator = np.random.default_rng(seed)
    has = counts > 0
    alone = has.sum(axis=1) == 1
    others = [np.flatnonzero(has[:, label] & alone) for label in range(counts.shape[1]) if label != tested[0]]
    drawn = [generator.choice(some) for some in others if len(some) >= _FEWEST_TO_SPARE]
    return np.array(sorted(drawn), dtype=np.intp)


def _validation(counts: npt.NDArray[np.float64], splits: Sequence[_Split], fraction: float) -> list[Indices]:
    """Subjects that validate in each fold, stratified where labels allow; those that train always have all classes."""
    if not fraction:
        for split in splits:
            if not _has_all(counts[split.takes_part]):
                lack = "all of one class, so there is nothing to learn" if counts.shape[1] == 2 else "who lack a class"
                raise UserError(
                    f"fold {split.name} leaves {len(split.takes_part)} training subjects, {lack}; add subjects or test "
                    "fewer at a time"
                )
        return [np.empty(0, dtype=np.intp)] * len(splits)
    sizes = [max(2, min(round(1 / fraction), len(split.takes_part))) for split in splits]
    candidates: dict[int, list[Indices]] = {}
    for size in set(sizes):
        # None of these parts is of use with one class, nor could they be made with fewer trials of either.
        able = [
            place
            for place, (split, own) in enumerate(zip(splits, sizes, strict=True))
            if own == size and _has_all(counts[split.takes_part]) and counts[split.takes_part].sum(axis=0).max() >= size
        ]
        made = stratified_parts(
            [counts[splits[place].takes_part] for place in able], size, [splits[place].seed for place in able]
        )
        for place, part_of in zip(able, made, strict=True):
            takes_part = splits[place].takes_part
            candidates[place] = [own for part in range(size) if len(own := takes_part[part_of == part])]
    return [_first_of_use(counts, split, candidates.get(place, [])) for place, split in enumerate(splits)]


def _first_of_use(counts: npt.NDArray[np.float64], split: _Split, candidates: Sequence[Indices]) -> Indices:
    """The first candidate that leaves both classes to train on, one with both classes itself if there is any."""
    # In a tiny study only a single subject can validate, and only one that leaves both classes.
    singles = (np.array([one]) for one in np.random.default_rng(split.seed).permutation(split.takes_part))
    total = counts[split.takes_part].sum(axis=0)
    first = None
    for candidate in chain(candidates, singles):
        own = counts[candidate].sum(axis=0)
        if (total > own).all():
            # In a tiny study there may be no validation set that sees both classes.
            if (own > 0).all():
                return candidate
            first = candidate if first is None else first
    if first is None:
        raise UserError(
            f"fold {split.name} leaves {len(split.takes_part)} training subjects, too few to set some aside for early "
            "stopping and still train on both classes; add subjects or test fewer at a time"
        )
    return first


def _test_groups(
    splitter: StratifiedGroupKFold, labels: npt.NDArray[np.int8], subjects: npt.NDArray[np.str_]
) -> list[tuple[str, ...]]:
    with warnings.catch_warnings():
        # scikit-learn warns when a class has fewer trials than folds; such folds are kept out by the caller.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        try:
            splits: Iterable[tuple[object, npt.NDArray[np.int64]]] = list(splitter.split(labels, labels, subjects))
        except ValueError:  # more folds than trials in every class
            return []
    return [tuple(np.unique(subjects[test]).tolist()) for _, test in splits if len(test)]


def _has_all(counts: npt.NDArray[np.float64]) -> bool:
    return bool((counts.sum(axis=0) > 0).all())


def _wanted_subjects(subjects: Sequence[str] | None, study: Dataset) -> set[str] | None:
    if subjects is None:
        return None
    wanted = set(subjects)
    known = set(study.subjects.tolist())
    unknown = sorted(wanted - known)
    if unknown or not wanted:
        named = shown(unknown[0]) if unknown else "nothing"
        raise UserError(
            f"subjects names {named}, expected 'all' or some of: {', '.join(sorted(known)[:10])}"
            f"{', …' if len(known) > 10 else ''} (control subjects are never tested)"
        )
    return wanted
