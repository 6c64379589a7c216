"""Sources in stores elsewhere: fetched whole or not at all, checked, gone afterwards, and never with a token."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import pytest

from steps.errors import UserError
from steps.system import fetched, fetching
from steps.system.fetched import Copy, at_hand

TABLE = b"subject,label,trial,time,x\nS1,fear,t1,0,1\n"


@pytest.fixture
def memory() -> Iterator[Any]:
    store = fsspec.filesystem("memory")
    yield store
    store.store.clear()
    store.pseudo_dirs[:] = [""]


class Pages(http.server.SimpleHTTPRequestHandler):
    """A folder on the web; what a test sets makes it behave badly."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        name = self.path.partition("?")[0]
        if name.startswith("/forbidden") or (name.startswith("/signed") and not self.path.endswith("?sig=s3cret")):
            self.send_error(403)
        elif name.startswith("/private") and self.headers.get("Authorization") != "Bearer s3cret":
            self.send_error(401)
        elif name.startswith("/broken"):
            self.send_error(500)
        elif name.startswith("/short"):
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(b"subject")
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif name.startswith("/slow"):
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(b"subject")
                self.wfile.flush()
                time.sleep(3)
            self.close_connection = True
        elif name.startswith("/damaged"):
            self.send_response(200)
            self.send_header("Content-Length", str(len(TABLE)))
            self.send_header("Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA==")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(TABLE)
        elif self.command == "GET":
            super().do_GET()
        else:
            super().do_HEAD()

    do_HEAD = do_GET  # noqa: N815


