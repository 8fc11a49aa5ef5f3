"""Servers of the standard library in threads, which do to a client what a test says."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from harness.model.exchange import ClientView
from harness.wire.send import Address, Prepared, prepare, send

Stream = socket.socket
Handler = Callable[[Stream], None]
PATIENCE = 60.0
HOST = "api.portal.apic.test"
OK = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nContent-Type: text/plain\r\nSet-Cookie: a=b\r\n\r\nok"
REQUEST = prepare("PUT", "/x", (("Host", HOST.encode()), ("Authorization", b"Bearer a.b.c")), b"")


class Server:
    """Listens on a port of its own and gives each connection to *handler*; with a *context*, after a handshake.

    ``failures`` are the handshakes that failed, ``reused`` says of each that did not whether it resumed a session.
    """

    def __init__(self, handler: Handler, context: ssl.SSLContext | None = None) -> None:
        self._handler, self._context = handler, context
        self.failures: list[ssl.SSLError] = []
        self.reused: list[bool] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # shutdown wakes the thread that waits in accept; close alone does not.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(PATIENCE)
                    self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        if self._context is None:
            self._handler(connection)
            return
        try:
            stream = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            stream.do_handshake()
        except ssl.SSLError as error:
            self.failures.append(error)
            leave(stream)
            return
        with stream:
            self.reused.append(bool(stream.session_reused))
            self._handler(stream)


def server_context(secret: Path, clients: Path | None = None) -> ssl.SSLContext:
    """A context with *secret*'s certificate that demands a client certificate under the CA file *clients*, if given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(secret / "tls.crt", secret / "tls.key")
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    return context


def client_context(ca: Path, secret: Path | None = None) -> ssl.SSLContext:
    """A client's context that trusts *ca* alone and presents *secret*'s certificate, if given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca)
    if secret is not None:
        context.load_cert_chain(secret / "tls.crt", secret / "tls.key")
    return context


def to(server: Server, context: ssl.SSLContext | None, name: str = HOST, request: Prepared = REQUEST) -> ClientView:
    """What the client under test sees of *server*."""
    return send(Address("127.0.0.1", server.port, name), request, context)


def leave(stream: Stream) -> None:
    """Stop sending and wait for the client to go, so that no reset overtakes what was sent."""
    raw = socket.socket(fileno=stream.detach()) if isinstance(stream, ssl.SSLSocket) else stream
    with raw, contextlib.suppress(OSError):
        raw.settimeout(PATIENCE)
        raw.shutdown(socket.SHUT_WR)
        while raw.recv(65536):
            continue


def request_of(stream: Stream) -> bytes:
    """What the client sends up to the empty line."""
    observed = b""
    while b"\r\n\r\n" not in observed:
        data = stream.recv(65536)
        if not data:
            break
        observed += data
    return observed


def answer(*parts: bytes) -> Handler:
    """Reads a request, sends *parts* and closes."""

    def handle(stream: Stream) -> None:
        request_of(stream)
        for part in parts:
            stream.sendall(part)

    return handle


def reset(stream: Stream) -> None:
    """End the connection with a TCP reset."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with socket.socket(fileno=stream.detach()):
        return


def hold(stream: Stream) -> None:
    """Say nothing until the client goes."""
    while stream.recv(65536):
        continue


def drip(stream: Stream) -> None:
    """Send a status line that never ends, byte by byte, until the client goes."""
    request_of(stream)
    pause = threading.Event()
    for byte in _endless():
        stream.sendall(byte)
        pause.wait(0.01)


def _endless() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 O"
    while True:
        yield b"K"
