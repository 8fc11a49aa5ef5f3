"""Every fault: its probe is served by the faulty server and turned away (or the other way round) by the reference, and
the faulty server still does what all servers must."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from harness.pki.deployment import public_jwk
from harness.pki.issue import issue, with_broken_signature
from harness.products.registry import reference
from harness.subsystems.registry import Registry
from harness.tests.subsystems.forgeries import fetched, kept_for_ever, remembered
from harness.tests.subsystems.support import PATIENCE, Deployment, Server
from harness.tests.subsystems.test_keys import act
from harness.tests.subsystems.test_tls import DAY, rogue, under_leaf
from harness.tests.subsystems.test_tokens import embedded, hmac_with_public_key, unsigned

FAULTS = {fault.name: fault for fault in Registry.of(reference().subsystems).faults()}

Symptom = Callable[["Scene"], bool]


@dataclass
class Scene:
    """A lab and a server under test, faulty or not."""

    lab: Deployment
    server: Server
    stranger: rsa.RSAPrivateKey


@dataclass(frozen=True)
class Probe:
    """Where a fault is looked for; *symptom* is true at the faulty server only."""

    kind: str
    posture: str
    symptom: Symptom
    changes: dict[str, Any] = field(default_factory=dict)
    good: bool = True


def _certificate(**changes: Any) -> Symptom:
    return lambda scene: _let_in(scene, identity=scene.lab.certificate(scene.server.kind, **changes))


def _subject(text: str) -> Symptom:
    return _certificate(subject=x509.Name.from_rfc4514_string(text))


def _token(headers: dict[str, Any] | None = None, **claims: Any) -> Symptom:
    return lambda scene: _let_in(scene, token=scene.lab.token(headers, **claims))


def _let_in(scene: Scene, **changes: Any) -> bool:
    result = scene.server.good(**changes)
    assert result.served is result.acted
    return result.served


def _status(status: int, **changes: Any) -> Symptom:
    return lambda scene: scene.server.good(**changes).status == status


def _untrusted(scene: Scene) -> bool:
    return _let_in(scene, identity=scene.lab.certificate("portal", issuer=rogue(scene.lab)))


def _same_name(scene: Scene) -> bool:
    without_akid = rogue(scene.lab, same_name=True)
    return _let_in(scene, identity=scene.lab.certificate("portal", issuer=without_akid))


def _embedded(scene: Scene) -> bool:
    return _let_in(scene, token=scene.lab.token(embedded(scene.lab, scene.stranger), key=scene.stranger))


def _carried(scene: Scene) -> bool:
    certificate = issue(scene.lab.pki.ca_profile("x"), key=scene.stranger).certificate
    header = {"x5c": [base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()]}
    return _let_in(scene, token=scene.lab.token(header, key=scene.stranger))


def _pss(scene: Scene) -> bool:
    claims = jwt.decode(scene.lab.token(), options={"verify_signature": False})
    return _let_in(scene, token=jwt.encode(claims, scene.lab.pki.signing_key, "PS256", {"kid": scene.lab.pki.kid}))


def _query(scene: Scene) -> bool:
    return _let_in(scene, token=None, path=f"/ingestion?access_token={scene.lab.token()}")


def _acts(scene: Scene) -> bool:
    result = scene.server.good(token=None)
    assert result.status == 401
    return result.acted


def _clear(scene: Scene) -> bool:
    with socket.create_connection(("127.0.0.1", scene.server.port), PATIENCE) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: plain.recv(4096), b"")).startswith(b"HTTP/1.1 ")


def _fetches(count: int) -> Symptom:
    def symptom(scene: Scene) -> bool:
        for _ in range(3):
            assert scene.server.good().served
        return scene.server.counter("jwks_fetches") == count

    return symptom


def _forever(scene: Scene) -> bool:
    assert scene.server.good().served
    days = 10 * 86_400
    scene.lab.process.do("clock", offset=days)
    now = int(time.time()) + days
    assert scene.server.good(token=scene.lab.token(iat=now, exp=now + 600)).served
    scene.lab.process.do("clock", offset=0)
    return scene.server.counter("jwks_fetches") == 1


def _both(symptom: Symptom, kind: str = "portal") -> Probe:
    return Probe(kind, "both", symptom)


def _mtls(symptom: Symptom) -> Probe:
    return Probe("portal", "mtls", symptom)


def _jwt(symptom: Symptom) -> Probe:
    return Probe("analytics", "jwt", symptom)


def _service(**claims: Any) -> Probe:
    return Probe("service", "jwt", _token(**claims))


NOW = int(time.time())
UNVERIFIED = {"mgmtPlatformEndpointCASecret": {"secretName": "management-ca"}}
PROBES = {
    "requests-but-does-not-require": _mtls(lambda scene: _let_in(scene, identity=None)),
    "accepts-no-client-certificate": _mtls(lambda scene: _let_in(scene, identity=None)),
    "trusts-any-ca": _mtls(_untrusted),
    "trusts-ca-by-name": _mtls(_same_name),
    "ignores-certificate-validity": _mtls(
        lambda scene: _let_in(scene, identity=scene.lab.certificate("portal", not_after=scene.lab.pki.now - DAY / 2))
    ),
    "ignores-extended-key-usage": _mtls(_certificate(extended=(ExtendedKeyUsageOID.SERVER_AUTH,))),
    "ignores-revocation": _mtls(lambda scene: _let_in(scene, identity=scene.lab.pki.revoked("portal-admin-client"))),
    "accepts-leaf-as-ca": _mtls(lambda scene: _let_in(scene, identity=under_leaf(scene.lab))),
    "ignores-subject-dn": _mtls(_subject("CN=somebody-else")),
    "compares-cn-only": _mtls(_subject("CN=portal-admin-client,O=other")),
    "compares-dn-as-set": _mtls(_subject("O=cert-manager,CN=portal-admin-client")),
    "answers-clear-text": _mtls(_clear),
    "starts-unprotected": Probe("portal", "", lambda scene: True),
    "default-is-tls-only": Probe("portal", "default", lambda scene: _let_in(scene, identity=None)),
    "ignores-token": _jwt(lambda scene: _let_in(scene, token="abc")),
    "verifies-token-by-default": Probe("portal", "default", lambda scene: not _let_in(scene, token=None)),
    "analytics-verifies-jwt-under-mtls": _both(lambda scene: not _let_in(scene, token=None), "analytics"),
    "portal-skips-jwt-when-both": _both(lambda scene: _let_in(scene, token=None)),
    "portal-skips-mtls-when-both": _both(lambda scene: _let_in(scene, identity=None)),
    "demands-certificate-under-jwt": _jwt(lambda scene: not _let_in(scene, identity=None)),
    "acts-before-verifying": _jwt(_acts),
    "accepts-missing-token": _jwt(lambda scene: _let_in(scene, token=None)),
    "accepts-query-token": _jwt(_query),
    "accepts-alg-none": _jwt(lambda scene: _let_in(scene, token=unsigned(scene.lab))),
    "accepts-hs256-with-public-key": _jwt(lambda scene: _let_in(scene, token=hmac_with_public_key(scene.lab))),
    "takes-any-rsa-algorithm": _jwt(_pss),
    "uses-embedded-jwk": _jwt(_embedded),
    "trusts-header-x5c": _jwt(_carried),
    "follows-token-urls": _jwt(lambda scene: fetched(scene.lab, scene.server)),
    "remembers-tokens-without-signature": _jwt(lambda scene: remembered(scene.lab, scene.server)),
    "remembers-tokens-for-ever": _jwt(lambda scene: kept_for_ever(scene.lab, scene.server)),
    "skips-signature": _jwt(lambda scene: _let_in(scene, token=scene.lab.token(key=scene.stranger))),
    "tries-any-key": _jwt(_token({"kid": "unknown"})),
    "ignores-expiry": _jwt(_token(exp=NOW - 60)),
    "accepts-missing-expiry": _jwt(_token(exp=None)),
    "allows-a-quarter-of-an-hour": _jwt(_token(exp=NOW - 300)),
    "ignores-not-before": _jwt(_token(nbf=NOW + 7200)),
    "ignores-audience": _service(aud="another"),
    "compares-audience-loosely": _service(aud="N/A"),
    "wants-one-audience": Probe(
        "service", "jwt", lambda scene: not _let_in(scene, token=scene.lab.token(aud=["another", "n/a"]))
    ),
    "ignores-issuer": _service(iss="another"),
    "compares-issuer-loosely": _service(iss="IBM API Connect/"),
    "ignores-crit": _jwt(_token({"crit": ["x"], "x": 1})),
    "refuses-unknown-members": _jwt(lambda scene: not _let_in(scene, token=scene.lab.token(None, anything=1))),
    "answers-403-for-token": _jwt(_status(403, token=None)),
    "answers-500-on-bad-token": _jwt(_status(500, token="abc")),
    "fetches-keys-unverified": Probe("analytics", "jwt", _let_in, UNVERIFIED, good=False),
    "fetches-keys-per-request": _jwt(_fetches(3)),
    "keeps-keys-forever": _jwt(_forever),
    "accepts-without-keys": Probe("analytics", "jwt", _let_in, UNVERIFIED, good=False),
}
MANAGEMENT_PROBES: dict[str, Callable[[Deployment, Server], bool]] = {
    "omits-token": lambda lab, management: _sent(lab, management, "jwt")["status"] == 401,
    "sends-stale-token": lambda lab, management: _sent(lab, management, "jwt")["status"] == 401,
    "skips-server-verification": lambda lab, management: (
        _sent(lab, management, "default", host="other.apic.test")["status"] is not None
    ),
}


def _sent(lab: Deployment, management: Server, posture: str, host: str = "") -> dict[str, Any]:
    return act(lab, management, "register-portal", lab.start("portal", posture), "n", host)


@pytest.fixture(scope="module")
def stranger() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


# Their symptom takes several subsystems, time, or requests of another kind to show: the kill matrix shows it, no probe.
_SHOWN = """
    skips-host-name publishes-private-key gateway-omits-token v5c-sends-token demands-certificate-by-default
    protects-only-registration ignores-old-switch-name keeps-old-ingestion-certificate never-refetches-keys
    refetches-for-every-unknown-key forgets-keys-on-failure trusts-key-server-by-ca-alone
    drops-key-sets-with-other-kinds refuses-platform-api distrusts-in-cluster-service open-over-tls12
    open-under-another-name resumes-without-certificate believes-certificate-header believes-identity-headers
    protects-some-methods protects-exact-path open-to-upgrades
