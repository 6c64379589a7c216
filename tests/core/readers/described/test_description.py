"""``study.yaml``: one line for whatever is wrong, with line and key; nothing but text comes out of YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from steps.core.readers.choice import Choice
from steps.core.readers.described.description import find_description, parse_description
from steps.errors import UserError
from tests.core.readers.described.studies import described

FILES = "files: '{subject}/{label}/{trial}.csv'\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("files: {subject}/a.csv",
         r"^study\.yaml, line 1: 'files: \{subject\}/a\.csv' cannot be read; put the text in double"),
        ("files:\n  - {subject}/a.csv",
         r"line 2: '- \{subject\}/a\.csv' cannot be read; put the text in double quotes"),
        ("files: *.csv", "line 1: .* cannot be read; put the text in double quotes|line 1: holds an anchor or alias"),
        ("file: a", r"^study\.yaml, line 1: key 'file' is not known, expected files, .* did you mean 'files'\?"),
        (f"{FILES}columns:\n  subjct: a",
         r"line 3: columns\.subjct is not known, expected subject, .* mean 'subject'\?"),
        (f"{FILES}columns:\n  subject: [a]", r"line 3: columns\.subject is a list, expected text"),
        (f"{FILES}labels:\n  table: p.tsv\n  score: TSK 37",
         r"line 4: labels\.score is 'TSK 37', expected a column, a sign"),
        (f"{FILES}labels:\n  score: TSK > 3", "line 2: labels names a score but no table"),
        (f"{FILES}trials:\n  windows: {{length: 3 s}}", r"line 3: trials\.windows\.length is '3 s', expected a number"),
        (f"{FILES}trials:\n  windows: {{length: 0}}",
         r"line 3: trials\.windows\.length is '0', expected a number above 0"),
        (f"{FILES}trials:\n  windows: {{lenght: 3}}",
         r"key 'lenght' is not known in trials\.windows, .*mean 'length'\?"),
        (f"{FILES}trials: {{}}", "line 2: trials says nothing, expected windows, events or stretches"),
        (f"{FILES}trials:\n  events: {{files: a.csv}}",
         r"trials\.events has no end of events, expected one of duration"),
        (f"{FILES}{FILES}", "line 2: key 'files' was already given in line 1"),
        ("sources: {EDA: a.csv}", "says sources but no rate"),
        ("- a", "line 1: holds no keys"),
        ("", "is empty"),
        ("a: &b [1]\nc: *b", "line 1: holds an anchor or alias"),
        ("a: !!python/object/apply:os.system [x]", "line 1: holds a tag"),
        ('units: {a: "\\ud800"}', r"line 1: '\\ud800' holds signs that cannot be printed"),
        ("files: |\n  a\n  b", "line 1: .* holds signs that cannot be printed"),
        (f"{FILES}units: {{a: {'m' * 65}}}", r"line 2: units\.a is .*, expected at most 64 characters"),
        (f"{FILES}labels: {{table: ../p.tsv, column: a}}", r"labels\.table is '\.\./p\.tsv', expected a file in the"),
        (f"{FILES}group: {{table: /etc/passwd, column: a, control: b}}", r"group\.table is '/etc/passwd', expected"),
        ("[" * 5000, "line 1: more than 12 levels"),
        ("a: 1\n---\nb: 1", "line 2: a second document begins"),
        ("files: '{subjct}.csv'", r"line 1: files: '\{subjct\}\.csv' has the placeholder"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_line_and_key(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_description(text.encode(), "study.yaml")


def test_values_stay_text_but_where_a_number_is_expected() -> None:
    study = parse_description(
        b"files: a.csv\nlabels: {column: c, names: {no: calm, 007: fear, 2024-01-01: '1.0'}}\nrate: 4\n", "study.yaml"
    ).study
    assert study.labels is not None
    assert study.labels.names == {"no": "calm", "007": "fear", "2024-01-01": "1.0"}
    assert study.rate == 4.0


def test_too_large_or_not_text() -> None:
    with pytest.raises(UserError, match="expected a description of at most"):
        parse_description(b"a" * 300_000, "study.yaml")
    with pytest.raises(UserError, match="is not UTF-8 text: byte 0xff at offset 0"):
        parse_description(b"\xff", "study.yaml")


def test_where_a_description_comes_from(tmp_path: Path) -> None:
    folder = described(tmp_path / "study", FILES)
    other = tmp_path / "other.yaml"
    other.write_text("files: b.csv\n")
    assert find_description(str(tmp_path)) is None
    assert find_description("simulated") is None
    assert find_description(folder, "none") is None
    found = find_description(folder)
    assert found is not None
    assert found.text == FILES
    for given in (str(other), "{files: b.csv}", "files: b.csv\nrate: 3"):
        elsewhere = find_description(folder, given)
        assert elsewhere is not None
        assert elsewhere.study.files == ["b.csv"]
    with pytest.raises(UserError, match=r"study is 'no\.yaml', which is no file"):
        find_description(folder, "no.yaml")


def test_parameters_count_more_than_the_description() -> None:
    description = parse_description(
        b"files: a.csv\nfeatures: knee*\nignore: [x]\ncolumns: {site: hospital}", "study.yaml"
    )
    assert description.choice(Choice()).features == ("knee*",)
    assert description.choice(Choice(features=("hip",), ignore=("y",))) == Choice(
        features=("hip",), ignore=("y", "x"), called=(("{site}", "hospital"),)
    )
