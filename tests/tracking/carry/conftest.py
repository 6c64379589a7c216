"""Two studies and a record of them, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.carried import Studies, new_store, record_studies, sync


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Studies:
    return record_studies(new_store(tmp_path_factory.mktemp("made"), empty_store))


@pytest.fixture(scope="session")
def record(made: Studies) -> Path:
    """Both studies in one file."""
    path = made.folder / "record.zip"
    done = sync(made.folder, to=path, run_id="all")
    assert done.exit_code == 0, done.output
    return path
