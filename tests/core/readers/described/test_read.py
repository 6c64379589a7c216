"""Described studies are the studies they describe: against the same in the layout that needs none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from steps.core.readers.files import Fingerprint
from steps.core.readers.load import load_source, source_fingerprint
from steps.errors import UserError
from tests.core.readers.described.studies import described, frame, write_trials
from tests.core.readers.helpers import write_folder

TABLE = "participant_id\tTSK\tdiagnosis\tgroup\nsub-S1\t40\tfear\tp\nsub-S2\t37\tfear\tp\nsub-S3\t36.5\tcalm\tp\n"
ALL = TABLE + "sub-S4\t20\tcalm\tp\nsub-C1\tn/a\tn/a\tHV\n"
BIDS = "sub-{subject}/ses-1/beh/sub-{subject}_ses-1_task-{label}_run-{trial}.csv"
UNLABELLED = "files: sub-{subject}/ses-1/**/*_run-{trial}.csv\n"


@pytest.fixture
def plain(tmp_path: Path) -> str:
    """Digest of the study as a folder with ``participants/``."""
    return load_source(write_folder(frame(), tmp_path / "plain")).digest()


@pytest.fixture
def bids(tmp_path: Path) -> Path:
    """The same study as BIDS has it."""
    write_trials(frame(), tmp_path / "bids", BIDS, {"time": "Time (s)"})
    (tmp_path / "bids" / "participants.tsv").write_text(ALL)
    return tmp_path / "bids"


def test_labels_of_paths_and_a_control_group_of_a_table(bids: Path, plain: str) -> None:
    source = described(
        bids,
        "files: sub-{subject}/ses-1/**/*_task-{label}_run-{trial}.csv\ncolumns: {time: Time (s)}\n"
        "group: {table: participants.tsv, column: group, control: HV}\nunits: {'*': ''}\n",
    )
    fingerprint = Fingerprint()
    dataset = load_source(source, fingerprint=fingerprint)
    assert dataset.notes == ("Read as study.yaml says.", "Took the column 'Time (s)' as time.")
    assert dataset.description.startswith("files: sub-")
    assert fingerprint.hexdigest() == source_fingerprint(source)
    assert load_source(described(bids, dataset.description.partition("units")[0])).digest() == plain


@pytest.mark.parametrize("labels", ["column: diagnosis", "score: TSK >= 37\n  names: {fear: fear, no_fear: calm}"])
def test_labels_of_a_table_of_participants(bids: Path, plain: str, labels: str) -> None:
    text = f"{UNLABELLED}labels:\n  table: participants.tsv\n  {labels}\ngroup: {{column: group, control: HV}}\n"
    fingerprint = Fingerprint()
    assert load_source(described(bids, text), fingerprint=fingerprint).digest() == plain
    assert fingerprint.hexdigest() == source_fingerprint(str(bids))
    before = source_fingerprint(str(bids))
    (bids / "participants.tsv").write_text(ALL.replace("sub-S1\t40\tfear", "sub-S1\t20\tcalm"))
    assert source_fingerprint(str(bids)) != before


def test_a_table_for_each_subject_and_one_for_all(tmp_path: Path, plain: str) -> None:
    names = {"label": "condition", "trial": "rep", "time": "t (s)", "group": "arm"}
    for subject, rows in frame().groupby("subject"):
        (tmp_path / "each").mkdir(exist_ok=True)
        rows.drop(columns="subject").rename(columns=names).to_csv(tmp_path / "each" / f"{subject}.csv", index=False)
    columns = "columns: {label: condition, trial: rep, time: t (s), group: arm}\n"
    assert load_source(described(tmp_path / "each", f"files: '{{subject}}.csv'\n{columns}")).digest() == plain
    frame().rename(columns={**names, "subject": "ID"}).to_csv(tmp_path / "all.csv", index=False)
    dataset = load_source(str(tmp_path / "all.csv"), study=f"{{{columns.strip().replace('{', '{subject: ID, ')}}}")
    assert dataset.digest() == plain
    assert dataset.facts is not None
    assert dataset.facts.order.tolist() != []
    assert np.isfinite(dataset.facts.order).all()


def test_rows_of_a_described_table_are_those_of_the_file(tmp_path: Path) -> None:
    table = frame().rename(columns={"subject": "ID"})
    order = np.lexsort((table.index, table["trial"]))  # trials do not stand together
    table = table.iloc[order].reset_index(drop=True)
    table.loc[40, "knee"] = np.nan
    table.to_csv(tmp_path / "all.csv", index=False)
    study = "{columns: {subject: ID}}"
    with pytest.raises(
        UserError, match=r"all\.csv, row 42 \(subject 'S4', label 'calm', trial 't0'\): column 'knee' holds"
    ):
        load_source(str(tmp_path / "all.csv"), study=study)


def test_session_site_and_side_become_part_of_names(tmp_path: Path) -> None:
    write_trials(frame(), tmp_path, "A/{subject}/2/{label}/{trial}_left.csv")
    patterns = "files: '{site}/{subject}/{session}/{label}/{trial}_{side}.csv'\n"
    group = "group: {table: p.csv, column: g, control: c}\n"
    (tmp_path / "p.csv").write_text("id,g\nS1,p\nS2,p\nS3,p\nS4,p\nC1,c\n")
    dataset = load_source(described(tmp_path, patterns + group))
    assert set(dataset.trials) == {f"A_2_t{i}_left" for i in range(3)}
    assert "Trials are called by site and session and trial and side." in dataset.notes
    composed = load_source(described(tmp_path, f"{patterns}subject: '{{site}}-{{subject}}'\n"), positive_label="fear")
    assert set(composed.subjects) == {"A-S1", "A-S2", "A-S3", "A-S4", "A-C1"}
    write_trials(frame(), tmp_path, "B/{subject}/2/{label}/{trial}_left.csv")
    with pytest.raises(UserError, match="subject 'C1' is there at the sites 'A', 'B'; if they are different people"):
        load_source(described(tmp_path, patterns))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("files: '{subject}/*.txt'\n", r"no file of .* fits '\{subject\}/\*\.txt'; it holds 'participants.tsv'"),
        ("rate: 4\n", "says no files"),
        (UNLABELLED, "does not say where labels are"),
        (f"{UNLABELLED}labels: {{table: participants.tsv, column: diagnoses}}",
         r"line 2: labels names 'diagnoses', which is no column of participants\.tsv; .* did you mean 'diagnosis'\?"),
        (f"{UNLABELLED}labels: {{table: other.tsv, column: a}}", r"line 2: labels: 'other\.tsv' is not there"),
        (f"{UNLABELLED}labels: {{table: participants.tsv, score: TSK >= 37}}",
         r"1 of 5 subjects have no 'TSK' in participants\.tsv: 'C1'; expected a number .* exclude=C1"),
        (f"{UNLABELLED}labels: {{table: participants.tsv, score: TSK >= 41}}\ngroup: {{column: group, control: HV}}",
         r"TSK >= 41 makes all 4 subjects 'no_fear' and 0 'fear' \(TSK goes from 20 to 40\)"),
        (f"{UNLABELLED}labels: {{table: participants.tsv, column: diagnosis}}\ngroup: {{column: group, control: HC}}",
         "group: control is 'HC', which is no value of 'group' in participants.tsv; it has 'HV', 'p'"),
        (f"{UNLABELLED}labels: {{table: participants.tsv, column: diagnosis, names: {{feer: fear}}}}\n"
         "group: {column: group, control: HV}", "names says 'feer', which is no label; there are 'calm', 'fear'"),
        ("files: '**/*_run-{trial}.csv'\nlabels: {column: knee}",
         "does not say whose .* is; expected {subject} in files"),
        (f"{UNLABELLED}units: {{kne: deg}}\nlabels: {{table: participants.tsv, column: diagnosis}}\n"
         "group: {column: group, control: HV}",
         r"units\.kne names no feature; there are 'knee', 'hip'; did you mean 'knee'\?"),
    ],
)  # fmt: skip
def test_what_does_not_fit(bids: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_source(described(bids, text))


def test_a_subject_without_a_score_may_be_left_out(bids: Path) -> None:
    source = described(bids, f"{UNLABELLED}labels: {{table: participants.tsv, score: TSK >= 37}}\n")
    dataset = load_source(source, exclude=(("C1",),))
    assert dataset.label_counts == {"0": 6, "1": 6}
    assert dataset.label_names == ("no_fear", "fear")


def test_labels_that_are_not_named_are_left_out_and_said(tmp_path: Path) -> None:
    table = frame().rename(columns={"subject": "ID", "label": "task"})
    table.loc[table["trial"] == "t2", "task"] = "pause"
    table["task"] = table["task"].replace("", "rest")
    table = table.drop(columns="group")
    table.to_csv(tmp_path / "all.csv", index=False)
    study = "{columns: {subject: ID}, labels: {column: task, names: {fear: F, calm: N}}, positive_label: F}"
    dataset = load_source(str(tmp_path / "all.csv"), study=study)
    assert dataset.label_names == ("N", "F")
    assert (
        "Left out 7 trials under labels that the description does not name: 'pause' (5), 'rest' (2)." in dataset.notes
    )
    assert set(dataset.trials) == {"t0", "t1"}


def test_files_that_fit_nothing_are_said(bids: Path) -> None:
    (bids / "sub-S1" / "extra.csv").write_text("a\n1\n")
    (bids / "README").write_text("")
    files = "files: sub-{subject}/ses-1/**/*_task-{label:fear|calm|none}_run-{trial}.csv\n"
    dataset = load_source(described(bids, f"{files}group: {{table: participants.tsv, column: group, control: HV}}\n"))
    assert dataset.notes[2].startswith(
        "WARNING: Not read: 1 file without suffix (README); 1 file .csv (sub-S1/extra.csv)"
    )


def test_a_table_of_participants_in_a_workbook(bids: Path, plain: str) -> None:
    pytest.importorskip("python_calamine")
    pytest.importorskip("openpyxl")
    table = pd.read_csv(bids / "participants.tsv", sep="\t", keep_default_na=False)
    table["TSK"] = pd.to_numeric(table["TSK"], errors="coerce")
    table.to_excel(bids / "people.xlsx", index=False)
    labels = "labels: {table: people.xlsx, score: TSK >= 37, names: {fear: fear, no_fear: calm}}\n"
    text = f"{UNLABELLED}{labels}group: {{column: group, control: HV}}\n"
    assert load_source(described(bids, text)).digest() == plain


def test_columns_of_files_without_a_header(tmp_path: Path, plain: str) -> None:
    write_trials(frame(), tmp_path, "{subject}_{label}_{trial}.tsv")
    for file in tmp_path.glob("*.tsv"):
        lines = file.read_text().replace(",", "\t").splitlines(keepends=True)
        file.write_text("".join(lines[1:]))
    (tmp_path / "p.csv").write_text("id,g\nS1,p\nS2,p\nS3,p\nS4,p\nC1,c\n")
    text = "files: '{subject}_{label}_{trial}.tsv'\nheader: [time, knee, hip]\n"
    dataset = load_source(described(tmp_path, f"{text}group: {{table: p.csv, column: g, control: c}}\n"))
    assert dataset.digest() == plain


def _scored(tmp_path: Path, table: str) -> str:
    write_trials(frame(), tmp_path, "{subject}_{trial}_{label}.csv")
    (tmp_path / "people.csv").write_text(table)
    return described(
        tmp_path, 'files: "{subject}_{trial}_*.csv"\nlabels: {table: people.csv, subject: who, score: "TSK >= 37.5"}\n'
    )


def test_scores_may_have_decimal_commas(tmp_path: Path) -> None:
    source = _scored(tmp_path, "who;TSK\nS1;37,5\nS2;40\nS3;37,4\nS4;20,25\nC1;18\n")
    dataset = load_source(source)
    assert set(dataset.subjects[dataset.labels == 1]) == {"S1", "S2"}


@pytest.mark.parametrize("code", ["999", "9999", "-99", "-9"])
def test_a_code_for_a_missing_score_is_no_score(code: str, tmp_path: Path) -> None:
    source = _scored(tmp_path, f"who;TSK\nS1;{code}\nS2;40\nS3;37\nS4;20\nC1;18\n")
    with pytest.raises(UserError, match=f"'TSK' in people.csv: 'S1' has {code}, unlike all others; does it stand"):
        load_source(source)


def test_a_score_that_is_high_is_a_score(tmp_path: Path) -> None:
    source = _scored(tmp_path, "who;TSK\nS1;99\nS2;68\nS3;37\nS4;-9.5\nC1;18\n")
    assert load_source(source).label_counts == {"0": 9, "1": 6}


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig"])
def test_a_table_of_participants_may_be_in_any_encoding(bids: Path, plain: str, encoding: str) -> None:
    table = ALL.replace("diagnosis", "Größe\tdiagnosis", 1).replace("\tfear", "\tgroß\tfear")
    table = table.replace("\tcalm", "\tklein\tcalm")
    table = table.replace("n/a\tn/a", "n/a\tklein\tn/a")
    (bids / "participants.tsv").write_bytes(table.encode(encoding))
    labels = "labels: {table: participants.tsv, column: diagnosis}\ngroup: {column: group, control: HV}\n"
    assert load_source(described(bids, f"{UNLABELLED}{labels}")).digest() == plain