@contextmanager
def web(folder: Path) -> Iterator[str]:
    def pages(*given: Any) -> Pages:
        return Pages(*given, directory=str(folder))

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), pages) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "site"
    for name in ("study.csv", "signed.csv", "private.csv", "study/participants/S 1/fear/t1.csv", "study/study.yaml"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(TABLE)
    with web(folder) as address:
        yield address


def as_sha256sum(folder: Path) -> str:
    """The digest of a folder as docs/prepare.md says to make it."""
    script = "find . -type f | sed 's|^./||' | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum"
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.split()[0]


def test_a_file_of_a_store_is_there_inside_the_block_only(memory: Any) -> None:
    memory.pipe("/lab/study.csv", TABLE)
    digest = hashlib.sha256(TABLE).hexdigest()
    for source in ("memory://lab/study.csv", f"memory://lab/study.csv#sha256={digest.upper()}"):
        with at_hand(source) as here:
            path = Path(here.path)
            assert path.name == "study.csv"
            assert path.read_bytes() == TABLE
            assert (path.stat().st_mode & 0o077, path.parent.stat().st_mode & 0o077) == (0, 0)
            assert isinstance(here, Copy)
            assert here.fetched == fetched.Fetched("memory://lab/study.csv", 1, len(TABLE), digest)
        assert not path.parent.exists()


def test_a_folder_comes_whole_and_has_the_digest_that_sha256sum_gives(memory: Any) -> None:
    files = {"a/ü.csv": TABLE, "a-b.csv": b"", "b/c/1.csv": TABLE * 2, "B.csv": b"x"}
    for name, content in files.items():
        memory.pipe(f"/lab/study/{name}", content)
    seen: list[tuple[float, float, str]] = []
    with at_hand("memory://lab/study", lambda *news: seen.append(news)) as here:
        folder = Path(here.path)
        assert {
            path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
        } == files
        assert isinstance(here, Copy)
        assert (here.fetched.files, here.fetched.bytes) == (4, 3 * len(TABLE) + 1)
        assert here.fetched.sha256 == as_sha256sum(folder)
        with at_hand(f"{folder}#sha256={here.fetched.sha256}") as same:
            assert same.path == str(folder)
        with (
            pytest.raises(UserError, match=r"has the SHA-256 .*, expected 0000"),
            at_hand(f"{folder}#sha256={'0' * 64}"),
        ):
            pass
    assert all((total, unit) == (4, "files") for _, total, unit in seen)


def test_blocks_inside_and_processes_take_the_same_copy(memory: Any) -> None:
    memory.pipe("/lab/study.csv", TABLE)
    program = (
        "from steps.system.fetched import at_hand\n"
        "with at_hand('memory://lab/study.csv') as here: print(here.path, here.notes[0])"
    )
    with at_hand("memory://lab/study.csv") as here:
        memory.rm("/lab/study.csv")
        with at_hand("memory://lab/study.csv") as again:
            assert again == here
        with pytest.raises(UserError, match="expected 0000"), at_hand(f"memory://lab/study.csv#sha256={'0' * 64}"):
            pass
        with (
            pytest.raises(UserError, match=r"memory://lab/other\.csv.*no such file"),
            at_hand("memory://lab/other.csv"),
        ):
            pass
        said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert said.strip() == f"{here.path} {here.notes[0]}"
    assert "FEAR_FETCHED" not in os.environ


def test_messages_name_the_address_not_the_copy(memory: Any) -> None:
    memory.pipe("/lab/study/a.csv", TABLE)
    with pytest.raises(UserError, match=r"^memory://lab/study/x is bad$"), at_hand("memory://lab/study") as here:
        raise UserError(f"{here.path}/x is bad")


def test_files_and_folders_of_the_web(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with at_hand(f"{site}/study.csv") as here:
        assert Path(here.path).read_bytes() == TABLE
    with at_hand(f"{site}/study/") as here:
        assert Path(here.path, "participants/S 1/fear/t1.csv").read_bytes() == TABLE
        assert Path(here.path, "study.yaml").is_file()
    monkeypatch.setenv("FEAR_SOURCE_QUERY", "?sig=s3cret")
    with at_hand(f"{site}/signed.csv") as here:
        assert Path(here.path).name == "signed.csv"
        assert isinstance(here, Copy)
        assert "s3cret" not in json.dumps(here.origin) + here.notes[0] + os.environ["FEAR_FETCHED"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none.csv", "there is no such file or folder"),
        ("forbidden.csv", "access was denied; look at the credentials"),
        ("private.csv", "access was denied; look at the credentials"),
        ("signed.csv", "access was denied"),
        ("short.csv", "the connection broke off in the middle"),
        ("damaged.csv", "damaged.csv came damaged: its MD5"),
        ("broken.csv", "cannot be fetched: the store answered 500"),
        ("study", "is a web page, expected a file; the address of a folder ends in /"),
    ],
)
def test_what_the_web_refuses_is_one_line(site: str, path: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEAR_SOURCE_QUERY", "sig=wr0ng")
    with pytest.raises(UserError, match=message) as raised, at_hand(f"{site}/{path}"):
        pass
    assert "wr0ng" not in str(raised.value)


def test_nothing_is_waited_for_without_end(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_PATIENCE_S", 0.3)
    started = time.monotonic()
    with pytest.raises(UserError, match=r"nothing came for 0\.3 s"), at_hand(f"{site}/slow.csv"):
        pass
    assert time.monotonic() - started < 2.5


def test_a_server_that_is_not_there(site: str) -> None:
    with pytest.raises(UserError, match="the store cannot be reached"), at_hand("http://127.0.0.1:9/study.csv"):
        pass


def test_what_does_not_fit_onto_the_disk_is_not_begun(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.pipe("/lab/study.csv", TABLE * 100)
    monkeypatch.setattr(fetched, "_SHARE_OF_DISK", 1e-9)
    with (
        pytest.raises(UserError, match=r"has 4\.\d+ kB in 1 files, but .* fit into the folder"),
        at_hand("memory://lab/study.csv"),
    ):
        pass


def test_a_file_that_grows_meanwhile_is_not_taken(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.pipe("/lab/study.csv", TABLE)
    as_it_is = type(memory).get_file

    def more(self: Any, remote: str, local: str, **options: Any) -> None:
        as_it_is(self, remote, local, **options)
        with Path(local).open("ab") as file:
            file.write(b"more")

    monkeypatch.setattr(type(memory), "get_file", more)
    with (
        pytest.raises(UserError, match=f"came with {len(TABLE) + 4} of {len(TABLE)} bytes"),
        at_hand("memory://lab/study.csv"),
    ):
        pass


def test_names_that_lead_out_of_the_folder_are_refused(memory: Any, tmp_path: Path) -> None:
    memory.store["/lab/study/../../x.csv"] = memory.store.setdefault("/lab/study/a.csv", None)
    memory.pipe("/lab/study/a.csv", TABLE)
    memory.store["/lab/study/../../x.csv"] = memory.store["/lab/study/a.csv"]
    with pytest.raises(UserError, match=r"cannot be the name of a file here"), at_hand("memory://lab/study"):
        pass


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(UserError, match="pip install 'gcsfs', and run"), at_hand("gs://bucket/study.csv"):
        pass


@pytest.mark.parametrize("source", ["study.csv#sha256=12", "s3://bucket/a#sha256="])
def test_half_a_digest_is_refused(source: str) -> None:
    with pytest.raises(UserError, match="expected 64 digits"), at_hand(source):
        pass


def test_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        settings = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        for name, value in {**settings, "AWS_DEFAULT_REGION": "us-east-1"}.items():
            monkeypatch.setenv(name, value)
        store = fsspec.filesystem("s3", skip_instance_cache=True)
        store.mkdir("lab")
        store.pipe({f"lab/study/S{i}.csv": TABLE + b"%d" % i for i in range(40)})
        with at_hand("s3://lab/study/S7.csv") as here:
            assert Path(here.path).read_bytes() == TABLE + b"7"
            assert isinstance(here, Copy)
            assert here.fetched.said["ETag"] == hashlib.md5(TABLE + b"7", usedforsecurity=False).hexdigest()
        with at_hand("s3://lab/study") as here:
            assert len(list(Path(here.path).iterdir())) == 40
        with pytest.raises(UserError, match="there is no such file or folder"), at_hand("s3://lab/none"):
            pass
    finally:
        server.stop()
