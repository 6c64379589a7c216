"""From what the user named to a dataset, and the fingerprint that tells one source from another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from steps.core.data.dataset import Dataset
from steps.core.data.labelling import SCORE
from steps.core.readers.choice import EVERYTHING, Choice
from steps.core.readers.classes import AUTO, as_dataset, asked_otherwise, check_subjects
from steps.core.readers.described.description import AUTO as IN_FOLDER
from steps.core.readers.described.description import find_description
from steps.core.readers.exclude import Names, without
from steps.core.readers.files import Fingerprint, Request, Watch, not_watched
from steps.core.readers.in_parts import InParts, checked_in_parts
from steps.core.readers.label_choice import TWO, LabelChoice
from steps.core.readers.recorded import checked_trials
from steps.core.readers.resample import check_timesteps
from steps.core.readers.same_recording import ALLOW, REFUSE, same_recordings
from steps.core.readers.simulate import SIMULATED as SIMULATED
from steps.core.readers.simulate import SimulationSize
from steps.core.readers.sources import find_source
from steps.errors import UserError, shown

_DEFAULT_SIZE = SimulationSize()


def load_source(
    source: str,
    *,
    positive_label: str = AUTO,
    label_choice: LabelChoice = TWO,
    timesteps: int = 0,
    max_gap: int = 0,
    trim: bool = False,
    duplicates: str = REFUSE,
    seed: int = 0,
    choice: Choice = EVERYTHING,
    exclude: Names = (),
    simulation: SimulationSize = _DEFAULT_SIZE,
    fingerprint: Fingerprint | None = None,
    study: str = IN_FOLDER,
    watch: Watch = not_watched,
) -> Dataset:
    """The study that ``source`` names, validated, as float32 trials of one length.

    Args:
        source: a path, or the name of a study that is made up; see `steps.core.readers.sources.SOURCES`.
        positive_label: the label that becomes 1; ``auto`` takes ``fear``, else the last of two in sorted order.
        label_choice: what labels are.
        timesteps: time points per trial after resampling; 0 = as recorded, or 101 if lengths differ.
        max_gap: interpolate gaps of up to this many samples.
        trim: cut samples at a trial's start and end where a value is missing.
        duplicates: ``refuse`` or ``allow`` recordings that are there twice.
        seed: seed of the simulated study.
        choice: which columns of files are wanted.
        exclude: trials to leave out.
        simulation: size of the simulated study.
        fingerprint: the files that are read are added to it: it is then the `source_fingerprint` of the very bytes that
            the dataset was made of.
        study: the parameter that names its description.
        watch: told how far reading is.

    Raises:
        UserError: anything wrong with the source or the arguments, in one line.
    """
    check_timesteps(timesteps)
    if max_gap < 0:
        raise UserError(f"max_gap is {max_gap}, expected 0 or more samples")
    request = Request(
        choice,
        fingerprint=fingerprint or Fingerprint(),
        timesteps=timesteps,
        seed=seed,
        simulation=simulation,
        max_gap=max_gap,
        trim=trim,
        exclude=exclude,
        watch=watch,
    )
    description = find_description(source, study)
    if description:
        request = replace(request, processing=description.processing)
    if description and positive_label == AUTO:
        positive_label = description.study.positive_label or AUTO
    if description and label_choice == TWO:
        label_choice = description.labels
    elif description and label_choice == LabelChoice(SCORE):
        label_choice = description.learning_its_score.labels
    request = replace(request, label_kind=label_choice.kind)
    table = find_source(source, description=description).read(source, request)
    if isinstance(table, Dataset):
        if positive_label not in (AUTO, table.label_names[1]):
            raise UserError(
                f"positive_label is {shown(positive_label)}, expected {shown(table.label_names[1])} or 'auto' for the "
                f"{source} study"
            )
        dataset = without(asked_otherwise(table, label_choice), exclude)
        check_subjects(dataset)
        return dataset
    if isinstance(table, InParts):
        table, trials, notes = checked_in_parts(table, request, max_gap, trim=trim)
    else:
        table, trials, notes = checked_trials(table, request, max_gap, trim=trim)
    dataset = as_dataset(table, trials, positive_label, timesteps, notes, label_choice)
    if (dataset.values == dataset.values[0]).all():
        raise UserError(
            f"{table.origins[0]}: all {len(dataset.trials)} trials hold the same values; expected recordings that "
            "differ"
        )
    same = same_recordings(table, trials, allowed=duplicates == ALLOW)
    return replace(
        dataset,
        source=source,
        left_out=table.left_out,
        excluded=table.excluded,
        notes=(*dataset.notes, *same),
        description=description.text if description else "",
        example=table.example,
    )


def source_fingerprint(source: str, study: str = IN_FOLDER, watch: Watch = not_watched) -> str:
    """SHA-256 over the names and bytes of what ``source`` names; the name itself where there are no files.

    Args:
        source: a path, or the name of a study that is made up.
        study: the parameter that names its description, which counts as well.
        watch: told how far reading is.

    Raises:
        UserError: there is no such folder or table, or it holds no trial.
    """
    files = find_source(source, description=find_description(source, study)).files
    if files is None:
        return source
    fingerprint, read = Fingerprint(), files(source)
    for done, (name, path) in enumerate(read.paths.items()):
        watch(done, len(read.paths), "files")
        fingerprint.add_file(name, path)
    fingerprint.add_notes(read.notes)
    return fingerprint.hexdigest()


@contextmanager
def unchanged(source: str, study: str = IN_FOLDER) -> Iterator[None]:
    """For a block that reads ``source``.

    Args:
        source: a path, or the name of a study that is made up.
        study: the parameter that names its description.

    Raises:
        UserError: at its end, names, sizes or times of files are not what they were at its beginning; or there is no
            such source.
    """
    before = _state(source, study)
    yield
    if _state(source, study) != before:
        raise UserError(f"source {shown(source)} changed while it was read; run prepare again")


def _state(source: str, study: str) -> list[tuple[str, int, int, int]]:
    files = find_source(source, description=find_description(source, study)).files
    state = []
    for name, path in files(source).paths.items() if files else ():
        with suppress(OSError):  # reading it is the error
            stat = path.stat()
            state.append((name, stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return state
