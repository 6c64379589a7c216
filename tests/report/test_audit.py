"""What is said of an audit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steps.core.audit.audit import audit, document, does_as_well, table
from steps.core.data.dataset import Dataset
from steps.report.audit import audit_text
from steps.report.content import content, short_answer
from steps.report.data import ReportData
from steps.report.render import description, report_html, report_markdown
from steps.report.terminal import closing_lines
from tests.core.audit.studies import BETWEEN, WITHIN, read, study_table

NAMES = ("calm", "fear")
GOOD = {"value": 0.98, "low": 0.9, "high": 1.0}
GUESSING = {"value": 0.6, "low": 0.3, "high": 0.9}
MakeReport = Callable[..., ReportData]


@pytest.fixture
def _no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes seconds, and nothing here is about figures."""
    monkeypatch.setattr("steps.report.render.pictures", lambda _data: [])


def shortcut(kind: str, *, auc: float, found: bool = True, as_well: bool = True, feature: str = "") -> dict[str, Any]:
    row = {"feature": feature, "auc": auc, "higher_in_positive": 1, "p_corrected": 0.001, "median_negative": 100.0,
           "median_positive": 142.5}  # fmt: skip
    is_level = kind in ("offset", "amplitude", "noise floor")
    return {
        "kind": kind,
        "family": "level" if is_level else "recording",
        "warning": not is_level and kind not in ("file order", "order of names"),
        "looked_at": 1,
        "strongest": row,
        "found": [row] if found else [],
        "does_as_well": found and as_well,
    }


def made(*shortcuts: dict[str, Any], models: dict[str, float] | None = GOOD, **fields: Any) -> dict[str, Any]:
    return {
        "checks": 37,
        "findings": 0,
        "alpha": 0.05,
        "permutations": 2000,
        "within_people": False,
        "shortcuts": list(shortcuts),
        "same_for_all": [],
        "same_recordings": [],
        "names": [],
        "both_groups": [],
        **({"models_auc": {**models, "beats_guessing": models["low"] > 0.5}} if models else {}),
        **fields,
    }


def test_nothing_found_is_one_short_sentence() -> None:
    text = audit_text(made(shortcut("length", auc=0.6, found=False)), NAMES)
    assert text.cautions == ()
    assert not text.qualifies
    assert text.clear == "The audit found nothing that would make this answer worthless (37 checks)."
    assert "make an answer worthless" in audit_text(made(models=None), NAMES).clear


def test_a_shortcut_that_does_as_well_takes_the_answer_back() -> None:
    text = audit_text(made(shortcut("length", auc=1.0)), NAMES)
    assert text.cautions == (
        "Careful: the length of the recordings alone tells fear from calm as well as the models do (AUC of people "
        "1.000: median 142.5 samples with fear, 100 with calm). The models may have learned that, or what goes with "
        "it; as long as they may, this answer says nothing about fear.",
    )
    assert text.qualifies
    assert text.alone == (("length", 1.0),)
    assert text.clear == ""


@pytest.mark.parametrize(
    ("models", "as_well", "said"),
    [
        (GOOD, False, "The models do better than that, but part of this answer may come from it"),
        (GUESSING, True, "The models cannot be told from guessing, so they have not learned it."),
        (None, False, "A model may learn that instead of fear."),
    ],
)
def test_what_a_shortcut_means_depends_on_the_models(models: dict[str, float] | None, as_well: bool, said: str) -> None:
    text = audit_text(made(shortcut("sampling rate", auc=0.8, as_well=as_well), models=models), NAMES)
    assert said in text.cautions[0]
    assert text.qualifies == (models is GOOD)


def test_several_shortcuts_are_one_sentence_the_strongest_first() -> None:
    kinds = [shortcut(kind, auc=0.7 + 0.05 * place) for place, kind in enumerate(("length", "sampling rate",
             "missing share", "quantisation"))]  # fmt: skip
    (caution,) = audit_text(made(*kinds), NAMES).cautions
    assert (
        "the rounding of the values, the share of missing values, the sampling rate and 1 more alone each tell"
        in caution
    )


