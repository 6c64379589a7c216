"""All trials of all recordings, as long as they fit into memory: whole recordings are held one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from steps.core.readers.described.found import Found
from steps.core.readers.described.piece import Piece
from steps.core.readers.described.pieces import Reading
from steps.core.readers.files import Watch
from steps.system.untrusted_files import check_memory

_LOOK_AGAIN: Final = 256 << 20  # bytes of trials, after which it is seen whether what is made of them still fits
_COPIES: Final = 1.5  # side by side, and as float32


def all_pieces(reading: Reading, recordings: Sequence[Found], watch: Watch) -> list[Piece]:
    """The trials of recordings, in order.

    Raises:
        UserError: anything is wrong with a file, or trials would not fit into memory.
    """
    pieces, held, looked = list[Piece](), 0, 0
    for done, one in enumerate(recordings, 1):
        own = reading.pieces(one)
        pieces += own
        held += sum(piece.values.nbytes for piece in own)
        if held > looked + _LOOK_AGAIN:
            check_memory(_COPIES * held, f"what was read up to {one.name} ({len(pieces)} trials) is large")
            looked = held
        watch(done, len(recordings), "recordings" if len(one.files) > 1 else "files")
    return pieces
