"""Entry point ``prepare``: a source of recordings -> the dataset artifact."""

from __future__ import annotations

from typing import Any

import click

from steps.cli import command
from steps.configuration import Prepare


def _suggest(context: click.Context, _option: click.Parameter, folder: Any) -> None:
    """Write a first description of a folder, and nothing else."""
    if folder is None:
        return
    from steps.prepare.run import suggest

    suggest(folder)
    context.exit()


_SUGGEST = click.Option(
    ["--suggest"],
    metavar="FOLDER",
    is_eager=True,
    expose_value=False,
    callback=_suggest,
    help="look at a folder, write a first study.yaml for it where there is none, and end",
)


@command("prepare", _SUGGEST)
def main(configuration: Prepare) -> None:
    """Read and validate recordings and store them as a dataset artifact."""
    from steps.prepare.run import prepare

    prepare(configuration)


if __name__ == "__main__":
    main()
