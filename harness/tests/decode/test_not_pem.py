"""Certificates and keys in the forms that other tools write: each is recognised, and what is PEM is left alone."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
    pkcs12,
)

from harness.decode.not_pem import hint
from harness.pki.deployment import Pki
from harness.products.registry import reference


@pytest.fixture(scope="module")
def forms() -> dict[str, bytes]:
    client = Pki.create(reference().pki).secrets["portal-admin-client"]
    certificate, key = client.certificate, client.key
    assert key is not None
    return {
        "certificate": certificate.public_bytes(Encoding.PEM),
        "der": certificate.public_bytes(Encoding.DER),
        "pkcs12": pkcs12.serialize_key_and_certificates(b"a", key, certificate, None, BestAvailableEncryption(b"x")),
        "pkcs7": pkcs7.serialize_certificates([certificate], Encoding.DER),
        "pkcs7-pem": pkcs7.serialize_certificates([certificate], Encoding.PEM),
        "key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "key-der": key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        "public": key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "base64": base64.encodebytes(certificate.public_bytes(Encoding.PEM)),
        "trusted": certificate.public_bytes(Encoding.PEM).replace(b"N CERT", b"N TRUSTED CERT"),
        "keystore": b"\xfe\xed\xfe\xed\0\0\0\2",
        "text": b"a certificate",
        "binary": b"\x80\xff",
    }


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("der", "openssl x509 -inform DER"),
        ("pkcs12", "openssl pkcs12 -in FILE -nokeys"),
        ("pkcs7", "openssl pkcs7 -inform DER"),
        ("pkcs7-pem", "openssl pkcs7 -print_certs"),
        ("key", "a private key, where a certificate is expected"),
        ("public", "public key"),
        ("base64", "base64 -d FILE"),
        ("trusted", "openssl x509 -in FILE"),
        ("keystore", "keytool"),
        ("certificate", ""),
        ("text", ""),
        ("binary", ""),
    ],
)
def test_where_a_certificate_is_expected(forms: dict[str, bytes], form: str, said: str) -> None:
    found = hint(forms[form], certificate=True)
    assert said in found if said else not found


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("certificate", "a certificate, where a private key is expected"),
        ("key-der", "openssl pkey -inform DER"),
        ("pkcs12", "-nocerts -noenc"),
        ("key", ""),
    ],
)
def test_where_a_key_is_expected(forms: dict[str, bytes], form: str, said: str) -> None:
    found = hint(forms[form], certificate=False)
    assert said in found if said else not found
