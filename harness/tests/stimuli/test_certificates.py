"""Certificate classes against a real TLS server: the positive ones get in, the others fail for the one reason."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from harness.decode.tls import alert_name
from harness.pki.deployment import Pki
from harness.pki.issue import Identity
from harness.products.apic import APIC
from harness.stimuli.certificates import CERTIFICATE_CLASSES, write_identity
from harness.tests.builders import SECOND

CLIENT = "portal-admin-client"
TIMEOUT = 10

# What OpenSSL's verification says (X509_V_ERR_*); None: it never came to a verification.
REFUSED: dict[str, int | None] = {
    "tls-no-cert": None,
    "ta-unknown-ca": 20,
    "ta-other-ca": 20,
    "ta-missing-ica": 20,
    "ta-selfsigned-leaf": 18,
    "ta-leaf-not-first": 18,
    "ta-shipped-root": 19,
    "ta-same-name-other-key": 7,
    "ta-alg-chain-broken": 7,
    "v-expired-leaf": 10,
    "v-expired-ica": 10,
    "v-notyet-leaf": 9,
    "k-rsa-weak": 66,
    "eku-server-only": 26,
    "eku-other": 26,
    "eku-any": 26,
    "eku-on-ica": 26,
    "ku-no-digsig": 26,
    "ku-certsign-leaf": 26,
    "ku-no-certsign": 79,
    "ca-false": 79,
    "ca-no-bc": 79,
    "ca-leaf-issues-leaf": 79,
    "pathlen-0": 25,
    "ext-unknown-critical": 34,
    "ext-unknown-critical-ica": 34,
    "nc-dns": 47,
    "nc-dn": 47,
}
POSITIVE = {
    "good",
    "ren-leaf-new-key",
    "via-intermediate",
    "ta-ica-out-of-order",
    "eku-absent",
    "eku-both",
    "ext-unknown-noncritical",
    "pathlen-1",
    "nc-dns-inside",
    "nc-dn-inside",
}
# TLS has no objection: who compares the subject must, or who looks at the CRL.
BY_SUBJECT = {name for name in CERTIFICATE_CLASSES if name.startswith("id-") and name != SECOND} | {
    "ta-root-cert-as-client",
    "tls-crl-revoked",
}

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@dataclass
class Met:
    """What the server saw of one connection."""

    accepted: bool = False
    verify_code: int | None = None
    reason: str = ""


class Server:
    """A TLS server that wants a client certificate from ingress-ca, for one connection at a time."""

    def __init__(self, deployment: Path, version: ssl.TLSVersion) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = self.context.maximum_version = version
        self.context.load_cert_chain(deployment / "secrets/portal-admin/tls-combined.pem")
        self.context.load_verify_locations(deployment / "secrets/ingress-ca/tls.crt")
        self.context.verify_mode = ssl.CERT_REQUIRED

    def answer(self, listener: socket.socket, met: Met) -> None:
        connection, _ = listener.accept()
        connection.settimeout(TIMEOUT)
        with connection:
            try:
                with self.context.wrap_socket(connection, server_side=True) as tls:
                    met.accepted = tls.recv(1) == b"?"
                    tls.sendall(b"!")
            except ssl.SSLError as error:
                met.reason = error.reason or ""
                met.verify_code = getattr(error, "verify_code", None)


def ask(context: ssl.SSLContext, port: int) -> tuple[bytes, str]:
    """What came back, and the alert.  Reads even where writing failed: under TLS 1.3 the alert comes with the read."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="api.portal.apic.test") as tls:
                with contextlib.suppress(OSError):
                    tls.sendall(b"?")
                return tls.recv(1), ""
        except ssl.SSLError as error:
            return b"", alert_name(error.reason or "")


@pytest.fixture(scope="module")
def built(pki: Pki) -> dict[str, Identity | None]:
    return {name: row.build(pki, CLIENT) for name, row in CERTIFICATE_CLASSES.items() if name != SECOND}


def exchange(
    deployment: Path, identity: Identity | None, version: ssl.TLSVersion, folder: Path
) -> tuple[Met, bytes, str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(deployment / "secrets/ingress-ca/tls.crt")
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # the client must be able to present a weak key
    if identity is not None:
        context.load_cert_chain(write_identity(identity, folder, "client"))
    met = Met()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=Server(deployment, version).answer, args=(listener, met))
        thread.start()
        got, alert = ask(context, listener.getsockname()[1])
        thread.join(TIMEOUT)
    assert not thread.is_alive()
    return met, got, alert


def test_every_class_is_expected_once() -> None:
    assert set(CERTIFICATE_CLASSES) == set(REFUSED) | POSITIVE | BY_SUBJECT | {SECOND}
    assert not (set(REFUSED) & POSITIVE or set(REFUSED) & BY_SUBJECT or POSITIVE & BY_SUBJECT)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", sorted(POSITIVE | BY_SUBJECT))
