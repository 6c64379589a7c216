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
from itertools import chain

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import KFold, LeaveOneGroupOut, StratifiedGroupKFold

from steps.core.data.cross_validation import LOSO, CrossValidation
from steps.core.data.dataset import Dataset, Ints, Strings
from steps.core.data.fold import Fold
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
    folds = []
    for name, test in _outer(study, cv, seed):
        if wanted is not None and wanted.isdisjoint(test):
            continue
        is_tested = np.isin(study.subjects, test)
        tested = np.unique(study.labels[is_tested])
        for test_number in range(1, repeats + 1):
            fold_seed = derive_seed(seed, name, test_number)
            aside = _set_aside(study, is_tested, fold_seed) if cv.balanced else ()
            takes_part = ~is_tested & ~np.isin(study.subjects, aside)
            labels, names = study.labels[takes_part], study.subjects[takes_part]
            validation = _validation_subjects(labels, names, validation_fraction, fold_seed, name)
            training = sorted(set(names.tolist()) - set(validation)) + list(joining)
            folds.append(
                Fold(
                    name=name,
                    test_number=test_number,
                    test_subjects=test,
                    validation_subjects=validation,
                    training_subjects=tuple(training),
                    label=study.label_names[tested[0]] if len(tested) == 1 else "mixed",
                    seed=fold_seed,
                    set_aside_subjects=aside,
                )
            )
    return folds


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
    groups = _test_groups(stratified, study.labels, study.subjects)
    if len(groups) != count:
        plain = KFold(count, shuffle=True, random_state=seed)
        groups = [tuple(names[test].tolist()) for _, test in plain.split(names)]
    for number, test in enumerate(groups, start=1):
        yield f"fold-{number:0{len(str(count))}d}", test


def _set_aside(study: Dataset, is_tested: npt.NDArray[np.bool_], seed: int) -> tuple[str, ...]:
    """A subject of the class that the tested one is not of; nobody where it has both, or where the class is tiny."""
    tested = np.unique(study.labels[is_tested])
    if len(tested) > 1:
        return ()
    of_tested_class = np.unique(study.subjects[study.labels == tested[0]])
    others = np.setdiff1d(study.subjects, of_tested_class)
    if len(others) < _FEWEST_TO_SPARE:
        return ()
    return (str(np.random.default_rng(seed).choice(others)),)


def _validation_subjects(labels: Ints, subjects: Strings, fraction: float, seed: int, fold: str) -> tuple[str, ...]:
    """Subjects that validate, stratified where labels allow; those left to train on always have both classes."""
    names = np.unique(subjects)
    if not fraction:
        if not _has_both(labels):
            raise UserError(
                f"fold {fold} leaves {len(names)} training subjects, all of one class, so there is nothing to learn; "
                "add subjects or test fewer at a time"
            )
        return ()
    count = max(2, min(round(1 / fraction), len(names)))
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    # In a tiny study only a single subject can validate, and only one that leaves both classes.
    singles = ((str(name),) for name in np.random.default_rng(seed).permutation(names))
    first = None
    # The first split is nearly always good enough, so the others are made only when needed.
    for candidate in chain(_test_groups(splitter, labels, subjects), singles):
        validates = np.isin(subjects, candidate)
        if _has_both(labels[~validates]):
            # Prefer a validation set that sees both classes; in a tiny study there may be none.
            if _has_both(labels[validates]):
                return candidate
            first = first or candidate
    if first is None:
        raise UserError(
            f"fold {fold} leaves {len(names)} training subjects, too few to set some aside for early stopping "
            "and still train on both classes; add subjects or test fewer at a time"
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


def _has_both(labels: npt.NDArray[np.int8]) -> bool:
    return len(np.unique(labels)) == 2


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
