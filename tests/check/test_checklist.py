"""Running checks: time limits, failures, dependencies, nothing secret."""

from __future__ import annotations

import threading
import time

from rich.console import Console

from steps.check import table
from steps.check.checklist import CheckError, Checklist


def fails() -> str:
    raise CheckError("it is red", "paint it")


def crashes() -> str:
    raise RuntimeError("first line\nsecond line")


def test_outcomes_in_order() -> None:
    checks = Checklist()
    checks.run("good", lambda: "fine", mend="", limit=5)
    checks.run("red", fails, mend="unused", limit=5)
    checks.run("broken", crashes, mend="do this", limit=5)
    checks.run("later", lambda: "never run", mend="", limit=5, needs=["good", "red"])
    assert [(o.name, o.status, o.finding, o.mend) for o in checks.outcomes] == [
        ("good", "ok", "fine", ""),
        ("red", "failed", "it is red", "paint it"),
        ("broken", "failed", "RuntimeError: first line", "do this"),
        ("later", "skipped", "needs: red", ""),
    ]
    assert checks.failed
    assert checks.ok("good")
    assert not checks.ok("good", "red")
    assert checks.first_failed("later", "broken") == "broken"
    assert [o.milliseconds is None for o in checks.outcomes] == [False, False, False, True]


def test_a_check_that_does_not_return_is_given_up() -> None:
    checks, release = Checklist(), threading.Event()
    started = time.perf_counter()
    checks.run("hangs", lambda: str(release.wait(60)), mend="restart it", limit=0.2)
    release.set()
    assert time.perf_counter() - started < 30
    (outcome,) = checks.outcomes
    assert (outcome.status, outcome.mend) == ("failed", "restart it")
    assert "no answer within 0.2 s" in outcome.finding


def test_what_must_be_hidden_is_hidden_in_findings_and_advice() -> None:
    checks = Checklist(lambda text: text.replace("s3cret", "***"))
    checks.run("one", lambda: "password s3cret", mend="", limit=5)
    checks.run("two", lambda: str(1 / 0), mend="use s3cret", limit=5)
    assert "s3cret" not in str(checks.outcomes)


def test_the_table_shows_every_check_and_how_to_mend_on_one_line() -> None:
    checks = Checklist()
    checks.run("good", lambda: "[bold]not markup[/bold]", mend="", limit=5)
    checks.run("red", fails, mend="", limit=5)
    checks.skip("later", "needs: red")
    console = Console(width=60, record=True, highlight=False)
    table.show(checks.outcomes, console)
    text = console.export_text()
    for expected in ("good", "ok", "not markup", "[/bold]", "skipped", "failed: red: it is red", "  mend: paint it"):
        assert expected in text
    assert text.rstrip().endswith("1 of 3 checks failed, 1 skipped")


def test_markdown_has_a_row_per_check_and_no_stray_columns() -> None:
    checks = Checklist()
    checks.run("good", lambda: "a | b", mend="", limit=5)
    rows = table.markdown(checks.outcomes).splitlines()
    assert rows[0] == "Self-test: all fine: 1 checks ok."
    assert rows[-1].count("|") == 5
