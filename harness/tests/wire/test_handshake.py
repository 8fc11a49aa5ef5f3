"""What a handshake shows of a server: whether it asks for a certificate, whom it trusts, what it speaks."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from OpenSSL import SSL, crypto

from harness.tests.wire.servers import HOST, Server, Stream, hold, leave, server_context
from harness.wire.handshake import VERSIONS, Handshake, look
from harness.wire.send import Address


def at(server: Server, **how: object) -> Handshake:
    return look(Address("127.0.0.1", server.port, HOST), **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("mode", [ssl.CERT_NONE, ssl.CERT_OPTIONAL, ssl.CERT_REQUIRED])
def test_whether_a_certificate_is_asked_for(secrets: Path, mode: ssl.VerifyMode, version: str) -> None:
    context = server_context(secrets / "portal-admin", secrets / "portal-admin-client" / "ca.crt")
    context.verify_mode = mode
    with Server(leave, context) as server:
        shown = at(server, version=version)
    assert shown.asked is (mode is not ssl.CERT_NONE)
    # Under TLS 1.2 a server that demands one ends the handshake; what it asked for has been seen by then.
    if version == "TLSv1.3" or mode is not ssl.CERT_REQUIRED:
        assert (shown.established, shown.version, shown.failed) == (True, version, "")
    else:
        assert (shown.established, shown.failed) == (False, "handshake_failure")


def test_the_authorities_that_a_server_names(secrets: Path) -> None:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate_file(str(secrets / "portal-admin" / "tls.crt"))
    context.use_privatekey_file(str(secrets / "portal-admin" / "tls.key"))
    context.set_verify(SSL.VERIFY_PEER)
    ca = x509.load_pem_x509_certificate((secrets / "portal-admin-client" / "ca.crt").read_bytes())
    context.add_client_ca(crypto.X509.from_cryptography(ca))

    def shake(stream: Stream) -> None:
        stream.settimeout(None)
        connection = SSL.Connection(context, stream)
        connection.set_accept_state()
        connection.do_handshake()
        leave(stream)

    with Server(shake) as server:
        shown = at(server)
    assert (shown.asked, shown.authorities) == (True, (ca.subject.rfc4514_string(),))


def test_the_chain_and_the_protocol_are_seen(secrets: Path, tls: ssl.SSLContext) -> None:
    tls.set_alpn_protocols(["h2", "http/1.1"])
    with Server(leave, tls) as server:
        both, old, none = (at(server, protocols=offered) for offered in (["h2", "http/1.1"], ["http/1.1"], []))
    assert (both.protocol, old.protocol, none.protocol) == ("h2", "http/1.1", "")
    assert both.chain[0].issuer.rfc4514_string() == "CN=ingress-ca"


def test_each_version_can_be_tried(tls: ssl.SSLContext) -> None:
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    with Server(leave, tls) as server:
        shown = {name: at(server, version=name).established for name in VERSIONS}
    assert shown == {"TLSv1": False, "TLSv1.1": False, "TLSv1.2": False, "TLSv1.3": True}


def test_what_is_not_tls(tls: ssl.SSLContext) -> None:
    with Server(lambda stream: stream.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        shown = at(server)
    assert (shown.connected, shown.established) == (True, False)
    assert shown.failed and not shown.asked


def test_a_server_that_says_nothing() -> None:
    with Server(hold) as server:
        assert at(server, seconds=0.3).fault == "no TLS handshake within 0 s"


def test_no_server_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as location:
        port = location.getsockname()[1]
    shown = look(Address("127.0.0.1", port, "127.0.0.1"))
    assert not shown.connected and shown.fault.startswith("cannot connect")
