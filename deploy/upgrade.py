"""Bring the tables of a tracking server to the version of MLflow that is installed, while the server is stopped.

    python -m deploy.backup save FOLDER && python -m deploy.upgrade

There is no way back but a backup. It reads the variables that `deploy.serve` reads.
"""

from __future__ import annotations

import os
import subprocess
import sys

from deploy.serve import ConfigurationError, settle_stores


def main() -> int:
    """Upgrade both databases; 0, or what MLflow's command ended with."""
    try:
        runs, users = settle_stores(os.environ)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for command in (["mlflow", "db", "upgrade", runs], ["mlflow.server.auth", "db", "upgrade", "--url", users]):
        done = subprocess.run([sys.executable, "-m", *command], check=False)
        if done.returncode:
            print(f"error: {' '.join(command)} failed; bring the backup back with deploy.backup restore --replace")
            return done.returncode
    print("upgraded; start the server")
    return 0


if __name__ == "__main__":
    sys.exit(main())
