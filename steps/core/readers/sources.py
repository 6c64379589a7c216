"""Where recordings may come from: one row per kind of source, for both ``prepare`` and ``predict``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from steps.core.data.dataset import Dataset
from steps.core.readers.described.description import FILE, Description
from steps.core.readers.described.read import described_files, read_described
from steps.core.readers.files import Request, SourceFiles
from steps.core.readers.folder import read_folder
from steps.core.readers.in_parts import InParts
from steps.core.readers.long_table import LongTable
from steps.core.readers.not_read import describe
from steps.core.readers.simulate import SIMULATED, simulate
from steps.core.readers.table import TABLES, is_file, read_table
from steps.core.readers.trial_files import PARTICIPANTS, study_files
from steps.errors import SHOWN_PATH_LENGTH, UserError, shown
from steps.system.untrusted_files import what_it_is


@dataclass(frozen=True)
class Source:
    """One kind of source.

    Attributes:
        expected: what messages call it.
        matches: whether a source is of this kind, by its path; nothing is opened.
        files: the files of such a source; None for a study that is made up.
        read: reads it as a long table, which is checked afterwards, a study to train on perhaps in parts; or as a
            dataset, which is taken as it is.
    """

    expected: str
    matches: Callable[[str], bool]
    files: Callable[[str], SourceFiles] | None
    read: Callable[[str, Request], LongTable | InParts | Dataset]


def _simulated(_source: str, request: Request) -> Dataset:
    if not request.choice.is_everything:
        raise UserError("features, ignore and columns choose and name columns of files, the simulated study has none")
    return simulate(request.simulation, request.timesteps, request.seed, label_kind=request.label_kind)


def of_description(description: Description) -> Source:
    """A source with a description of its own."""
    return Source(
        expected=f"a folder with {FILE}",
        matches=os.path.exists,
        files=lambda source: described_files(source, description),
        read=lambda source, request: read_described(source, description, request),
    )


SOURCES: Final[Mapping[str, Source]] = {
    "simulated": Source(
        expected=f"'{SIMULATED}'",
        matches=lambda source: source == SIMULATED,
        files=None,
        read=_simulated,
    ),
    "folder": Source(
        expected=f"a folder with {PARTICIPANTS}/ or {FILE}",
        matches=os.path.isdir,
        files=lambda source: study_files(Path(source)).files,
        read=lambda source, request: read_folder(Path(source), request),
    ),
    "table": Source(
        expected=f"a table ({', '.join(suffix for suffix in TABLES if suffix == '.csv.gz' or '.gz' not in suffix)})",
        matches=lambda source: is_file(source, TABLES),
        files=lambda source: SourceFiles({Path(source).name: Path(source)}),
        read=lambda source, request: read_table(Path(source), request),
    ),
}


def one_of(expected: Sequence[str]) -> str:
    """Kinds of sources as a message lists them."""
    return f"{', '.join(expected[:-1])}, or {expected[-1]}"


EXPECTED: Final = one_of([kind.expected for kind in SOURCES.values()])


def find_source(source: str, expected: str = EXPECTED, description: Description | None = None) -> Source:
    """The kind of a source; nothing is opened.

    Args:
        source: a path, or ``simulated``.
        expected: what messages say a source may be.
        description: of the study, where there is one.

    Raises:
        UserError: there is no such file or folder, or it is of no kind that is read.
    """
    if description and (Path(source).is_dir() or Path(source).is_file()):
        return of_description(description)
    name = f"source {shown(source, SHOWN_PATH_LENGTH)}"
    kind = next((kind for kind in SOURCES.values() if kind.matches(source)), None)
    if kind:
        return kind
    try:
        mode = Path(source).stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(f"{name} does not exist, expected {expected}") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(f"{name} cannot be opened: {reason}; expected {expected}") from error
    if special := what_it_is(mode):
        raise UserError(f"{name} is {special}, expected {expected}")
    if described := describe(source):
        raise UserError(f"{name} is {described}; expected {expected}")
    suffix = os.path.splitext(Path(source).name)[1]  # noqa: PTH122, Path has none for '.csv'
    raise UserError(f"{name} ends in {shown(suffix)}, expected {expected}")
