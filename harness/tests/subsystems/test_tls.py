"""Client certificates: real alerts under TLS 1.2 and 1.3, the right reason in the record, one record a connection."""

from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from tlslite.api import HTTPTLSConnection, TLSConnection, X509CertChain, parsePEMKey  # type: ignore[import-untyped]

from harness.pki.issue import Identity, issue, with_broken_signature
from harness.tests.subsystems.support import PATIENCE, Deployment, Server, client_context

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
DAY = timedelta(days=1)
NO_CA = x509.BasicConstraints(ca=False, path_length=None)
assert HTTPTLSConnection  # tlslite-ng is there, not the abandoned tlslite


@pytest.fixture(scope="module")
def server(lab: Deployment) -> Server:
    return lab.start("portal", "mtls")


def rogue(lab: Deployment, same_name: bool = False) -> Identity:
    """A CA nobody trusts; with the name of the trusted one, if asked for."""
    profile = lab.pki.ca_profile("ingress-ca")
    return issue(profile if same_name else replace(profile, subject=x509.Name.from_rfc4514_string("CN=rogue")))


def under_leaf(lab: Deployment) -> Identity:
    """A certificate issued by a certificate that is no CA.

    That one has another name: OpenSSL 4 does not look for the issuer of a certificate that names itself.
    """
    name = x509.Name.from_rfc4514_string("CN=no CA")
    middle = lab.certificate("portal", subject=name, key_usage=None, extended=None, constraints=NO_CA)
    return lab.certificate("portal", issuer=middle).sending(middle)


def pathlen(lab: Deployment) -> Identity:
    """Two CAs below one that allows none below it."""
    profile = lab.pki.ca_profile("first")
    first = issue(
        replace(profile, constraints=x509.BasicConstraints(ca=True, path_length=0)), lab.pki.secrets["ingress-ca"]
    )
    second = issue(replace(profile, subject=x509.Name.from_rfc4514_string("CN=second")), first)
    return lab.certificate("portal", issuer=second).sending(second, first)


