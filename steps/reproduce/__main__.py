"""Entry point ``reproduce``: run a recorded run again from its ID, and compare value by value."""

from __future__ import annotations

import sys

from steps.cli import command
from steps.configuration import Reproduce


@command("reproduce")
def main(configuration: Reproduce) -> None:
    """Run a recorded run again and compare every value; exit status 0 when it is reproduced, 1 when it is not."""
    from steps.reproduce.run import reproduce_and_record

    sys.exit(0 if reproduce_and_record(configuration) else 1)


if __name__ == "__main__":
    main()
