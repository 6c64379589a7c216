"""What the text of a parameter means."""

from __future__ import annotations

import pytest

from steps.errors import UserError
from steps.parameter_values import (
    Compared,
    parse_class_weight,
    parse_runs,
    parse_source,
    parse_threshold,
    parse_thresholds,
)


def test_thresholds_keep_the_order_given() -> None:
    assert parse_thresholds("0.5, 0.43,0.35") == (0.5, 0.43, 0.35)


@pytest.mark.parametrize("text", ["", " ", "0.5,", "0", "1", "1.0", "-0.1", "nan", "inf", "half", "0.5;0.4", "50%"])
def test_what_is_no_probability_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is not a number between 0 and 1"):
        parse_thresholds(text)


def test_a_threshold_given_twice_is_refused() -> None:
    with pytest.raises(UserError, match=r"'0\.50' is there twice"):
        parse_thresholds("0.5,0.50")


def test_none_and_given_weights() -> None:
    assert parse_class_weight("balanced") is None
    assert parse_class_weight("none") == (1.0, 1.0)
    assert parse_class_weight("1,2.5") == (1.0, 2.5)


@pytest.mark.parametrize("rule", ["", "even", "1", "1,2,3", "1,-2", "0,0", "1,nan", "inf,1"])
def test_bad_weights_are_quoted(rule: str) -> None:
    with pytest.raises(UserError, match=r"class_weight=.*expected"):
        parse_class_weight(rule)


@pytest.mark.parametrize("text", ["", "latest", "latest,", "latest,latest", "logistic,majority", "a,b,c"])
def test_runs_are_two_of_which_one_is_a_training(text: str) -> None:
    with pytest.raises(UserError, match="runs="):
        parse_runs(text)
    assert parse_runs(" latest, logistic") == (Compared("latest", True), Compared("logistic", False))


@pytest.mark.parametrize(("text", "threshold"), [("auto", None), ("0.35", 0.35), (" .5", 0.5)])
def test_a_threshold_is_a_number_or_left_to_the_model(text: str, threshold: float | None) -> None:
    assert parse_threshold(text) == threshold


@pytest.mark.parametrize("text", ["1.5", "0.5,0.4", "high", "nan", "", "0", "1"])
def test_a_threshold_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=f"^tag is '{text}', expected 'auto' or a number between 0 and 1$"):
        parse_threshold(text, "tag")


@pytest.mark.parametrize(
    "source",
    [
        "study.csv",
        "a?b#c@d:e.csv",
        "s3://bucket/study.csv",
        "s3://bucket/study.csv?versionId=3x#sha256=" + "0" * 64,
        "abfss://container@account.dfs.core.windows.net/study",
        "sftp://me@host/study.csv",
        "https://host:8443/study.csv",
        "file:///folder/a?b.csv",
        "runs:/abc/dataset",
    ],
)
def test_sources_that_can_be_recorded(source: str) -> None:
    assert parse_source(source) == source


@pytest.mark.parametrize(
    "source",
    [
        "https://host/study.csv?X-Amz-Signature=s3cret",
        "https://host/study.csv?versionId=1&sig=s3cret",
        "https://s3cret@host/study.csv",
        "s3://key:s3cret@bucket/study.csv",
        "SFTP://me:s3cret@host/study.csv",
        "az://container/study?s3cret#x",
    ],
)
def test_sources_that_hold_a_secret_are_refused_without_it(source: str) -> None:
    with pytest.raises(UserError, match="holds a password or a token, which would be recorded") as raised:
        parse_source(source)
    assert "s3cret" not in str(raised.value)


def test_what_follows_a_source_is_a_digest_or_nothing() -> None:
    with pytest.raises(UserError, match="after # stands sha256="):
        parse_source("s3://bucket/study.csv#md5=1")
