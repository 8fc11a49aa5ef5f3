"""Ways to switch a connection to another protocol: a WebSocket, or HTTP/2 (h2c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import h2.config
import h2.connection
import h2.events
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, TextMessage
from wsproto.utilities import generate_accept_token

Switch = Callable[[Any], bool]


def never(_handler: Any) -> bool:
    """A server that knows nothing of Upgrade, and ignores it."""
    return False


def anybody(_handler: Any) -> bool:
    """Whoever asks."""
    return True


def other_protocol(handler: Any) -> bool:
    """Switches to a protocol of its own, whatever was asked for."""
    if handler.headers["Upgrade"]:
        _says(handler, "Upgrade: foo")
    return bool(handler.headers["Upgrade"])


def _says(handler: Any, *fields: str) -> None:
    lines = ("HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", *fields, "", "")
    handler.wfile.write("\r\n".join(lines).encode())


def websocket(allow: Callable[[Any], bool] = anybody, message: str = "", close: int = 0) -> Switch:
    """Opens a WebSocket for whom *allow* lets in, says *message* and closes with *close*, or waits for the client."""

    def switch(handler: Any) -> bool:
        if handler.headers["Sec-WebSocket-Version"] != "13" or not allow(handler):
            return False
        key = generate_accept_token(handler.headers["Sec-WebSocket-Key"].encode())
        _says(handler, "Upgrade: websocket", f"Sec-WebSocket-Accept: {key.decode()}")
        peer = Connection(ConnectionType.SERVER)
        said = peer.send(TextMessage(data=message)) if message else b""
        handler.wfile.write(said + (peer.send(CloseConnection(code=close, reason="not you")) if close else b""))
        handler.rfile.read()
        return True

    return switch


def h2c(allow: Callable[[Any, str], bool], at: Callable[[Any], bool] = anybody) -> Switch:
    """Switches to HTTP/2 where the request is *at* the right place; inside, *allow* decides on each path."""

    def switch(handler: Any) -> bool:
        if handler.headers["Upgrade"] != "h2c" or not at(handler):
            return False
        _says(handler, "Upgrade: h2c")
        peer = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        peer.initiate_upgrade_connection(handler.headers["HTTP2-Settings"].encode())
        _answer(handler, peer, 1, allow(handler, handler.path))
        while data := handler.connection.recv(65536):
            for event in peer.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    path = dict(event.headers)[":path"]
                    _answer(handler, peer, event.stream_id, allow(handler, path))
            handler.wfile.write(peer.data_to_send())
        return True

    return switch


def _answer(handler: Any, peer: h2.connection.H2Connection, stream: int, allowed: bool) -> None:
    peer.send_headers(stream, [(":status", "200" if allowed else "403")])
    peer.send_data(stream, b"the protected page in HTTP/2" if allowed else b"no", end_stream=True)
    handler.wfile.write(peer.data_to_send())
