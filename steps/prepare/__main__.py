"""Entry point ``prepare``: a source of recordings -> the dataset artifact."""

from __future__ import annotations

from typing import Any

from steps.cli import command


@command("prepare")
def main(parameters: dict[str, Any]) -> None:
    """Read and validate recordings and store them as a dataset artifact."""
    from steps.prepare.run import prepare

    prepare(parameters)


if __name__ == "__main__":
    main()
