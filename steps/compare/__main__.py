"""Entry point ``compare``: two trainings on the same folds -> differences with intervals, tests, a figure."""

from __future__ import annotations

from typing import Any

from steps.cli import command


@command("compare")
def main(parameters: dict[str, Any]) -> None:
    """Say whether two trainings on the same folds, or a training and a baseline, differ."""
    from steps.compare.run import compare_and_record

    compare_and_record(parameters)


if __name__ == "__main__":
    main()
