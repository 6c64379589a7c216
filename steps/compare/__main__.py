"""Entry point ``compare``: two trainings on the same folds -> differences with intervals, tests, a figure."""

from __future__ import annotations

from steps.cli import command
from steps.configuration import Compare


@command("compare")
def main(configuration: Compare) -> None:
    """Say whether two trainings on the same folds, or a training and a baseline, differ."""
    from steps.compare.run import compare_and_record

    compare_and_record(configuration)


if __name__ == "__main__":
    main()
