"""What of a tracking URI may be written down or shown, and which ones are refused."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from steps.errors import UserError
from steps.tracking.store.tracking_uri import is_remote, secrets_in, show_uri, usable, without_credentials

PASSWORDS = ["s3cret", "s3/cret", "s3?cret", "s3#cret", "s3@cret", "s3:cret", "s3'cr\"et", "s3/cr?e#t@x", "s3%cret"]
SERVERS = [
    "http://{}127.0.0.1:5000",
    "https://{}host/prefix",
    "postgresql+psycopg2://{}host:5432/db",
    "mysql://{}host/db",
]


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("encoded", [False, True])
def test_no_password_is_left_whatever_is_in_it(server: str, password: str, encoded: bool) -> None:
    uri = server.format(f"me:{quote(password, safe='') if encoded else password}@")
    assert without_credentials(uri) == server.format("")
    assert password in secrets_in(uri)
    assert "s3" not in show_uri(f"(psycopg2.OperationalError) no answer from '{uri}' within 3 s")


@pytest.mark.parametrize("name", ["password", "token", "PWD", "sslpassword", "access_token", "odbc_connect"])
@pytest.mark.parametrize("server", ["http://host:5000/", "postgresql+psycopg2://host/db"])
def test_what_a_query_may_hold_is_no_part_of_the_address(server: str, name: str) -> None:
    for secret in ("first", "second%20one"):
        uri = f"{server}?{name}={secret}"
        assert without_credentials(uri) == server
        assert {secret, secret.replace("%20", " ")} >= secrets_in(uri) > set()
        assert secret not in show_uri(f"cannot open {uri}: refused")


@pytest.mark.parametrize("fragment", ["access_token=s3cret", "/page?token=s3cret", "token=s3cret?x=y"])
def test_what_a_fragment_may_hold_goes_too(fragment: str) -> None:
    assert "s3cret" not in without_credentials(f"https://host/#{fragment}")


def test_what_tells_one_database_from_another_stays() -> None:
    uri = "postgresql+psycopg2://me:s3cret@/db?host=/var/run&sslmode=require&password=other&options=-csearch_path=a"
    assert without_credentials(uri) == (
        "postgresql+psycopg2:///db?host=/var/run&sslmode=require&options=-csearch_path=a"
    )


@pytest.mark.parametrize(
    "uri",
    [
        "sqlite:////data/a@b/mlflow.db", "file:///data/a@b?c=d#e=f", "s3://bucket/a@b", "abfss://container@account/x",
        "git@host:repo.git", "https://host/repo.git#folder", "databricks://profile", "mlruns", "http://[::1]:5000",
        "http://host:5000/#/experiments/1/runs/abc?workflowType=machine_learning",
    ],
)  # fmt: skip
def test_what_holds_no_secret_is_left_alone(uri: str) -> None:
    assert without_credentials(uri) == uri
    assert show_uri(f"no answer from {uri}") == f"no answer from {uri}"


def test_a_source_keeps_the_digest_that_is_expected_of_it() -> None:
    digest = "0a" * 32
    assert without_credentials(f"s3://lab/study.csv#sha256={digest}") == f"s3://lab/study.csv#sha256={digest}"
    assert without_credentials("s3://lab/study.csv#sha256=secret") == "s3://lab/study.csv"


def test_texts_keep_what_is_no_uri() -> None:
    assert show_uri("no http://me:p@a/x,\n  nor git://t@b/y#z") == "no http://a/x,\n  nor git://b/y#z"
    # Where a password may have been, its end is taken to be the last @ that it can be.
    assert show_uri("http://me:p@server/x@y is no mail of a@b") == "http://y is no mail of a@b"


def test_the_servers_own_secrets_are_hidden_wherever_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:s3%40cr et@host/db?sslkey=k3y!")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "other-s3cret")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
    monkeypatch.setenv("FEAR_TRACKING_TARGET", "http://h0st-t0ken@host")
    text = "wrong: 's3@cr et', s3%40cr et, k3y!, other-s3cret; Bearer t0ken, h0st-t0ken; host is up"
    assert show_uri(text) == "wrong: '***', ***, ***, ***; Bearer ***, ***; host is up"


def test_a_password_of_a_few_letters_does_not_blacken_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:a b@host")
    assert show_uri("cannot reach http://me:a b@host at all") == "cannot reach http://host at all"


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("127.0.0.1:5000", "did you mean http://127.0.0.1:5000?"),
        ("localhost:5000/x", "did you mean http://localhost:5000/x?"),
        ("me:s3cret@host:5000", "'host:5000': no scheme; did you mean http://host:5000?"),
        ("htp://host:5000", "'htp://host:5000': htp is no kind of tracking store; expected http://host:5000, https"),
        ("postgres://me:s3cret@host/db", "'postgres://host/db': postgres is no kind of tracking store; expected"),
        ("http:/host", "not an address"),
        ("http://", "no host; expected http://host:5000"),
        ("http://ho st:5000", "not an address"),
        ("http://me:s3/cret@host", "'http://host': where the password ends is unclear; percent-encode"),
        ("http://me:s3#cret@host", "'http://host': where the password ends is unclear; percent-encode"),
        ("http://me:s3@cret@host", "'http://host': where the password ends is unclear; percent-encode"),
        ("http://me:s3cret", "'http://…': not an address; expected "),
        ("http://host:70000", "not an address"),
        ("http://[::1", "not an address"),
        (
            "http://host:5000?token=s3cret",
            "'http://host:5000': MLflow cannot use what follows .*_TOKEN",
        ),
        ("postgresql://me:s3cret@host/db", r"its driver is missing \(psycopg\); .*postgresql\+psycopg2://"),
        ("postgresql+odd://me:s3cret@host/db", "no such driver"),
        ("postgresql+psycopg2://me:s3@cret@host/db", "where the password ends is unclear"),
        ("postgresql+psycopg2://me:s3cret@host:x/db", "not an address"),
    ],
)
def test_a_mistyped_uri_is_one_line_without_its_password(uri: str, expected: str) -> None:
    with pytest.raises(UserError, match=expected) as caught:
        usable(uri)
    assert str(caught.value).startswith("MLFLOW_TRACKING_URI is '")
    assert "s3" not in str(caught.value)
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:5000", "HTTPS://me:p%40ss@host/prefix/", "http://[::1]:5000", "sqlite:///mlflow.db", "mlruns",
        "/data/mlruns", "file:///data/mlruns", "databricks", "databricks://profile", "",
        "postgresql+psycopg2://me:p/s?s#x@host/db", "postgresql+psycopg2:///db?host=/var/run",
    ],
)  # fmt: skip
def test_what_mlflow_can_use_is_used(uri: str) -> None:
    assert usable(uri) == uri


@pytest.mark.parametrize(
    ("uri", "remote"),
    [
        ("sqlite:///mlflow.db", False),
        ("sqlite+pysqlite:////data/mlflow.db", False),
        ("file:///data/mlruns", False),
        ("/data/mlruns", False),
        ("http://127.0.0.1:5000", True),
        ("https://me:secret@server/prefix", True),
        ("postgresql+psycopg2://me@host/db", True),
        ("databricks", True),
    ],
)
def test_files_of_this_machine_are_local_and_all_else_is_not(uri: str, remote: bool) -> None:
    assert is_remote(uri) == remote
