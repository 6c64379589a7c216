from __future__ import annotations

import io
import keyword
import re

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import confusion_matrix

from steps.core.metrics.decisions import with_votes
from steps.core.metrics.export import as_parquet, codebook, codebook_table, export_table
from steps.core.metrics.in_fold_threshold import FoldThreshold, in_fold_table
from steps.core.metrics.predictions import FoldPrediction, results_table, subjects_table
from tests.core.metrics.conftest import THRESHOLDS, StudyMaker, make_dataset

NAMES = ("no_fear", "fear")
# The words that may not be a variable in SPSS (Command Syntax Reference, "Variable Names").
RESERVED = {"ALL", "AND", "BY", "EQ", "GE", "GT", "LE", "LT", "NE", "NOT", "OR", "TO", "WITH"}


def chosen_thresholds(results: pd.DataFrame) -> pd.DataFrame:
    """A fold per subject and test number, each with a threshold of its own."""
    pairs = results[["subject", "test_number"]].drop_duplicates().itertuples(index=False)
    return in_fold_table(
        [
            (str(name), int(number), [str(name)], FoldThreshold(0.3 + 0.01 * row, 0.5, "validation", 4, 20))
            for row, (name, number) in enumerate(pairs)
        ]
    )


@pytest.fixture
def exported(study: StudyMaker) -> tuple[pd.DataFrame, pd.DataFrame]:
    results = study(test_numbers=2, mixed=2)
    return results, export_table(results, THRESHOLDS, chosen_thresholds(results), NAMES)


def test_a_row_per_subject_trial_test_number_and_threshold(exported: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    results, table = exported
    assert len(table) == 3 * len(results)
    assert not table.duplicated(["subject", "label", "trial", "test_number", "threshold_name"]).any()
    assert set(table["threshold_name"]) == {"threshold_0.5", "threshold_0.35", "threshold_in_fold"}
    assert not table.isna().any().any()


def test_names_load_everywhere_and_the_codebook_has_them_all(exported: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    _, table = exported
    for name in table.columns:
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name)
        assert len(name) <= 64
        assert name.upper() not in RESERVED
        assert not keyword.iskeyword(name)
    book = codebook_table(NAMES)
    assert list(book.columns) == ["variable", "type", "measurement", "meaning", "values"]
    assert book["variable"].tolist() == list(table.columns)
    assert not book.isna().any().any()
    kinds = {"text": "O", "integer": "i", "number": "f"}
    for variable in codebook(NAMES):
        assert table[variable.name].dtype.kind == kinds[variable.kind]


def test_rows_say_what_the_results_say(exported: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    results, table = exported
    half = table[table["threshold_name"] == "threshold_0.5"]
    keys = ["test_number", "subject", "trial", "label"]
    same = half.sort_values(keys)["decision"].to_numpy() == results.sort_values(keys)["prediction_0.5"].to_numpy()
    assert same.all()
    tn, fp, fn, tp = confusion_matrix(results["label"], results["prediction_0.5"]).ravel()
    assert half["outcome"].value_counts().to_dict() == {"tn": tn, "fp": fp, "fn": fn, "tp": tp}
    assert half["correct"].mean() == (tn + tp) / len(results)
    own = table[table["threshold_name"] == "threshold_in_fold"]
    expected = own.merge(chosen_thresholds(results), on=["subject", "test_number"], suffixes=("", "_chosen"))
    np.testing.assert_array_equal(expected["threshold"], expected["threshold_chosen"])
    np.testing.assert_array_equal(own["decision"], own["probability"] >= own["threshold"])


def test_subjects_are_those_of_the_subjects_table(study: StudyMaker) -> None:
    results = study(mixed=2)
    table = export_table(results, THRESHOLDS, chosen_thresholds(results), NAMES)
    expected = with_votes(subjects_table(results, THRESHOLDS), results, THRESHOLDS)
    once = table[table["threshold_name"] == "threshold_0.35"].drop_duplicates(["subject", "label"])
    once = once.sort_values(["subject", "label"])
    np.testing.assert_allclose(once["subject_probability"], expected["probability"])
    for ours, theirs in (
        ("subject_trials", "trials"),
        ("subject_decision", "prediction_0.35"),
        ("subject_vote", "vote_0.35"),
    ):
        np.testing.assert_array_equal(once[ours], expected[theirs])


def test_both_files_read_back_the_same() -> None:
    """Names that look like numbers, missing values or formulas survive where types are given."""
    names = ["007", "NA", "Ünal, J.", "=1+1"]
    folds = [FoldPrediction(make_dataset([n], ["01"], [i % 2]), 1, np.array([1 / 3])) for i, n in enumerate(names)]
    results = results_table(folds, (0.5,))
    table = export_table(results, THRESHOLDS, chosen_thresholds(results), NAMES)
    types = {variable.name: str for variable in codebook(NAMES) if variable.kind == "text"}
    text = table.to_csv(index=False, lineterminator="\n")
    back = pd.read_csv(io.StringIO(text), dtype=types, keep_default_na=False, float_precision="round_trip")
    pd.testing.assert_frame_equal(back, table, check_dtype=False)
    parquet = pq.read_table(io.BytesIO(as_parquet(table)))
    pd.testing.assert_frame_equal(parquet.to_pandas(), table, check_dtype=False)
    kinds = {field.name: str(field.type) for field in parquet.schema}
    assert kinds["label"] == "int64"
    assert kinds["probability"] == "double"
    assert kinds["subject"].endswith("string")
    assert set(back["subject"]) == set(names)


def test_a_subject_in_no_fold_is_a_bug(study: StudyMaker) -> None:
    results = study()
    with pytest.raises(ValueError, match="'s000' is in no fold"):
        export_table(results, THRESHOLDS, chosen_thresholds(results).query("subject != 's000'"), NAMES)
