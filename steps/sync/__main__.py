"""Entry point ``sync``: copies to their servers what spools in this folder still hold, exactly once."""

from __future__ import annotations

from steps.cli import command
from steps.configuration import Sync


@command("sync")
def main(configuration: Sync) -> None:
    """Copy to the tracking server what could not be copied while a study ran; doing it again changes nothing."""
    from steps.sync.run import sync

    sync(configuration)


if __name__ == "__main__":
    main()
