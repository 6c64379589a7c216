"""Entry point ``sync``: copies studies to where they belong, exactly once, by a file where there is no network."""

from __future__ import annotations

from steps.cli import command
from steps.configuration import Sync


@command("sync")
def main(configuration: Sync) -> None:
    """Copy to the tracking server what could not be copied while a study ran; doing it again changes nothing.

    Or write studies to a file (to), copy them from one (from), or remove a study (delete).
    """
    from steps.sync.run import sync

    sync(configuration)


if __name__ == "__main__":
    main()
