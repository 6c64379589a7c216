"""A spool whose description or database is damaged: one line, and what it holds is kept."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from steps.errors import UserError
from steps.sync.run import sync
from steps.tracking.spool.spool import Spool, open_spool, spools
from tests.conftest import configured

SERVER = "http://127.0.0.1:9"  # nobody listens there


@pytest.fixture
def spool(store: Path) -> Spool:
    spool = open_spool(SERVER, store)
    run = spool.client().create_run(spool.experiment("study"))
    spool.client().set_terminated(run.info.run_id)
    return spool


@pytest.mark.parametrize("text", ["", '{"tracking_uri": "http://127', "[]", "{}", '{"tracking_uri": 3}', "\xff\xfe"])
def test_a_damaged_description_is_one_line_that_leads_on(
    spool: Spool, store: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    path = spool.folder / "spool.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=rf"^{path} is damaged: .*\. Set MLFLOW_TRACKING_URI to that server and give"):
        sync(configured("sync"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://other.invalid:5000")
    with pytest.raises(UserError, match="is damaged"):
        sync(configured("sync"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", SERVER)  # as the line says
    with pytest.raises(UserError, match=r"does not answer; try again later \(runs not there yet: 1\)"):
        sync(configured("sync"))
    assert json.loads(path.read_text()) == {"tracking_uri": SERVER}, "and it is whole again"
    assert [spool.target for spool in spools(store)] == [SERVER]


@pytest.mark.parametrize("damage", ["cut off", "overwritten", "a folder"])
def test_a_damaged_database_is_one_line_at_once(spool: Spool, store: Path, damage: str) -> None:
    database = spool.folder / "mlflow.db"
    if damage == "cut off":
        os.truncate(database, database.stat().st_size // 3)
    elif damage == "overwritten":
        database.write_bytes(b"nothing of the kind" * 100)
    else:
        database.unlink()
        database.mkdir()
    expected = rf"cannot open the spool for {SERVER}: {database}.*(restore it from a copy|move it away)"
    for use in (lambda: spools(store), lambda: open_spool(SERVER, store)):
        with pytest.raises(UserError, match=expected):
            use()
    assert database.exists(), "nothing is thrown away"
