"""The client's certificate in a header: each encoding as its proxy sends it, and each form of it wrong in one thing."""

from __future__ import annotations

import base64
import re
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from harness.model.vocabulary import CertificateEncoding
from harness.pki.deployment import Pki
from harness.pki.issue import Identity
from harness.stimuli.certificate_header import WRITERS, header_field
from harness.targets.schema import schema

_NAME, _USUAL = "X-Cert", "X-Usual-Cert"
_DER = frozenset({CertificateEncoding.BASE64_DER, CertificateEncoding.URL_ENCODED_DER})


@pytest.fixture(scope="module")
def client(pki: Pki) -> Identity:
    return pki.secrets["apk-employee-client"]


def _value(client: Identity, encoding: CertificateEncoding, form: str = "") -> str:
    ((_, value),) = header_field(_NAME, _USUAL, client, form, encoding)
    return value.decode("ascii")


def _read(encoding: CertificateEncoding, value: str) -> x509.Certificate:
    """What a reader of that encoding makes of *value*; raises ValueError where that is no certificate."""
    if encoding is CertificateEncoding.XFCC:
        fields = dict(re.findall(r'(\w+)="?([^";]*)"?', value))
        found = x509.load_pem_x509_certificate(unquote(fields["Cert"]).encode())
        assert fields["Hash"] == found.fingerprint(SHA256()).hex()
        return found
    if encoding is CertificateEncoding.RFC_9440:
        begin, content, end = value[:1], value[1:-1], value[-1:]
        assert begin == end == ":"
        return x509.load_der_x509_certificate(base64.b64decode(content, validate=True))
    if encoding in _DER:
        return x509.load_der_x509_certificate(base64.b64decode(unquote(value), validate=True))
    return x509.load_pem_x509_certificate(unquote(value).encode())


@pytest.mark.parametrize("encoding", CertificateEncoding)
def test_each_encoding_holds_the_certificate(client: Identity, encoding: CertificateEncoding) -> None:
    assert _read(encoding, _value(client, encoding)) == client.certificate


@pytest.mark.parametrize("encoding", CertificateEncoding)
@pytest.mark.parametrize("form", ["header-malformed", "header-cut", "header-text", "header-blank"])
def test_what_is_no_certificate_is_none_in_any_encoding(
    client: Identity, encoding: CertificateEncoding, form: str
) -> None:
    with pytest.raises((ValueError, AssertionError, KeyError)):
        _read(encoding, _value(client, encoding, form))


def test_letters_that_a_reader_would_change_are_escaped(client: Identity) -> None:
    value = _value(client, CertificateEncoding.URL_ENCODED_PEM)
    assert value.startswith("-----BEGIN%20CERTIFICATE-----%0A") and value.endswith("-----END%20CERTIFICATE-----%0A")
    assert not set("+/= \n") & set(value)


def test_forms_of_pem_are_encoded_as_the_server_expects(client: Identity) -> None:
    plain = _value(client, CertificateEncoding.PEM, "header-folded")
    assert unquote(_value(client, CertificateEncoding.URL_ENCODED_PEM, "header-folded")) == plain
    bare = _value(client, CertificateEncoding.PEM, "header-no-markers")
    assert unquote(_value(client, CertificateEncoding.URL_ENCODED_PEM, "header-no-markers")) == bare
    assert "CERTIFICATE" not in bare and " " in plain


def test_the_name_differs_where_the_form_says_so(client: Identity) -> None:
    for form, name in (("header-default-name", _USUAL), ("header-lower-case", "x-cert"), ("header-cut", _NAME)):
        ((found, _),) = header_field(_NAME, _USUAL, client, form)
        assert found == name


def test_the_schema_names_the_same_encodings() -> None:
    assert list(WRITERS) == list(CertificateEncoding)
    allowed = schema()["$defs"]["server"]["properties"]["certificate_encoding"]["enum"]
    assert allowed == list(CertificateEncoding)
