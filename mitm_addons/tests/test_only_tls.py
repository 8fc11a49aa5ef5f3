"""A TLS port answers nothing but TLS, in either mode."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from mitm_addons.tests.conftest import passthrough_listener, terminating_listener
from mitm_addons.tests.peers import PATIENCE, Process, Upstream, client, read_message, request, status

CLEAR = b"GET / HTTP/1.1\r\nHost: portal.test\r\n\r\n"


@pytest.fixture(params=["passthrough", "terminating"])
def door(
    process: Process, pki: SimpleNamespace, serve: Callable[..., Upstream], request: pytest.FixtureRequest
) -> Iterator[tuple[Upstream, int]]:
    """An upstream and the port of a listener in front of it."""
    upstream = serve()
    kind = request.param
    listener = passthrough_listener(kind, upstream.port)
    if kind == "terminating":
        listener = terminating_listener(pki, kind, upstream.port)
    yield upstream, process.listen(**listener)
    process.ask("close", [kind])


@pytest.mark.parametrize("first", [b"", b"G", b"GE"], ids=["at once", "one byte first", "two bytes first"])
def test_clear_text_is_closed_without_a_word(process: Process, door: tuple[Upstream, int], first: bytes) -> None:
    upstream, port = door
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(first or CLEAR)
        assert connection.recv(100) == b""
    record = process.record()
    assert (record.upstream_port, record.detail) == (None, "refused: not TLS")
    assert upstream.heard.empty()


@pytest.mark.parametrize(
    "opening", [b"\x16G", b"\x16\x03\x09", b"\x15\x03\x03\x00\x02\x02\x00", b"\x80\x2e\x01\x00\x02"]
)
def test_what_is_almost_tls_is_closed(process: Process, door: tuple[Upstream, int], opening: bytes) -> None:
    with socket.create_connection(("127.0.0.1", door[1]), timeout=PATIENCE) as connection:
        connection.sendall(opening)
        assert connection.recv(100) == b""
    assert process.record().detail == "refused: not TLS"


def test_there_is_no_quic_on_the_port(door: tuple[Upstream, int]) -> None:
    """reverse:https would listen on UDP as well: a free port can be bound."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", door[1]))
        assert probe.getsockname()[1] == door[1]


def test_first_bytes_one_by_one_are_tls_all_the_same(
    process: Process, pki: SimpleNamespace, door: tuple[Upstream, int]
) -> None:
    with socket.create_connection(("127.0.0.1", door[1]), timeout=PATIENCE) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(pki.ca)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="portal.test")
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        hello = outgoing.read()
        for byte in hello[:4]:
            raw.sendall(bytes([byte]))
        raw.sendall(hello[4:])
        assert raw.recv(1) == b"\x16"
    assert process.record().sni == "portal.test"


def test_clear_text_inside_tls_is_fine(process: Process, pki: SimpleNamespace, door: tuple[Upstream, int]) -> None:
    with client(door[1], pki.ca, "portal.test") as connection:
        connection.sendall(request())
        assert status(read_message(connection)) == 201
    assert process.record().upstream_port


def test_a_failed_handshake_tells_the_client_why(
    process: Process, pki: SimpleNamespace, serve: Callable[..., Upstream], terminating: Callable[..., int]
) -> None:
    """mitmproxy alone closes without the alert."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # the front certificate has an EC key
    raw = socket.create_connection(("127.0.0.1", terminating(serve())), timeout=PATIENCE)
    with raw, pytest.raises(ssl.SSLError, match=r"(?i)alert"):
        context.wrap_socket(raw)
    assert not process.record().established
