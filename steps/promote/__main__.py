"""Entry point ``promote``: makes the challenger the champion if it passes every gate."""

from __future__ import annotations

import sys

from steps.cli import command
from steps.configuration import Promote


@command("promote")
def main(configuration: Promote) -> None:
    """Make the challenger the champion if it passes every gate, or go back to the champion before.

    Exit status: 0 promoted, rolled back, or the champion already; 3 a gate was not passed; 2 anything else.
    """
    from steps.promote.run import REFUSED, decide_and_record

    if not decide_and_record(configuration).is_champion:
        sys.exit(REFUSED)


if __name__ == "__main__":
    main()