"""
SHOWN_BY_THE_KILL_MATRIX = set(_SHOWN.split())


# Of these areas the kill matrix shows every fault: an STS, and a gateway with its own configuration.
MATRIX_AREAS = {"apk", "exchange"}


def test_every_fault_has_a_probe() -> None:
    probes = set(PROBES) | set(MANAGEMENT_PROBES)
    assert {
        fault.name for fault in FAULTS.values() if fault.area not in MATRIX_AREAS
    } == probes | SHOWN_BY_THE_KILL_MATRIX
    assert not probes & SHOWN_BY_THE_KILL_MATRIX
    # Faults are named in lower case, requirements in capitals.
    implied = {(fault.name, name) for fault in FAULTS.values() for name in fault.implies if name == name.lower()}
    assert all(name in FAULTS and name != fault for fault, name in implied)
    assert {fault.area for fault in FAULTS.values()} == {
        "flows",
        "tokens",
        "chains",
        "bypass",
        "forgeries",
    } | MATRIX_AREAS


@pytest.mark.parametrize("name", [name for name in PROBES if name != "starts-unprotected"])
def test_fault(lab: Deployment, stranger: rsa.RSAPrivateKey, name: str) -> None:
    probe = PROBES[name]
    reference, faulty = (
        Scene(lab, lab.start(probe.kind, probe.posture, probe.changes, faults=faults), stranger)
        for faults in ([], [name])
    )
    assert not probe.symptom(reference)
    assert probe.symptom(faulty)
    if probe.good:
        assert reference.server.good().served and faulty.server.good().served


def test_what_was_forgiven_is_forgotten(lab: Deployment, stranger: rsa.RSAPrivateKey) -> None:
    """OpenSSL's error would otherwise end this connection or the next, every other time."""
    broken = with_broken_signature(lab.certificate("portal"))
    scene = Scene(lab, lab.start("portal", "mtls", faults=["trusts-any-ca"]), stranger)
    assert all(_let_in(scene, identity=broken) and _let_in(scene) for _ in range(5))