def test_levels_and_order_are_for_people_to_judge() -> None:
    levels = [shortcut("offset", auc=0.95, feature=name) for name in ("knee_x",)]
    text = audit_text(made(*levels, shortcut("file order", auc=1.0)), NAMES)
    assert text.cautions == ()
    assert "found nothing" in text.clear
    assert text.judge.startswith(
        "The mean level (offset) of knee_x alone tells the classes apart, as well as the models do."
    )
    assert any(said.startswith("The order of the recordings in the file") for said in text.sentences)
    weaker = audit_text(made(shortcut("offset", auc=0.8, as_well=False, feature="knee_x")), NAMES)
    assert weaker.judge == ""
    assert any(
        "knee_x alone tells the classes apart. This may be the effect itself" in said for said in weaker.sentences
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"same_recordings": [{"subjects": ["S1", "S2"], "trials": ["a", "b"], "pairs": 3, "distance": 0.0}]},
            "a of S1 and b of S2 are the same recording, or nearly so (3 such pairs); whoever is tested",
        ),
        (
            {"same_recordings": [{"subjects": ["S1", "S1"], "trials": ["a", "b"], "pairs": 1, "distance": 0.0}]},
            "a and b of S1 are one recording in both classes, or nearly so; a label is wrong",
        ),
        ({"names": [["P1_post", "P1_pre"], ["P2", "P2b"]]}, "P1_post and P1_pre look like names of one person, and 1"),
        (
            {
                "identity": {
                    "people": 9,
                    "named": 1.0,
                    "of_two_people": 1.0,
                    "of_two_classes": 0.5,
                    "alike": [["S3", "S9"]],
                }
            },
            "trials of S3 and S9 cannot be told apart, those of everybody else can; if they are one person",
        ),
        ({"both_groups": ["S7"]}, "S7 has recordings of both classes, everybody else of one"),
    ],
)
def test_what_is_there_twice_is_said_first(fields: dict[str, Any], said: str) -> None:
    text = audit_text(made(**fields), NAMES)
    (caution,) = text.cautions
    assert caution.startswith("Careful: ")
    assert said in caution
    assert text.qualifies


def test_every_kind_has_words(tmp_path: Path) -> None:
    for kind in {*BETWEEN, *WITHIN, "duration", "order of names"}:
        text = audit_text(made(shortcut(kind, auc=0.9, feature="x")), NAMES)
        assert text.sentences
        assert all("None" not in said for said in (*text.sentences, *text.cautions, text.clear))
    made_of = document(audit(read(study_table(0), tmp_path), seed=0, with_leak_check=True), GOOD)
    json.dumps(made_of, allow_nan=False)
    text = audit_text(made_of, NAMES)
    assert any(said.startswith("Leak check, not a result") for said in text.sentences)
    assert made_of["leak_check"]["is_a_result"] is False
    assert text.table
    assert len(text.table.rows) == len(made_of["shortcuts"])


def test_the_table_has_a_row_for_every_value(small_study: Dataset) -> None:
    audited = audit(small_study, seed=0)
    rows = table(audited)
    assert len(rows) == len(audited.shortcuts.looked_at)
    assert rows["auc"].between(0.5, 1).all()
    assert (rows["p_value"] <= rows["p_corrected"] + 1e-12).all()
    assert (rows["found"] == (rows["p_corrected"] <= 0.05)).all()


def test_as_well_means_within_what_the_people_can_tell() -> None:
    assert does_as_well(0.9, GOOD)
    assert not does_as_well(0.89, GOOD)
    assert does_as_well(0.7, {"value": 0.7})
    assert not does_as_well(1.0, None)


@pytest.mark.usefixtures("_no_figures")
def test_the_report_qualifies_its_answer(make_report: MakeReport) -> None:
    data = make_report(audit=made(shortcut("length", auc=1.0), identity=None))
    assert data.audit
    page, markdown, described = report_html(data), report_markdown(data), description(data)
    caution = audit_text(data.audit, data.label_names).cautions[0]
    first_screen = page[: page.index('<nav aria-label="Sections">')]
    assert f'<p class="caution" role="note">{caution}' in first_screen
    assert "AUC, length alone" in first_screen
    assert '<section id="audit">' in page
    assert "## Audit" in markdown
    answer, said, *_ = short_answer(data.summary, data.label_names, data.audit)
    assert answer.endswith("; but see the audit.")
    assert said == caution
    assert described.startswith(f"**{answer}** Careful: ")
    assert ("Audit", caution) in closing_lines(data, "", "", [])


@pytest.mark.usefixtures("_no_figures")
def test_a_report_without_findings_says_so_and_one_without_audit_is_whole(make_report: MakeReport) -> None:
    data = make_report(audit=made())
    assert not [name for name, _ in closing_lines(data, "", "", []) if name == "Audit"], "prepare has said so"
    assert '<p class="clear">The audit found nothing' in report_html(data)
    assert 'class="caution"' not in report_html(data)
    without = replace(data, audit=None)
    assert content(without).audit is None
    assert '<section id="audit">' not in report_html(without)
    assert "but see the audit" not in short_answer(without.summary, without.label_names)[0]


@pytest.mark.usefixtures("_no_figures")
def test_names_in_an_audit_are_text(make_report: MakeReport, nasty_study: Dataset) -> None:
    audited = audit(nasty_study, seed=0)
    data = make_report(dataset=nasty_study, audit=document(audited, GOOD))
    assert "<script>alert" not in report_html(data)
    assert np.isfinite(table(audited)["auc"]).all()