def test_what_tls_accepts(
    name: str, version: ssl.TLSVersion, deployment: Path, built: dict[str, Identity | None], tmp_path: Path
) -> None:
    met, got, _ = exchange(deployment, built[name], version, tmp_path)
    assert (met.accepted, got) == (True, b"!"), met


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_tls_refuses_and_why(
    name: str, version: ssl.TLSVersion, deployment: Path, built: dict[str, Identity | None], tmp_path: Path
) -> None:
    met, got, alert = exchange(deployment, built[name], version, tmp_path)
    assert (met.accepted, got, met.verify_code) == (False, b"", REFUSED[name])
    assert alert, met


@pytest.mark.parametrize("name", sorted(set(CERTIFICATE_CLASSES) - {"tls-no-cert", SECOND}))
def test_each_class_differs_from_its_twin_in_one_thing(name: str, built: dict[str, Identity | None]) -> None:
    mine, twin = built[name], built[CERTIFICATE_CLASSES[name].twin]
    assert mine is not None and twin is not None
    if name in POSITIVE:
        return  # a positive class is its own twin, or more than its twin
    differences = [diff(a, b) for a, b in zip(mine.chain, twin.chain, strict=False)]
    changed = {(index, part) for index, parts in enumerate(differences) for part in parts}
    assert changed == EXPECTED.get(name, {(0, "extensions")} if len(mine.chain) == 1 else {(1, "extensions")})


ISSUED_BY_ANOTHER = {(0, "issuer"), (0, "aki")}
EXPECTED: dict[str, set[tuple[int, str]]] = {
    **{name: {(0, "subject")} for name in CERTIFICATE_CLASSES if name.startswith("id-")},
    "id-san-only": {(0, "subject"), (0, "extensions")},
    "id-reissued": set(),  # another serial number
    "ta-unknown-ca": ISSUED_BY_ANOTHER,
    "ta-other-ca": ISSUED_BY_ANOTHER,
    "ta-shipped-root": ISSUED_BY_ANOTHER,
    "ta-selfsigned-leaf": ISSUED_BY_ANOTHER,
    "ta-leaf-not-first": ISSUED_BY_ANOTHER | {(0, "key")},
    "ta-missing-ica": set(),  # the intermediate is not sent
    "ta-same-name-other-key": set(),  # only the signature differs
    "ta-alg-chain-broken": set(),  # only the signature differs
    "ta-root-cert-as-client": {(0, part) for part in ("subject", "validity", "extensions", "aki")},
    "tls-crl-revoked": {(0, "key")},
    "v-expired-leaf": {(0, "validity")},
    "v-notyet-leaf": {(0, "validity")},
    "v-expired-ica": {(1, "validity")},
    "k-rsa-weak": {(0, "key")},
    "ca-leaf-issues-leaf": ISSUED_BY_ANOTHER | {(1, "subject"), (1, "validity"), (1, "extensions")},
    "pathlen-0": {(2, "extensions")},
    "nc-dns": {(0, "extensions")},
}


def diff(one: x509.Certificate, other: x509.Certificate) -> set[str]:
    """What two certificates say differently, serial number and signature aside.

    An intermediate is made afresh each time, so keys count only for leaves and key identifiers only by presence.
    """
    leaf = one.subject.rfc4514_string() == other.subject.rfc4514_string() == f"CN={CLIENT},O=cert-manager"
    parts = {
        "subject": one.subject == other.subject,
        "issuer": one.issuer == other.issuer,
        "validity": validity(one) == validity(other),
        "extensions": extensions(one) == extensions(other),
        "aki": one.issuer.rfc4514_string().startswith("CN=hopproof") or aki(one) == aki(other),
        "key": not leaf or one.public_key() == other.public_key(),
    }
    return {name for name, same in parts.items() if not same}


def validity(cert: x509.Certificate) -> tuple[object, object]:
    return cert.not_valid_before_utc, cert.not_valid_after_utc


def extensions(cert: x509.Certificate) -> set[tuple[str, bool, object]]:
    identifiers = (x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier)
    return {
        (each.oid.dotted_string, each.critical, each.value)
        for each in cert.extensions
        if not isinstance(each.value, identifiers)
    }


def aki(cert: x509.Certificate) -> object:
    return [each.value for each in cert.extensions if isinstance(each.value, x509.AuthorityKeyIdentifier)]


@pytest.mark.parametrize("secret", APIC.pki.clients)
def test_every_class_can_be_built_for_every_client(pki: Pki, secret: str) -> None:
    for name, row in CERTIFICATE_CLASSES.items():
        assert row.summary
        if name == SECOND:
            continue
        identity = row.build(pki, secret)
        assert (identity is None) == (name == "tls-no-cert")


def test_no_class_presents_the_good_certificate(built: dict[str, Identity | None], pki: Pki) -> None:
    good = pki.secrets[CLIENT].certificate
    assert [name for name, each in built.items() if each and each.certificate == good] == ["good"]


def test_an_identity_is_written_privately(pki: Pki, tmp_path: Path) -> None:
    path = write_identity(pki.secrets[CLIENT], tmp_path, "x")
    assert path == tmp_path / "x.pem"
    assert path.stat().st_mode & 0o777 == 0o600