CLASSES: dict[str, tuple[Callable[[Deployment], Identity | None], str, tuple[str, str]]] = {
    "none": (lambda lab: None, "certificate-missing", ("handshake failure", "certificate required")),
    "unknown-ca": (
        lambda lab: lab.certificate("portal", issuer=rogue(lab)),
        "certificate-untrusted",
        ("unknown ca",) * 2,
    ),
    "unknown-ca-shipped": (
        lambda lab: lab.certificate("portal", issuer=(ca := rogue(lab))).sending(ca),
        "certificate-untrusted",
        ("unknown ca",) * 2,
    ),
    "same-name": (
        lambda lab: lab.certificate("portal", issuer=rogue(lab, same_name=True)),
        "certificate-untrusted",
        ("unknown ca",) * 2,
    ),
    "self-signed": (lambda lab: issue(lab.profile("portal")), "certificate-untrusted", ("unknown ca",) * 2),
    "broken-signature": (
        lambda lab: with_broken_signature(lab.certificate("portal")),
        "certificate-untrusted",
        ("decrypt error",) * 2,
    ),
    "expired": (
        lambda lab: lab.certificate("portal", not_after=lab.pki.now - DAY / 2),
        "certificate-validity",
        ("certificate expired",) * 2,
    ),
    "not-yet": (
        lambda lab: lab.certificate("portal", not_before=lab.pki.now + DAY),
        "certificate-validity",
        ("bad certificate",) * 2,
    ),
    "server-only": (
        lambda lab: lab.certificate("portal", extended=(ExtendedKeyUsageOID.SERVER_AUTH,)),
        "certificate-purpose",
        ("unsupported certificate",) * 2,
    ),
    "no-digital-signature": (
        lambda lab: lab.certificate("portal", key_usage=frozenset({"key_encipherment"})),
        "certificate-purpose",
        ("unsupported certificate",) * 2,
    ),
    "leaf-as-ca": (under_leaf, "certificate-chain", ("unknown ca",) * 2),
    "pathlen": (pathlen, "certificate-chain", ("unknown ca",) * 2),
    "critical-extension": (
        lambda lab: lab.certificate(
            "portal", extra=((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),)
        ),
        "certificate-chain",
        ("certificate unknown", "certificate unknown"),
    ),
}


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
@pytest.mark.parametrize("name", CLASSES)
def test_bad_certificate(lab: Deployment, server: Server, name: str, version: ssl.TLSVersion) -> None:
    make, reason, alerts = CLASSES[name]
    identity = make(lab)
    result = server.good(identity=identity, version=version)
    assert (result.status, result.acted) == (None, False)
    assert "alert" in result.error.lower(), result.error
    assert alerts[version is ssl.TLSVersion.TLSv1_3] in result.error.lower().replace("_", " "), result.error
    observed = result.seen
    assert (observed["rejected"], observed["established"], observed["requests"]) == (reason, False, [])
    assert (
        observed["detail"]
        and observed["tls_version"] == version.name.replace("_", ".")
        and observed["sni"] == "api.portal.apic.test"
    )
    if identity is not None:
        assert observed["client_chain"]


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
def test_good_certificate(lab: Deployment, server: Server, version: ssl.TLSVersion) -> None:
    result = server.good(version=version)
    assert result.served
    chain = result.seen["client_chain"]
    assert [item["subject"] for item in chain] == ["CN=portal-admin-client,O=cert-manager", "CN=ingress-ca"]


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
def test_both_ends_digest_the_same_handshake(lab: Deployment, server: Server, version: ssl.TLSVersion) -> None:
    results = [server.good(version=version) for _ in range(2)]
    theirs = [result.seen["handshake_sha256"] for result in results]
    assert theirs == [hashlib.sha256(result.finished).hexdigest() for result in results]
    assert theirs[0] != theirs[1] and all(result.finished for result in results)


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
def test_no_session_is_resumed(lab: Deployment, server: Server, version: ssl.TLSVersion) -> None:
    context = client_context(lab, lab.pki.secrets["portal-admin-client"], version)
    plain = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
    with plain, context.wrap_socket(plain, server_hostname="api.portal.apic.test") as first:
        first.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        while first.recv(4096):
            continue
        session = first.session
    result = server.good(context=context, session=session)
    assert result.served and result.reused is False


