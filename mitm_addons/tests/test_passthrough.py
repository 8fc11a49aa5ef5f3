"""A passthrough relays TLS it cannot read, and still says in one record which connection went where."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from mitm_addons.tests.conftest import passthrough_listener
from mitm_addons.tests.peers import PATIENCE, Process, Upstream, certificate, client, read_message, request, status


@pytest.fixture
def relay(process: Process, request: pytest.FixtureRequest) -> Callable[[int], int]:
    def open_(port: int) -> int:
        identity = request.node.name
        request.addfinalizer(lambda: process.ask("close", [identity]))
        return process.listen(**passthrough_listener(identity, port))

    return open_


def test_client_sees_the_servers_own_certificate_and_the_balancer_nothing(
    process: Process, pki: SimpleNamespace, serve: Callable[..., Upstream], relay: Callable[[int], int]
) -> None:
    upstream = serve()
    port = relay(upstream.port)
    sent = request(b"body", "Authorization: Bearer secret")
    with client(port, pki.ca, "portal.test") as connection:
        local = connection.getsockname()[1]
        shown = certificate(connection)
        connection.sendall(sent)
        answer = read_message(connection)
    heard, record = upstream.heard.get(timeout=PATIENCE), process.record()
    assert shown in pki.server.read_text()
    assert (status(answer), heard.request) == (201, sent)
    assert (record.local_port, record.peer_port, record.upstream_port) == (port, local, heard.peer_port)
    assert (record.mode, record.sni) == ("passthrough", "portal.test")
    assert (record.established, record.upstream_established, record.requests) == (False, False, ())


def test_bytes_are_unchanged_in_both_directions(
    process: Process, pki: SimpleNamespace, relay: Callable[[int], int]
) -> None:
    hello = ssl.MemoryBIO()
    out = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(hello, out, server_hostname="portal.test").do_handshake()
    sent = out.read() + b"\x17\x03\x03\x00\x04abcd" + bytes(range(256)) * 50
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = socket.create_connection(("127.0.0.1", relay(server.getsockname()[1])), timeout=PATIENCE)
        with connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            accepted, _ = server.accept()
            with accepted:
                accepted.settimeout(PATIENCE)
                assert _drain(accepted) == sent
                accepted.sendall(b"\x16\x03\x03 any bytes \x00\xff")
            assert _drain(connection) == b"\x16\x03\x03 any bytes \x00\xff"
    assert process.record().sni == "portal.test"


@pytest.mark.parametrize("size", [1, 2])
def test_a_hello_in_small_segments_goes_through(
    process: Process, pki: SimpleNamespace, serve: Callable[..., Upstream], relay: Callable[[int], int], size: int
) -> None:
    """mitmproxy alone takes a first segment under three bytes for plain TCP."""
    upstream = serve()
    port = relay(upstream.port)
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(pki.ca)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="portal.test")
        done = False
        while not done:
            try:
                tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                data = outgoing.read()
                for start in range(0, len(data), size):
                    raw.sendall(data[start : start + size])
                incoming.write(raw.recv(65536))
        assert tls.version() == "TLSv1.3"
    assert process.record().sni == "portal.test"


def test_a_hello_that_cannot_be_read_is_the_servers_to_judge(process: Process, relay: Callable[[int], int]) -> None:
    broken = b"\x16\x03\x01\x00\x08\x01\x00\x00\x04\xff\xff\xff\xff"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = relay(server.getsockname()[1])
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            connection.sendall(broken)
            connection.shutdown(socket.SHUT_WR)
            with server.accept()[0] as accepted:
                accepted.settimeout(PATIENCE)
                assert _drain(accepted) == broken
    assert "not readable" in process.record().detail


def test_the_servers_alert_reaches_the_client(
    process: Process, pki: SimpleNamespace, serve: Callable[..., Upstream], relay: Callable[[int], int]
) -> None:
    port = relay(serve(mtls=True).port)
    for _ in range(20):
        with client(port, pki.ca, "portal.test") as connection:
            connection.sendall(request(b"x" * 1000))
            with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
                connection.recv(100)
        assert process.record().upstream_port


def test_a_server_that_refuses_the_connection_is_in_the_record(process: Process, relay: Callable[[int], int]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = relay(closed.getsockname()[1])
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            connection.sendall(b"\x16\x03\x01\x02\x00")
            assert _drain(connection) == b""
    record = process.record()
    assert "Connect call failed" in record.upstream_error
    assert record.upstream_port is None


def test_a_client_that_leaves_at_once_is_in_the_record(
    process: Process, serve: Callable[..., Upstream], relay: Callable[[int], int]
) -> None:
    port = relay(serve().port)
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        local = connection.getsockname()[1]
    record = process.record()
    assert (record.peer_port, record.upstream_port, record.established) == (local, None, False)


def _drain(connection: socket.socket) -> bytes:
    data = b""
    while chunk := connection.recv(65536):
        data += chunk
    return data
