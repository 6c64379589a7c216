"""What a reader is asked for, which files it reads, and the fingerprint of these."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from steps.core.data.labelling import BINARY, LabelKind
from steps.core.readers.choice import EVERYTHING, Choice
from steps.core.readers.described.processing import Processing
from steps.core.readers.simulate import SimulationSize
from steps.errors import shown_path
from steps.system.untrusted_files import open_regular

_BLOCK: Final = 1 << 20

# Takes how much is read, of how much, and of what: files, or MB.
Watch = Callable[[float, float, str], None]


def not_watched(_done: float, _of: float, _unit: str) -> None:
    """Nobody looks at how far it is."""


class Fingerprint:
    """SHA-256 over names and bytes of files, in the order in which they are added."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()

    def add(self, name: str, raw: bytes) -> None:
        """Add a file: its name below the source, and what it holds."""
        self._add_length_and(name.encode("utf-8", "surrogateescape"))
        self._add_length_and(raw)

    def add_file(self, name: str, path: Path) -> None:
        """Add a file as `add` does, without holding it.

        Raises:
            UserError: it cannot be read.
        """
        self._add_length_and(name.encode("utf-8", "surrogateescape"))
        with open_regular(path, shown_path(name)) as file:
            self._sha.update(os.fstat(file.fileno()).st_size.to_bytes(8, "little"))
            while block := file.read(_BLOCK):
                self._sha.update(block)

    def _add_length_and(self, part: bytes) -> None:
        self._sha.update(len(part).to_bytes(8, "little"))
        self._sha.update(part)

    def add_notes(self, notes: Sequence[str]) -> None:
        """Let what is not read count, after the files: what a dataset says about it has to be true."""
        for note in notes:
            self.add("not read", note.encode("utf-8", "surrogateescape"))

    def hexdigest(self) -> str:
        """The fingerprint of what was added."""
        return self._sha.hexdigest()


@dataclass(frozen=True)
class SourceFiles:
    """The files of a source.

    Attributes:
        paths: in the order in which they are read, by their names below the source.
        notes: what else lies there and is not read, one sentence each.
    """

    paths: dict[str, Path]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """How a source is to be read.

    Attributes:
        choice: which columns of its files are wanted.
        labelled: whether it is a study to train on, all of whose patients need labels; else they may have none.
        fingerprint: receives the files that are read.
        timesteps: time points of a simulated trial; 0 = 101.
        seed: of a simulated study.
        simulation: its size.
        max_gap: gaps of up to this many samples may be filled before signals are filtered or resampled.
        trim: ends where a value is missing may be cut off before signals are filtered.
        exclude: trials to leave out, as `steps.parameter_values.parse_exclude` reads them.
        processing: what is to be done to signals; with any, time is read in seconds.
        watch: told how far reading is.
        label_kind: what labels are.
    """

    choice: Choice = EVERYTHING
    labelled: bool = True
    fingerprint: Fingerprint = field(default_factory=Fingerprint)
    timesteps: int = 0
    seed: int = 0
    simulation: SimulationSize = field(default_factory=SimulationSize)
    max_gap: int = 0
    trim: bool = False
    exclude: tuple[tuple[str, ...], ...] = ()
    processing: Processing = field(default_factory=Processing)
    watch: Watch = not_watched
    label_kind: LabelKind = BINARY