@pytest.mark.parametrize("version", [(3, 3), (3, 4)], ids=["TLSv1_2", "TLSv1_3"])
def test_stolen_certificate(lab: Deployment, server: Server, version: tuple[int, int]) -> None:
    """A CertificateVerify by another key, which no OpenSSL client can send."""
    from tlslite.api import HandshakeSettings

    keys = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]
    chain = X509CertChain()
    chain.parsePemList(issue(lab.profile("portal"), lab.pki.secrets["ingress-ca"], key=keys[0]).pem().decode())
    other = keys[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    settings = HandshakeSettings()
    settings.minVersion = settings.maxVersion = version
    settings.certificate_compression_send = []  # tlslite compresses unasked, which OpenSSL refuses
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as plain:
        port = plain.getsockname()[1]
        connection = TLSConnection(plain)
        with pytest.raises(Exception, match="decrypt_error"):
            connection.handshakeClientCert(chain, parsePEMKey(other.decode(), private=True), settings=settings)
            connection.read()  # no request: written to a connection that is closed already, it would hide the alert
    record = lab.process.connection(server.port, port)
    assert record["rejected"] == "certificate-key", record["detail"]


def test_weak_key(lab: Deployment, server: Server) -> None:
    from harness.tests.subsystems.support import CLIENT

    weak = issue(
        lab.pki.profile(CLIENT["portal"]),
        lab.pki.secrets["ingress-ca"],
        key=rsa.generate_private_key(public_exponent=65537, key_size=1024),
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.load_verify_locations(cadata=lab.pki.secrets["ingress-ca"].pem().decode())
    path = lab.folder / "weak.pem"
    path.write_bytes(weak.key_pem() + weak.pem())
    context.load_cert_chain(path)
    result = server.good(context=context)
    assert (result.status, result.reason) == (None, "certificate-key")


def test_same_ca_rule(lab: Deployment, tmp_path: object) -> None:
    """A second CA in ca.crt, which did not issue the server's certificate, is not trusted."""
    secret = lab.folder / "secrets" / "portal-admin"
    before = (secret / "ca.crt").read_bytes()
    other = rogue(lab)
    try:
        (secret / "ca.crt").write_bytes(before + other.pem())
        server = lab.start("portal", "mtls")
    finally:
        (secret / "ca.crt").write_bytes(before)
    assert server.good().served
    assert server.good(identity=lab.certificate("portal", issuer=other)).reason == "certificate-untrusted"


def _plain(server: Server, data: bytes) -> tuple[bytes, int]:
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as plain:
        plain.sendall(data)
        if data == b"":
            plain.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while chunk := plain.recv(4096):
                answer += chunk
        except ConnectionError:
            answer += b""
        return answer, plain.getsockname()[1]


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
def test_clear_text(lab: Deployment, server: Server, data: bytes) -> None:
    answer, port = _plain(server, data)
    assert answer == b""
    assert lab.process.connection(server.port, port)["rejected"] == "not-tls"


def test_a_client_that_leaves(lab: Deployment, server: Server) -> None:
    _, port = _plain(server, b"")
    assert lab.process.connection(server.port, port)["rejected"] == "tls-handshake"
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as plain:
        port = plain.getsockname()[1]
        plain.sendall(b"\x16\x03\x01\x02\x00\x01")
    record = lab.process.connection(server.port, port)
    assert (record["rejected"], record["established"]) == ("tls-handshake", False)
    assert "in the middle" in record["detail"]


def test_old_protocol_version(lab: Deployment, server: Server) -> None:
    from tlslite.api import HandshakeSettings

    settings = HandshakeSettings()
    settings.minVersion = settings.maxVersion = (3, 2)
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as plain:
        port = plain.getsockname()[1]
        with pytest.raises(Exception, match="protocol_version"):
            TLSConnection(plain).handshakeClientCert(settings=settings)
    record = lab.process.connection(server.port, port)
    assert record["rejected"] == "tls-handshake" and "protocol" in record["detail"]


def test_a_client_that_refuses_the_server(lab: Deployment, server: Server) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as plain:
        port = plain.getsockname()[1]
        with pytest.raises(ssl.SSLCertVerificationError):
            context.wrap_socket(plain, server_hostname="api.portal.apic.test")
    record = lab.process.connection(server.port, port)
    assert record["rejected"] == "tls-handshake" and "unknown ca" in record["detail"]


def test_alpn(lab: Deployment, server: Server) -> None:
    context = client_context(lab, lab.pki.secrets["portal-admin-client"])
    context.set_alpn_protocols(["h2", "http/1.1"])
    plain = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
    with plain, context.wrap_socket(plain, server_hostname="api.portal.apic.test") as secure:
        assert secure.selected_alpn_protocol() == "http/1.1"


def test_two_requests_on_a_connection_are_one_record(lab: Deployment, server: Server) -> None:
    context = client_context(lab, lab.pki.secrets["portal-admin-client"])
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as plain:
        port = plain.getsockname()[1]
        with context.wrap_socket(plain, server_hostname="api.portal.apic.test") as secure:
            one = b"GET /%d HTTP/1.1\r\nHost: x\r\nX-Hopproof-Case: c%d\r\n"
            secure.sendall(one % (1, 1) + b"\r\n" + one % (2, 2) + b"Connection: close\r\n\r\n")
            while secure.recv(4096):
                continue
    assert [request["nonce"] for request in lab.process.connection(server.port, port)["requests"]] == ["c1", "c2"]
