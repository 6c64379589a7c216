"""Signed addresses never reach a log or a message whole."""

from __future__ import annotations

import logging

import pytest

from steps.system.signatures import LOGGERS, log_no_signatures, without_signatures
from steps.tracking.store.tracking_uri import show_uri, without_credentials, without_credentials_in

SIGNED = (
    "/lab/a.bin?partNumber=2&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=s3cret/eu/s3&X-Amz-Signature=s3cret",
    "/lab/a.bin?X-Amz-Security-Token=s3cret%2F%3D&x-amz-signature=s3cret",
    "/lab/a.bin?AWSAccessKeyId=s3cret&Signature=s3cret%3D&Expires=1",
    "/lab/a.bin?X-Goog-Credential=s3cret&X-Goog-Signature=s3cret",
    "/c/a.bin?sv=2024-01-01&se=2026-01-01&sr=b&sig=s3cret%2Bx%3D",
    "/proxy?to=https%3A%2F%2Fhost%2Fa%3FX-Amz-Signature%3Ds3cret",
)


@pytest.mark.parametrize("path", SIGNED)
def test_a_signature_is_hidden_wherever_an_address_stands(path: str) -> None:
    for text in (
        f"HTTPConnectionPool(host='store', port=9000): Max retries exceeded with url: {path} (Caused by …)",
        f"403 Client Error: Forbidden for url: https://store{path}",
        f"(<https://store{path}>, 'a')",
    ):
        for kept in (without_signatures(text), show_uri(text), without_credentials_in(text)):
            assert "s3cret" not in kept
    assert "s3cret" not in without_credentials(f"https://store{path}")


@pytest.mark.parametrize("text", ["signature=(a, b)", "gates=auc,signature", "sig=3", "?signed=yes&design=x", "a&b=c"])
def test_other_texts_stay(text: str) -> None:
    assert without_signatures(text) == text


def test_libraries_log_no_signature(caplog: pytest.LogCaptureFixture) -> None:
    log_no_signatures()
    log_no_signatures()
    for name in LOGGERS:
        assert len([one for one in logging.getLogger(name).filters if type(one).__name__ == "Unsigned"]) == 1
        logging.getLogger(name).warning("Retrying (%r) after connection broken: %s", 3, SIGNED[0])
        logging.getLogger(name).warning("Retrying (%r)", 2)
    assert caplog.messages == [
        f"Retrying (3) after connection broken: {without_signatures(SIGNED[0])}",
        "Retrying (2)",
    ] * len(LOGGERS)
