"""What is untrusted stays data, what is secret stays out of the record, what was tampered with is refused."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql

from tests.server_study import SECRETS, ServerStudy
from tests.servers import Server

# The study is run by whichever test comes first.
pytestmark = pytest.mark.timeout(900)
# What `mlflow run` itself prints, before any code of ours has started and after it has ended: the URL it fetches, as it
# was typed, and the address of the run it made in `Default`.
_OF_MLFLOW_ITSELF = re.compile(
    r"^.* mlflow\.projects\.utils: === Fetching project from \S+ into |^\W+ View (run|experiment) .*/experiments/0\b"
)


def with_secret(text: str) -> list[str]:
    """Where in a text a secret stands."""
    found = [text.find(secret) for secret in SECRETS]
    return [text[max(0, place - 100) : place + 60] for place in found if place >= 0]


def rows_of_the_database(server: Server) -> Iterator[str]:
    """Every row of every table of the server's database, as text."""
    if not server.backend_store_uri.startswith("postgresql"):
        yield (server.folder / "server.db").read_bytes().decode(errors="replace")
        return
    connection = psycopg2.connect(server.backend_store_uri.replace("+psycopg2", ""))
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(table)))
            yield from (f"{table} {row}" for (row,) in cursor.fetchall())
    connection.close()


def texts_of(path: Path) -> Iterator[str]:
    """What a file holds, also what a zip archive (such as a ``.keras`` file) holds compressed."""
    yield path.read_bytes().decode(errors="replace")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield archive.read(name).decode(errors="replace")


def test_no_secret_is_in_the_database(server_study: ServerStudy) -> None:
    rows = list(rows_of_the_database(server_study.server))
    assert any("fear_classifier" in row or "fear-classifier" in row for row in rows)
    assert [place for row in rows for place in with_secret(row)] == []


def test_no_secret_is_in_an_artifact(server_study: ServerStudy) -> None:
    files = [path for path in server_study.server.artifacts.rglob("*") if path.is_file()]
    assert len(files) > 50
    assert [(path, place) for path in files for text in texts_of(path) for place in with_secret(text)] == []


def test_no_secret_is_left_in_the_users_folder(server_study: ServerStudy) -> None:
    files = [path for path in server_study.folder.rglob("*") if path.is_file()]
    assert [(path, place) for path in files for text in texts_of(path) for place in with_secret(text)] == []


def test_no_secret_is_printed(server_study: ServerStudy) -> None:
    for done in (server_study.first, server_study.again):
        lines = [line for line in (done.stdout + done.stderr).splitlines() if not _OF_MLFLOW_ITSELF.match(line)]
        assert len(lines) > 20 or done is server_study.again
        assert [place for line in lines for place in with_secret(line)] == []
