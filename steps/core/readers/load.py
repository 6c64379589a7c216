"""From what the user named to a dataset: which reader, which class is positive, which time axis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from steps.core.data.dataset import Dataset
from steps.core.readers.choice import ALL, NONE, Choice
from steps.core.readers.common_time import common_time
from steps.core.readers.fingerprint import Fingerprint
from steps.core.readers.folder import StudyFiles, read_folder, study_files
from steps.core.readers.long_table import LongTable
from steps.core.readers.parse import read_bytes, shown, shown_path
from steps.core.readers.precision import check_precision
from steps.core.readers.same_recording import ALLOW, REFUSE, same_recordings
from steps.core.readers.simulate import SIMULATED as SIMULATED
from steps.core.readers.simulate import SimulationSize, simulate
from steps.core.readers.source import locate
from steps.core.readers.suspects import check_suspects, without_empty
from steps.core.readers.table import read_table
from steps.core.readers.trials import Recording, recordings
from steps.core.readers.validate import check
from steps.errors import UserError
from steps.system.untrusted_files import check_files

AUTO: Final = "auto"
REST: Final = "rest"
_EXPECTED = "'simulated', a folder with participants/, or a .csv or .parquet table"
_PREFERRED = "fear"
_SUBJECTS_PER_CLASS = 2
_DEFAULT_SIZE = SimulationSize()


def load_source(
    source: str,
    *,
    positive_label: str = AUTO,
    timesteps: int = 0,
    max_gap: int = 0,
    trim: bool = False,
    duplicates: str = REFUSE,
    seed: int = 0,
    features: str = ALL,
    ignore: str = NONE,
    simulation: SimulationSize = _DEFAULT_SIZE,
    fingerprint: Fingerprint | None = None,
) -> Dataset:
    """The study that ``source`` names, validated, as float32 trials of one length.

    Args:
        source: ``simulated``, a folder with ``participants/``, or a ``.csv`` or ``.parquet`` table.
        positive_label: the label that becomes 1; ``auto`` takes ``fear``, else the last of two in sorted order.
        timesteps: time points per trial after resampling; 0 = as recorded, or 101 if lengths differ.
        max_gap: interpolate gaps of up to this many samples.
        trim: cut samples at a trial's start and end where a value is missing.
        duplicates: ``refuse`` or ``allow`` recordings that are there twice.
        seed: seed of the simulated study.
        features: names or globs of the columns to take as features, comma-separated, or ``all``.
        ignore: names or globs of columns to leave out, comma-separated, or ``none``.
        simulation: size of the simulated study.
        fingerprint: the files that are read are added to it: it is then the `source_fingerprint` of the very bytes that
            the dataset was made of.

    Raises:
        UserError: anything wrong with the source or the arguments, in one line.
    """
    if timesteps == 1 or timesteps < 0:
        raise UserError(f"timesteps is {timesteps}, expected 0 (as recorded) or at least 2")
    if max_gap < 0:
        raise UserError(f"max_gap is {max_gap}, expected 0 or more samples")
    choice = Choice.of(features, ignore)
    if source == SIMULATED:
        if not choice.is_everything:
            raise UserError("features and ignore choose among the columns of files, the simulated study has none")
        dataset = simulate(simulation, timesteps, seed)
        if positive_label not in (AUTO, dataset.label_names[1]):
            raise UserError(
                f"positive_label is {shown(positive_label)}, expected 'fear' or 'auto' for the simulated study"
            )
        return dataset
    path, is_folder = locate(source, _EXPECTED)
    read = read_folder if is_folder else read_table
    table, empty = without_empty(read(path, fingerprint=fingerprint, choice=choice), choice, named=True)
    check(table)
    found, notes = recordings(table, max_gap, trim=trim)
    kept = check_suspects(table, found, choice, empty)
    check_precision(table, found, choice)
    dataset = _assemble(table, found, positive_label, timesteps, [*table.notes, *kept, *notes])
    same = same_recordings(table, found, allowed=duplicates == ALLOW)
    return replace(dataset, source=source, left_out=table.left_out, notes=(*dataset.notes, *same))


def source_fingerprint(source: str) -> str:
    """SHA-256 over the names and bytes of what ``source`` names; a constant text for ``simulated``.

    Raises:
        UserError: there is no such folder or table, or it holds no trial.
    """
    if source == SIMULATED:
        return SIMULATED
    fingerprint = Fingerprint()
    files, study = _files(source)
    for path, name in files:
        fingerprint.add(name, read_bytes(path, shown_path(name)))
    if study:
        study.add_to(fingerprint)
    return fingerprint.hexdigest()


@contextmanager
def unchanged(source: str) -> Iterator[None]:
    """For a block that reads ``source``.

    Raises:
        UserError: at its end, names, sizes or times of files are not what they were at its beginning; or there is no
            such source, or it does not fit into memory.
    """
    before = _state(source)
    check_files(sum(size for _, _, size, _ in before), f"source {shown(source)}")
    yield
    if _state(source) != before:
        raise UserError(f"source {shown(source)} changed while it was read; run prepare again")


def _state(source: str) -> list[tuple[str, int, int, int]]:
    found = []
    for path, name in [] if source == SIMULATED else _files(source)[0]:
        with suppress(OSError):  # reading it is the error
            stat = path.stat()
            found.append((name, stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return found


def _files(source: str) -> tuple[list[tuple[Path, str]], StudyFiles | None]:
    """The files of a source and their names below it; and the study, where the source is a folder."""
    path, is_folder = locate(source, _EXPECTED)
    if not is_folder:
        return [(path, path.name)], None
    study = study_files(path)
    return [(file.path, file.relative) for file in study.trials], study


def _assemble(
    table: LongTable, found: Sequence[Recording], positive_label: str, timesteps: int, notes: Sequence[str]
) -> Dataset:
    patients = [trial for trial in found if not trial.is_control]
    if not patients:
        raise UserError(f"{table.origins[0]} holds control trials only, expected trials of two classes")
    label_names = _choose(sorted({trial.label for trial in patients}), positive_label)
    labels = [int(trial.label == label_names[1] and not trial.is_control) for trial in found]
    _check_subjects(patients, label_names)
    common = common_time(found, timesteps, table.has_time, table.features)
    return Dataset(
        values=common.values,
        labels=np.array(labels, dtype=np.int8),
        subjects=np.array([trial.subject for trial in found], dtype=np.str_),
        trials=np.array(trial_names(found, labels), dtype=np.str_),
        is_control=np.array([trial.is_control for trial in found], dtype=np.bool_),
        features=table.features,
        time=common.time,
        time_unit=common.time_unit,
        label_names=label_names,
        notes=(*notes, *common.notes),
        time_normalised=common.is_normalised,
        timing=common.timing,
    )


def _choose(labels: Sequence[str], positive_label: str) -> tuple[str, str]:
    """Names of the negative and the positive class, from the sorted labels of the patients."""
    listed = ", ".join(shown(label) for label in labels)
    if positive_label != AUTO and positive_label not in labels:
        raise UserError(
            f"positive_label is {shown(positive_label)}, which is no label of the data; expected one of {listed}"
        )
    if len(labels) < 2:
        raise UserError(f"the data hold one class only, {listed}; expected at least two labels")
    if positive_label == AUTO:
        if len(labels) > 2:
            raise UserError(f"the data hold {len(labels)} labels, {listed}; expected two, or positive_label set to one")
        positive_label = next((label for label in labels if label.casefold() == _PREFERRED), labels[-1])
    others = [label for label in labels if label != positive_label]
    return others[0] if len(others) == 1 else REST, positive_label


def _check_subjects(patients: Sequence[Recording], label_names: tuple[str, str]) -> None:
    positive = {trial.subject for trial in patients if trial.label == label_names[1]}
    negative = {trial.subject for trial in patients if trial.label != label_names[1]}
    for name, subjects in zip(label_names, (negative, positive), strict=True):
        if len(subjects) < _SUBJECTS_PER_CLASS:
            raise UserError(
                f"class {shown(name)} has one subject only, {shown(min(subjects))}; expected at least "
                f"{_SUBJECTS_PER_CLASS} subjects per class, to train on one and test on another"
            )


def trial_names(found: Sequence[Recording], labels: Sequence[int]) -> list[str]:
    """A name per trial, unique within subject and class: test number and label are added where needed."""
    repeats = Counter((trial.subject, trial.label, trial.trial) for trial in found)
    names = [
        f"{trial.trial}_t{trial.test_number}"
        if trial.test_number and repeats[trial.subject, trial.label, trial.trial] > 1
        else trial.trial
        for trial in found
    ]
    # Several labels may have become one class, so the label has to tell their trials apart.
    keys = [(trial.subject, label, name) for trial, label, name in zip(found, labels, names, strict=True)]
    counts = Counter(keys)
    names = [
        f"{name}_{trial.label}" if trial.label and counts[key] > 1 else name
        for trial, name, key in zip(found, names, keys, strict=True)
    ]
    final = Counter((trial.subject, label, name) for trial, label, name in zip(found, labels, names, strict=True))
    (subject, _, name), count = final.most_common(1)[0]
    if count > 1:
        raise UserError(
            f"subject {subject!r} has {count} trials called {name!r} with test number and label added; "
            "expected different names"
        )
    return names
