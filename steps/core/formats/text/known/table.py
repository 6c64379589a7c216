"""Which headers are known: each row looks at the beginning of a file and says whether it is its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from steps.core.formats.text.head import Head
from steps.core.formats.text.known.deeplabcut import deeplabcut
from steps.core.formats.text.known.devices import actigraph, opensignals, xsens
from steps.core.formats.text.known.empatica import empatica
from steps.core.formats.text.known.laboratory import acqknowledge, labchart, qualisys
from steps.core.formats.text.known.opensim import motion, trajectories
from steps.core.formats.text.known.vicon import vicon
from steps.core.formats.text.known.visual3d import visual3d
from steps.core.formats.text.layout import Layout

# Of the head of a file, what messages call it, and the names of columns that the user gives.
KNOWN: Final[tuple[Callable[[Head, str, Sequence[str]], Layout | None], ...]] = (
    motion,
    trajectories,
    visual3d,
    vicon,
    empatica,
    deeplabcut,
    opensignals,
    acqknowledge,
    labchart,
    qualisys,
    xsens,
    actigraph,
)


def known_layout(head: Head, name: str, columns: Sequence[str] = ()) -> Layout | None:
    """The layout of a file with a header that is known; None for any other.

    Raises:
        UserError: it is known, but damaged, or does not say what its columns are.
    """
    if not head.lines:
        return None
    return next((layout for known in KNOWN if (layout := known(head, name, columns))), None)
