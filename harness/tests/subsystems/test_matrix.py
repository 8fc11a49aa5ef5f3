"""The rules matrix: which credentials each posture of each kind looks at.  Real sockets, a real process."""

from __future__ import annotations

from typing import Any

import pytest

from harness.tests.subsystems.support import Deployment

KINDS = ("portal", "analytics", "api-gateway", "v5c-gateway")
NO_CERTIFICATE: dict[str, Any] = {"identity": None}
NO_TOKEN: dict[str, Any] = {"token": None}


def _matrix() -> list[tuple[str, str, bool, bool]]:
    """kind, posture, looks at the certificate, looks at the token."""
    rows = []
    for kind in KINDS:
        gateway = "gateway" in kind
        rows += [
            (kind, "default", not gateway, False),
            (kind, "mtls", True, False),
            (kind, "jwt", False, True),
            (kind, "both", True, kind != "analytics"),
        ]
    return [*rows, ("api-gateway", "tls-only", False, False), ("event-gateway", "default", True, False)]


@pytest.mark.parametrize(("kind", "posture", "certificate", "token"), _matrix())
def test_posture(lab: Deployment, kind: str, posture: str, certificate: bool, token: bool) -> None:
    server = lab.start(kind, posture)
    good = server.good()
    assert good.served and good.acted and good.reason == ""
    assert good.seen["requests"][0]["token"]["claims"]["iss"] == "IBM API Connect"

    without = server.good(**NO_CERTIFICATE)
    assert without.served is without.acted is not certificate
    assert without.reason == ("certificate-missing" if certificate else "")
    assert bool(good.seen["client_chain"]) is certificate

    for changes, reason in ((NO_TOKEN, "token-missing"), ({"token": "abc"}, "token-malformed")):
        other = server.good(**changes)
        assert other.served is other.acted is not token
        assert (other.status, other.reason) == ((401, reason) if token else (good.status, ""))


def test_challenges(lab: Deployment) -> None:
    server = lab.start("portal", "jwt")
    assert server.good(token=None).headers["www-authenticate"] == 'Bearer realm="portal"'
    assert server.good(token="a.b.c").headers["www-authenticate"] == 'Bearer realm="portal", error="invalid_token"'
    twice = server.good(headers=(f"Authorization: Bearer {lab.token()}",))
    assert (twice.status, twice.reason, twice.acted) == (400, "bad-request", False)
    assert twice.headers["www-authenticate"] == 'Bearer realm="portal", error="invalid_request"'


@pytest.mark.parametrize("kind", ["portal", "analytics"])
@pytest.mark.parametrize(
    ("subject", "same"),
    [
        ("CN={},O=cert-manager", True),
        ("CN={},O=Cert-Manager", True),
        ("CN={},O=cert-manager2", False),
        ("CN={}", False),
        ("O=cert-manager,CN={}", False),
        ("CN={}+O=cert-manager", False),
        ("CN={},O=cert-manager,O=cert-manager", False),
        ("CN=x\\,CN\\={},O=cert-manager", False),
    ],
)
def test_subject(lab: Deployment, kind: str, subject: str, same: bool) -> None:
    from cryptography import x509

    from harness.tests.subsystems.support import CLIENT

    server = lab.start(kind, "mtls")
    identity = lab.certificate(kind, subject=x509.Name.from_rfc4514_string(subject.format(CLIENT[kind])))
    result = server.good(identity=identity)
    assert result.served is result.acted is same
    if not same:
        assert (result.status, result.reason) == (403, "subject-mismatch")
        assert result.seen["client_chain"][0]["sha256"] == identity.certificate.fingerprint(_sha256()).hex()


def _sha256() -> Any:
    from cryptography.hazmat.primitives.hashes import SHA256

    return SHA256()


def test_legacy_place_of_the_subject(lab: Deployment) -> None:
    ingestion = {"endpoint": lab.resource("analytics")["spec"]["ingestion"]["endpoint"]}
    changes = {"ingestion": ingestion, "clientSubjectDN": "CN=analytics-ingestion-client,O=cert-manager"}
    server = lab.start("analytics", "mtls", changes)
    assert server.good().served
    assert server.good(identity=lab.pki.secrets["portal-admin-client"]).status == 403


def test_old_name_on_the_gateway(lab: Deployment) -> None:
    server = lab.start("api-gateway", changes={"validateApimClient": True})
    assert server.good().served
    assert server.good(identity=None).reason == "certificate-missing"
    assert any("validateApimClient" in line and "WARNING" in line for line in lab.process.log)


def test_where_a_token_may_stand(lab: Deployment) -> None:
    server, token = lab.start("analytics", "jwt"), lab.token()
    bare: dict[str, Any] = {"token": None, "identity": None}
    elsewhere: list[dict[str, Any]] = [
        {"path": f"/ingestion?access_token={token}"},
        *({"headers": (field,)} for field in (
            f"Cookie: access_token={token}",
            f"X-Access-Token: {token}",
            f"Proxy-Authorization: Bearer {token}",
            f"Authorization: JWT {token}",
            f"Authorization: {token}",
            f"Authorization: Bearer{token}",
            "Authorization: Bearer ",
        )),
    ]  # fmt: skip
    for location in elsewhere:
        result = server.good(**bare, **location)
        assert (result.status, result.reason, result.acted) == (401, "token-missing", False), location
    for field in (
        f'Authorization: Bearer "{token}"',
        f"Authorization: Bearer  {token}",
        f"Authorization: Bearer {token} x",
    ):
        assert server.good(**bare, headers=(field,)).reason == "token-malformed"
    for field in (f"Authorization: bearer {token}", f"Authorization:   BEARER {token}  "):
        assert server.good(**bare, headers=(field,)).served
    both = server.good(path=f"/ingestion?access_token={token}")
    assert (both.status, both.reason, both.acted) == (400, "bad-request", False)


def test_authentication_comes_before_everything_else(lab: Deployment) -> None:
    server = lab.start("portal", "jwt")
    assert server.good(path="/nowhere", token=None).status == 401
    assert server.good(body=b"{", token=None).status == 401
    assert server.good(method="OPTIONS", token=None).status == 401
    lost = server.good(path="/nowhere")
    assert (lost.status, lost.reason) == (404, "not-found")
    for body in (b"{", b"[]", b"{}", b'{"name": "other"}', b'{"name": 1}', b"[" * 100_000):
        bad = server.good(body=body)
        assert (bad.status, bad.reason, bad.acted) == (400, "bad-request", False)
    assert server.good(body=b"x" * 2_000_000).status == 413


def test_gateway_protects_both_of_its_requests(lab: Deployment) -> None:
    server = lab.start("api-gateway", "both")
    for path in ("/mgmt/services/a", "/mgmt/apis/a"):
        assert server.good(path=path, body=b'{"name": "a"}').status == 201
        assert server.good(path=path, body=b'{"name": "a"}', token=None).status == 401