def test_fault_starts_unprotected(lab: Deployment) -> None:
    changes = {"mtlsValidateClient": False}
    assert "cannot both be disabled" in lab.refusal("portal", changes)
    assert lab.start("portal", "tls-only", faults=["starts-unprotected"]).good(identity=None, token=None).served


@pytest.mark.parametrize("name", MANAGEMENT_PROBES)
def test_management_fault(lab: Deployment, name: str) -> None:
    probe = MANAGEMENT_PROBES[name]
    assert not probe(lab, lab.start("management"))
    faulty = lab.start("management", faults=[name])
    assert probe(lab, faulty)
    assert _sent(lab, faulty, "default")["status"] == 201


@pytest.mark.parametrize(
    "name",
    [name for name, fault in FAULTS.items() if fault.area != "flows" and "portal" in fault.on and name not in (
        "accepts-no-client-certificate", "requests-but-does-not-require"
    )],
)  # fmt: skip
def test_a_fault_leaves_the_rest_intact(lab: Deployment, stranger: rsa.RSAPrivateKey, name: str) -> None:
    """A missing certificate, and a token signed by nobody, where the fault is not about them."""
    server = lab.start("portal", "both", faults=[name])
    assert server.good().served
    assert server.good(identity=None).reason == "certificate-missing"
    fault = FAULTS[name]
    if fault.area == "chains":
        assert server.good(token=None).reason == "token-missing"
    elif name not in ("skips-signature", "remembers-tokens-without-signature"):
        assert server.good(token=lab.token(key=stranger)).reason == "token-signature"
    if name not in ("trusts-any-ca", "trusts-ca-by-name"):
        assert server.good(identity=lab.certificate("portal", issuer=rogue(lab))).reason == "certificate-untrusted"


def test_published_key_material_is_public(lab: Deployment) -> None:
    assert json.loads((lab.folder / "jwt" / "jwks.json").read_text())["keys"][0].keys() == {
        *public_jwk(lab.pki.signing_key.public_key()), "kid", "use", "alg",
    }  # fmt: skip
