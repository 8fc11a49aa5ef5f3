"""What a gateway is shown of its client's certificate, as an inspection says it and judges by it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from harness.model.vocabulary import CertificateEncoding
from harness.stimuli.certificate_header import WRITERS
from mitm_addons.inspection import session, view
from mitm_addons.inspection.certificate_header import presented
from mitm_addons.inspection.marking import NOT_JUDGED, SATISFIES, VIOLATES, Marker
from mitm_addons.inspection.session import Session
from mitm_addons.tests.certificates import Authority
from mitm_addons.tests.inspection.conftest import OTHER, Exchange, data, expected_form, token

_HEADER = "X-Cert"
_COMBINED = {
    "good": "served",
    "str-no-token": "unauthenticated",
    "sig-wrong-key": "unauthenticated",
    "tls-no-cert": "unauthenticated",
    "ta-unknown-ca": "unauthenticated",
    "header-malformed": "unauthenticated",
}


def _content(file: Path) -> str:
    """The certificate of *file* in Base64."""
    return "".join(file.read_text("ascii").rpartition("-----BEGIN CERTIFICATE-----")[2].split("-----")[0].split())


def _digest(file: Path) -> str:
    return x509.load_pem_x509_certificate(file.read_bytes()).fingerprint(SHA256()).hex()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return Authority(tmp_path, "ca").issue("client.test", "client")


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    return Authority(tmp_path, "other-ca").issue("client.test", "stranger")


@pytest.fixture
def gateway(own: Path) -> Session:
    form = data()
    form["flow"]["modes"] = {"mtls": "mandatory", "oauth2": "mandatory"}
    form["flow"]["server"]["certificate_header"] = _HEADER
    form["certificates"] = {_digest(own): "good"}
    form["expected"] = {name: expected_form(check, "APK-7") for name, check in _COMBINED.items()}
    form["classes"] |= {"tls-no-cert": ["certificate-missing"], "ta-unknown-ca": ["certificate-untrusted"]}
    form["classes"] |= {"header-malformed": ["certificate-untrusted"], "exp-past": ["token-expired"]}
    return session.from_json(form)


@pytest.mark.parametrize("encoding", CertificateEncoding)
def test_a_certificate_is_known_in_each_encoding(own: Path, encoding: CertificateEncoding) -> None:
    value, digest = WRITERS[encoding](_content(own)), _digest(own)
    found = presented([value], encoding, {digest: "good"})
    assert (found.stimulus, found.sha256) == ("good", digest)
    assert (found.subject, found.issuer) == ("CN=client.test", "CN=ca")
    assert presented([value], encoding, {}).stimulus == "ta-unknown-ca"


def test_what_is_no_certificate(own: Path) -> None:
    pem = CertificateEncoding.PEM
    good = WRITERS[pem](_content(own))
    assert [presented(values, pem, {}).stimulus for values in ([], [" "], ["x"], [good, good], [good[:200]])] == [
        "tls-no-cert",
        "tls-no-cert",
        "header-malformed",
        "header-malformed",
        "header-malformed",
    ]
    assert presented([good], CertificateEncoding.URL_ENCODED_DER, {}).stimulus == "header-malformed"


def test_a_gateway_is_judged_by_both(gateway: Session, exchange: Exchange, own: Path, stranger: Path) -> None:
    marker = Marker(gateway)
    right, wrong = (WRITERS[CertificateEncoding.PEM](_content(file)) for file in (own, stranger))

    def verdict(header: str | None, authorization: str | None, status: int, path: str = "/things/1") -> tuple[str, str]:
        flow = exchange(authorization, status, path=path)
        if header is not None:
            flow.request.headers[_HEADER] = header
        mark = marker.mark(flow)
        return mark.verdict, mark.stimulus

    bearer, expired = f"Bearer {token()}", f"Bearer {token(exp=1)}"
    assert verdict(right, bearer, 201) == (SATISFIES, "good")
    assert verdict(right, bearer, 401) == (VIOLATES, "good")
    assert verdict(None, bearer, 401) == (SATISFIES, "tls-no-cert")
    assert verdict(None, bearer, 201) == (VIOLATES, "tls-no-cert")
    assert verdict(wrong, bearer, 201) == (VIOLATES, "ta-unknown-ca")
    assert verdict("nonsense", bearer, 201) == (VIOLATES, "header-malformed")
    assert verdict(right, None, 401) == (SATISFIES, "str-no-token")
    assert verdict(right, expired, 201) == (VIOLATES, "exp-past")
    assert verdict(right, f"Bearer {token(OTHER)}", 201) == (VIOLATES, "sig-wrong-key")
    assert verdict(wrong, expired, 401)[0] == NOT_JUDGED
    assert verdict(None, bearer, 201, path="/another-api") == (NOT_JUDGED, "tls-no-cert")


def test_the_view_names_the_certificate_and_never_its_text(gateway: Session, exchange: Exchange, own: Path) -> None:
    flow = exchange(f"Bearer {token()}")
    content = _content(own)
    flow.request.headers[_HEADER] = WRITERS[CertificateEncoding.PEM](content)
    Marker(gateway).mark(flow).put(flow)
    text = view.described(flow, b"")
    assert "Certificate: good - the certificate header holds the client's own" in text
    assert "subject CN=client.test" in text and f"sha256 {_digest(own)}" in text
    assert content[:40] not in text and token()[:30] not in text


def test_behind_a_proxy_the_handshake_counts(gateway: Session, exchange: Exchange) -> None:
    server = replace(gateway.flow.server, certificate_in_handshake=True)
    proxied = replace(gateway, flow=replace(gateway.flow, server=server))
    flow = exchange(f"Bearer {token()}", 401)
    assert Marker(proxied).mark(flow).stimulus == "tls-no-cert"
    assert Marker(replace(proxied, as_client=True)).mark(flow).verdict == VIOLATES
    assert (Marker(proxied).certificate_header, Marker(gateway).certificate_header) == ("", _HEADER)
