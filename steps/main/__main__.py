"""Entry point ``main``, the driver: prepare -> train -> evaluate -> attribute."""

from __future__ import annotations

from typing import Any

from steps.cli import command


@command("main")
def main(parameters: dict[str, Any]) -> None:
    """Run a whole study: prepare, train, evaluate, attribute."""
    from steps.main.run import run_study

    run_study(parameters)


if __name__ == "__main__":
    main()
