"""Entry point ``sync``: copies to their servers what spools in this folder still hold, exactly once."""

from __future__ import annotations

from typing import Any

from steps.cli import command


@command("sync")
def main(parameters: dict[str, Any]) -> None:
    """Copy to the tracking server what could not be copied while a study ran; doing it again changes nothing."""
    from steps.sync.run import sync

    sync(parameters)


if __name__ == "__main__":
    main()
