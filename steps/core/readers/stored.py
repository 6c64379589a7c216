"""Trials that are too many to be held at once: their values lie in a temporary file until they are asked for."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from steps.core.readers.long_table import LongTable
from steps.core.readers.resample import Doubles
from steps.core.readers.trials import Recording
from steps.errors import UserError
from steps.system.untrusted_files import size


class _Place(NamedTuple):
    """Where an array lies: its first byte, and its shape."""

    start: int
    shape: tuple[int, ...]


class Store:
    """A file without a name, of float64 arrays, which is gone when nobody uses it any more."""

    def __init__(self) -> None:
        self._file, name = tempfile.mkstemp(prefix="trials-")
        os.unlink(name)  # noqa: PTH108, an open file needs no name
        self._end = 0
        weakref.finalize(self, os.close, self._file)

    def put(self, values: Doubles) -> _Place:
        """Keep an array.

        Raises:
            UserError: there is no space for it.
        """
        place, content = _Place(self._end, values.shape), np.ascontiguousarray(values).reshape(-1).view(np.uint8).data
        try:
            while len(content):
                written = os.pwrite(self._file, content, self._end)
                content, self._end = content[written:], self._end + written
        except OSError as error:
            raise UserError(
                f"the folder for temporary files ({tempfile.gettempdir()}) cannot hold the study, of which "
                f"{size(self._end)} are written: {error.strerror}; use a larger one (TMPDIR=…)"
            ) from error
        return place

    def get(self, place: _Place) -> Doubles:
        """An array that was kept; it is the caller's own."""
        values = np.empty(place.shape)
        content, at = values.reshape(-1).view(np.uint8).data, place.start
        while len(content):
            read = os.preadv(self._file, [content], at)
            content, at = content[read:], at + read
        return values


def check_space(needed: float, name: str) -> None:
    """Check that the folder for temporary files can hold so many bytes.

    Raises:
        UserError: it cannot; the message begins with ``name``.
    """
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if needed > free:
        raise UserError(
            f"{name} is read by way of the folder for temporary files ({tempfile.gettempdir()}), where it takes "
            f"{size(needed)}, but {size(free)} are free; use a larger one (TMPDIR=…)"
        )


_KNOWN: Final = ("subject", "label", "trial", "test_number", "is_control", "missing", "side", "row")


class StoredRecording(Recording):
    """A recording whose time and values are read whenever they are asked for."""

    def __init__(self, one: Recording, store: Store) -> None:
        """Put a recording into a store, and forget its values."""
        places = [store.put(one.time), store.put(one.values), None if one.raw is None else store.put(one.raw)]
        own = {name: getattr(one, name) for name in _KNOWN} | {"_places": places, "_store": store}
        for name, value in own.items():
            object.__setattr__(self, name, value)

    _places: Sequence[_Place | None]
    _store: Store

    def _at(self, number: int) -> Doubles | None:
        place = self._places[number]
        return None if place is None else self._store.get(place)

    time: Doubles = property(lambda self: self._at(0))  # type: ignore[assignment]
    values: Doubles = property(lambda self: self._at(1))  # type: ignore[assignment]
    raw: Doubles | None = property(lambda self: self._at(2))  # type: ignore[assignment]

    def column(self, feature: int) -> Doubles:
        """The values of one feature, without all others."""
        return self.values[:, feature].copy()


@dataclass(frozen=True, eq=False)
class StoredTable(LongTable):
    """A study whose rows are not held: of each trial its first row, without values.

    Attributes:
        trials: without those that were left out.
        greatest: the largest magnitude among all values: NaN where one is missing.
    """

    trials: Sequence[Recording] = field(default_factory=tuple)
    greatest: float = 0.0

    @property
    def largest(self) -> float:
        """The largest magnitude among the values: NaN or infinite where one is missing."""
        return self.greatest

    def column(self, feature: int) -> Doubles:
        """The recorded values of one feature in all trials, one after the other."""
        return np.concatenate([one.recorded[:, feature].copy() for one in self.trials])
