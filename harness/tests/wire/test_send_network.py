"""The client: what it reports of resets, silence, clear text and connections that never come about."""

from __future__ import annotations

import socket
import ssl
import time
from typing import Any

import pytest

from harness.model.exchange import ClientView
from harness.tests.wire import servers
from harness.tests.wire.servers import HOST, OK, REQUEST, Server, answer, to
from harness.wire import send as module
from harness.wire.send import Address, prepare, send


def test_no_server_listens(trusting: ssl.SSLContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    found = send(Address("127.0.0.1", port, HOST), REQUEST, trusting)
    assert "cannot connect" in found.fault and str(port) in found.fault
    assert (found.local_port, found.closed, found.timed_out) == (None, False, False)


def test_a_reset_instead_of_a_handshake(trusting: ssl.SSLContext) -> None:
    def handle(stream: servers.Stream) -> None:
        stream.recv(65536)
        servers.reset(stream)

    with Server(handle) as server:
        found = to(server, trusting)
    assert (found.closed, found.established, found.fault, found.response) == (True, False, "", None)


def test_a_reset_instead_of_an_answer(tls: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    def handle(stream: servers.Stream) -> None:
        servers.request_of(stream)
        servers.reset(stream)

    with Server(handle, tls) as server:
        found = to(server, trusting)
    assert (found.closed, found.established, found.fault, found.alert) == (True, True, "", "")


class Gone:
    """A stream that its peer left before anything was written: a moment that no real peer can be told to hit."""

    def __init__(self, error: OSError) -> None:
        self._error = error

    def settimeout(self, _seconds: float) -> None:
        return

    def sendall(self, _data: bytes) -> None:
        raise self._error

    def recv(self, _size: int) -> bytes:
        return b""


@pytest.mark.parametrize(
    "error",
    [
        BrokenPipeError(32, "Broken pipe"),
        ConnectionResetError(104, "Connection reset by peer"),
        pytest.param(ssl.SSLEOFError(8, "EOF occurred in violation of protocol (_ssl.c:2427)")),
        pytest.param(ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed (EOF)")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_end_met_while_writing(error: OSError) -> None:
    stream: Any = Gone(error)
    found = module._talk(stream, ClientView(), REQUEST, module._Answer(REQUEST), time.monotonic() + 5)
    assert (found.closed, found.fault) == (True, "")


@pytest.mark.parametrize("encrypted", [True, False])
def test_an_end_without_an_answer(tls: ssl.SSLContext, trusting: ssl.SSLContext, encrypted: bool) -> None:
    with Server(answer(), tls if encrypted else None) as server:
        found = to(server, trusting if encrypted else None)
    assert (found.closed, found.fault, found.response, found.established) == (True, "", None, encrypted)


def test_an_answer_before_the_request_is_all_sent() -> None:
    """A server may answer and close before it has read everything; the write error is not the end."""
    early = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"
    large = prepare("PUT", "/x", (("Host", b"x"), ("Content-Length", b"33554432")), b"x" * (1 << 25))
    with Server(lambda stream: stream.sendall(early)) as server:
        found = to(server, None, request=large)
    assert found.response is not None and found.response.status == 413


@pytest.mark.parametrize("encrypted", [True, False])
@pytest.mark.parametrize("handler", [servers.hold, servers.drip])
def test_a_server_that_never_answers(
    monkeypatch: pytest.MonkeyPatch,
    tls: ssl.SSLContext,
    trusting: ssl.SSLContext,
    handler: servers.Handler,
    encrypted: bool,
) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.15)
    with Server(handler, tls if encrypted else None) as server:
        found = to(server, trusting if encrypted else None)
    assert (found.timed_out, found.closed, found.fault, found.response) == (True, False, "", None)
    assert 100 < found.ms < 5000


def test_a_server_that_never_shakes_hands(monkeypatch: pytest.MonkeyPatch, trusting: ssl.SSLContext) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.15)
    with Server(servers.hold) as server:
        found = to(server, trusting)
    assert (found.timed_out, found.established, found.fault) == (True, False, "")


# Clear text


def test_clear_text_to_a_tls_port(tls: ssl.SSLContext) -> None:
    with Server(answer(OK), tls) as server:
        found = to(server, None)
    assert found.response is None and found.closed
    assert (found.established, found.tls_version, found.server_chain) == (False, "", ())
    assert len(server.failures) == 1


def test_tls_to_a_clear_text_port(trusting: ssl.SSLContext) -> None:
    def refuse(stream: servers.Stream) -> None:
        stream.recv(65536)
        stream.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with Server(refuse) as server:
        found = to(server, trusting)
    assert (found.established, found.response, found.alert) == (False, None, "")
    assert found.fault.startswith("TLS: ")
