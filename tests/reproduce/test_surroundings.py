"""What a run was computed with, then and now."""

from __future__ import annotations

import shlex

from steps.reproduce.surroundings import command, surroundings

THEN = {
    "code_sha256": "c0de", "git_commit": "abc", "git_dirty": "false", "python": "3.11.7", "os": "Linux 6.1",
    "cpu": "AMD, 2 cores", "version.numpy": "2.3.5", "version.tensorflow": "2.21.0", "dataset_digest": "unrelated",
}  # fmt: skip


def test_all_the_same() -> None:
    compared = surroundings(THEN, THEN, {"numpy": "2.3.5", "click": "8"}, {"numpy": "2.3.5", "click": "8"})
    assert compared.different == {}
    assert compared.exact
    assert not compared.code_differs
    assert compared.commit == "abc"


def test_a_new_kernel_or_commit_with_the_same_code_changes_nothing() -> None:
    compared = surroundings(THEN, THEN | {"os": "Linux 6.2", "git_commit": "abd", "git_dirty": "true"}, {}, {})
    assert set(compared.different) == {"operating system", "commit", "uncommitted changes"}
    assert compared.exact
    assert not compared.code_differs


def test_code_packages_and_processor_count() -> None:
    for change in ({"code_sha256": "other"}, {"version.numpy": "2.4"}, {"cpu": "Intel, 2 cores"}, {"python": "3.11.8"}):
        assert not surroundings(THEN, THEN | change, {}, {}).exact
    assert not surroundings(THEN, THEN, {"scipy": "1.0"}, {"scipy": "1.1"}).exact
    assert surroundings(THEN, THEN | {"code_sha256": "other"}, {}, {}).code_differs
    assert not surroundings(THEN, THEN | {"version.numpy": "2.4"}, {}, {}).code_differs


def test_what_was_not_recorded_is_not_taken_for_the_same() -> None:
    then = {"mlflow.source.git.commit": "abc"}
    compared = surroundings(then, THEN, {}, {"numpy": "2.3.5"})
    assert compared.commit == "abc"
    assert not compared.code_differs  # the same commit is all that is known
    assert not compared.exact
    assert "code" in compared.unknown
    assert surroundings({}, THEN, {}, {}).code_differs
    assert surroundings({}, THEN, {}, {}).commit == ""


def test_the_command_names_commit_and_run_and_survives_the_shell() -> None:
    line = command("r1", "abc", "https://example.org/a b.git")
    words = shlex.split(line)
    assert words[:5] == ["mlflow", "run", "https://example.org/a b.git", "-v", "abc"]
    assert words[-4:] == ["-e", "reproduce", "-P", "run_id=r1"]
    assert shlex.split(command("r1", "abc", ""))[2] == "."
