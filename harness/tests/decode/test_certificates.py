"""Certificate views and PEM bundles."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from harness.decode.certificates import parse_chain, view
from harness.errors import UsageError


def certificate(subject: str, issuer: str) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name.from_rfc4514_string(subject))
        .issuer_name(x509.Name.from_rfc4514_string(issuer))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2024, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2034, 1, 1, tzinfo=UTC))
        .sign(key, SHA256())
    )


ONE = certificate("CN=portal-admin-client,O=cert-manager", "CN=ingress-ca")
OTHER = certificate("CN=a\\,b", "CN=ingress-ca")


def test_names_are_rfc4514_strings_and_the_digest_is_of_the_der() -> None:
    observed = view(ONE)
    assert (observed.subject, observed.issuer) == ("CN=portal-admin-client,O=cert-manager", "CN=ingress-ca")
    assert observed.sha256 == hashlib.sha256(ONE.public_bytes(Encoding.DER)).hexdigest()
    assert view(OTHER).subject == "CN=a\\,b"


def test_a_name_that_cannot_be_read_is_said_to_be_so() -> None:
    der = bytearray(ONE.public_bytes(Encoding.DER))
    at = der.index(b"portal-admin-client")
    der[at] = 0xFF  # the value is a UTF8String
    observed = view(x509.load_der_x509_certificate(bytes(der)))
    assert (observed.subject, observed.issuer) == ("<unreadable subject>", "CN=ingress-ca")


def test_a_bundle_keeps_its_order() -> None:
    pem = ONE.public_bytes(Encoding.PEM) + b"text between\n" + OTHER.public_bytes(Encoding.PEM)
    assert parse_chain(pem) == (ONE, OTHER)


@pytest.mark.parametrize(
    "pem", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"\xff\xfe"]
)
def test_no_certificate_is_a_usage_error(pem: bytes) -> None:
    with pytest.raises(UsageError, match="PEM"):
        parse_chain(pem)
