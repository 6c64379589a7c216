"""Entry point ``prepare``: a source of recordings -> the dataset artifact."""

from __future__ import annotations

from steps.cli import command
from steps.configuration import Prepare


@command("prepare")
def main(configuration: Prepare) -> None:
    """Read and validate recordings and store them as a dataset artifact."""
    from steps.prepare.run import prepare

    prepare(configuration)


if __name__ == "__main__":
    main()
