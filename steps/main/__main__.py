"""Entry point ``main``, the driver: prepare -> train -> evaluate -> attribute."""

from __future__ import annotations

from steps.cli import command
from steps.configuration import Main


@command("main")
def main(configuration: Main) -> None:
    """Run a whole study: prepare, train, evaluate, attribute."""
    from steps.main.run import run_study

    run_study(configuration)


if __name__ == "__main__":
    main()
