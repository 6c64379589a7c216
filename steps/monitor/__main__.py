"""Entry point ``monitor``: looks at every batch that a model has scored, for drift and for how good it was."""

from __future__ import annotations

import sys

from steps.cli import command
from steps.configuration import Monitor


@command("monitor")
def main(configuration: Monitor) -> None:
    """Compare batches with the training and with each other; exit status 1 on an alarm in what is new."""
    from steps.monitor.run import monitor_and_record

    sys.exit(1 if monitor_and_record(configuration) else 0)


if __name__ == "__main__":
    main()
