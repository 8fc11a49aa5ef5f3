"""Alert names against the words of the OpenSSL that is installed."""

from __future__ import annotations

import subprocess

import pytest

from harness.decode.tls import ALERTS, alert_name

_SSL_LIBRARY = 20 << 23  # ERR_LIB_SSL in OpenSSL 3's error codes
_REASON_OFFSET = 1000  # SSL_AD_REASON_OFFSET: an alert received has the reason 1000 + its number


def openssl_words() -> dict[int, str]:
    """The text OpenSSL has for each alert received; '' where it has none."""
    codes = [f"{_SSL_LIBRARY + _REASON_OFFSET + number:08X}" for number in ALERTS]
    done = subprocess.run(["openssl", "errstr", *codes], capture_output=True, text=True, check=True)
    texts = [line.rsplit(":", 1)[1] for line in done.stdout.splitlines()]
    assert len(texts) == len(codes)
    return {number: "" if text.startswith("reason(") else text for number, text in zip(ALERTS, texts, strict=True)}


def test_every_alert_openssl_has_words_for_is_named() -> None:
    words = {number: text for number, text in openssl_words().items() if text}
    assert len(words) > 25
    assert {number: alert_name(text) for number, text in words.items()} == {number: ALERTS[number] for number in words}


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "certificate_required"),
        ("TLSV13_ALERT_MISSING_EXTENSION", "missing_extension"),
        ("TLSV1_ALERT_UNKNOWN_CA", "unknown_ca"),
        ("TLSV1_ALERT_DECRYPT_ERROR", "decrypt_error"),
        ("TLSV1_ALERT_DECODE_ERROR", "decode_error"),
        ("TLSV1_ALERT_INTERNAL_ERROR", "internal_error"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "protocol_version"),
        ("TLSV1_ALERT_NO_APPLICATION_PROTOCOL", "no_application_protocol"),
        ("TLSV1_ALERT_USER_CANCELLED", "user_canceled"),
        ("TLSV1_UNRECOGNIZED_NAME", "unrecognized_name"),
        ("TLSV1_BAD_CERTIFICATE_STATUS_RESPONSE", "bad_certificate_status_response"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", "bad_certificate"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "handshake_failure"),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "certificate_expired"),
        ("SSLV3_ALERT_CERTIFICATE_UNKNOWN", "certificate_unknown"),
        ("ssl/tls alert bad certificate", "bad_certificate"),
        ("tlsv13 alert certificate required", "certificate_required"),
        ("tls alert handshake failure", "handshake_failure"),
        ("[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca (_ssl.c:2580)", "unknown_ca"),
        ("[('SSL routines', '', 'tlsv1 alert unknown ca')]", "unknown_ca"),
    ],
)
def test_what_ssl_and_pyopenssl_say(reason: str, name: str) -> None:
    assert alert_name(reason) == name


@pytest.mark.parametrize(
    "reason",
    [
        "",
        "CERTIFICATE_VERIFY_FAILED",
        "PEER_DID_NOT_RETURN_A_CERTIFICATE",
        "NO_APPLICATION_PROTOCOL",
        "UNKNOWN_CA",
        "WRONG_VERSION_NUMBER",
        "UNEXPECTED_MESSAGE",
        "TLSV1_ALERT_SOMETHING_NEW",
        "EOF occurred in violation of protocol",
    ],
)
def test_what_is_no_alert(reason: str) -> None:
    assert alert_name(reason) == ""


def test_the_registry_has_no_two_alerts_of_one_name() -> None:
    assert len(set(ALERTS.values())) == len(ALERTS)
    assert all(name == name.lower() and 0 <= number <= 255 for number, name in ALERTS.items())
