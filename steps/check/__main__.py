"""Entry point ``check``: a self-test of the installation and of the tracking store.

Its first lines use nothing but the standard library, and no syntax that an old Python lacks: a missing package or a
wrong interpreter is what it is there to tell.
"""

from __future__ import annotations

import sys
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - somebody's is
    sys.exit(
        "error: this is Python %d.%d, the project needs 3.11; mlflow run '%s' --env-manager uv -e check sets it up"  # noqa: UP031
        % (sys.version_info[0], sys.version_info[1], Path(__file__).resolve().parents[2])
    )
try:
    from steps.check.run import check
    from steps.cli import command
    from steps.configuration import Check
except ModuleNotFoundError as error:
    sys.exit(
        f"error: package {error.name} is missing; mlflow run '{Path(__file__).resolve().parents[2]}' --env-manager uv "
        "-e check sets everything up"
    )


@command("check")
def main(configuration: Check) -> None:
    """Test installation and store, or with a source try out its study; leave nothing behind. Exit 1 if it failed."""
    if not check(configuration):
        sys.exit(1)


if __name__ == "__main__":
    main()
