"""What is exchanged on a connection that a 101 response has switched to another protocol.  Knows no expectation.

A server that says 101 to WebSocket may still turn the client away with its first frame, and one that says 101 to h2c
answers the request inside HTTP/2, where another request may follow that nothing in front of the server has looked at.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import wsproto.connection
import wsproto.events
import wsproto.utilities

from harness.model.exchange import ClientView, Response

WEBSOCKET, H2C = "websocket", "h2c"
KEPT_BODY_CHARACTERS = 2000
FIRST_WORD_SECONDS = 1.0
"""A server that turns a WebSocket's client away does so at once."""
SWITCHED = 101

_LARGEST = 1 << 20
# RFC 6455 section 7.4.1, the registry of section 11.7, and the codes that applications may choose for themselves.
_POLICY, _UNAUTHORIZED, _FORBIDDEN, _PRIVATE = 1008, 3000, 3003, range(4000, 5000)

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Upgrade:
    """The protocol that a request asks for; with h2c, *then* are the fields of a request that follows in HTTP/2."""

    protocol: str
    then: Fields = ()


def http2_settings() -> str:
    """The HTTP2-Settings field of a request for h2c (RFC 7540 section 3.2.1)."""
    settings = _http2().initiate_upgrade_connection()
    assert settings is not None
    return bytes(settings).decode("ascii")


def follow(
    stream: socket.socket, facts: ClientView, upgrade: Upgrade, head: Response, early: bytes, deadline: float
) -> ClientView:
    """*facts* with what came after *head*, the answer 101; *early* are the bytes that came with it.

    ``closed`` beside an answer says that the server has turned the client away.  Raises OSError as a socket does.
    """
    named = next((value for name, value in head.headers if name == "upgrade"), "")
    if upgrade.protocol not in named.lower():
        return replace(facts, fault=f"answered 101 for {named or 'no protocol'}, but {upgrade.protocol} was requested")
    facts = replace(facts, switched=upgrade.protocol)
    if upgrade.protocol == WEBSOCKET:
        soon = min(deadline, time.monotonic() + FIRST_WORD_SECONDS)
        message, refused = _first_word(stream, early, soon)
        return replace(facts, response=replace(head, body=message[:KEPT_BODY_CHARACTERS]), closed=refused)
    response = _answered_in_http2(stream, upgrade, early, deadline)
    return replace(facts, response=response, closed=response is None)


def _chunks(stream: socket.socket, early: bytes, deadline: float) -> Iterator[bytes]:
    """What comes until the end of the stream; raises TimeoutError at *deadline*."""
    if early:
        yield early
    while True:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("nothing more before the deadline")
        stream.settimeout(remaining)
        data = stream.recv(65536)
        if not data:
            return
        yield data


def _first_word(stream: socket.socket, early: bytes, deadline: float) -> tuple[str, bool]:
    """The first message, or the close and whether that is a refusal; '' of a server that leaves the client waiting."""
    peer = wsproto.connection.Connection(wsproto.connection.ConnectionType.CLIENT)
    with contextlib.suppress(TimeoutError, wsproto.utilities.RemoteProtocolError):
        for data in _chunks(stream, early, deadline):
            peer.receive_data(data)
            for event in peer.events():
                if isinstance(event, wsproto.events.CloseConnection):
                    code = int(event.code)
                    refused = code in (_POLICY, _UNAUTHORIZED, _FORBIDDEN) or code in _PRIVATE
                    return f"closed with {code} {event.reason or ''}".rstrip(), refused
                if isinstance(event, wsproto.events.TextMessage):
                    return event.data, False
                if isinstance(event, wsproto.events.BytesMessage):
                    return bytes(event.data).decode("utf-8", "replace"), False
    return "", False


def _http2() -> h2.connection.H2Connection:
    return h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="latin-1"))


def _answered_in_http2(stream: socket.socket, upgrade: Upgrade, early: bytes, deadline: float) -> Response | None:
    """The answer to the request, which is stream 1, or to the one that follows it."""
    peer = _http2()
    peer.initiate_upgrade_connection()
    wanted = 1
    if upgrade.then:
        wanted = 3
        peer.get_next_available_stream_id()
        peer.send_headers(wanted, list(upgrade.then), end_stream=True)
    answer = _Http2Answer(wanted)
    stream.sendall(peer.data_to_send())
    with contextlib.suppress(h2.exceptions.ProtocolError):
        for data in _chunks(stream, early, deadline):
            for event in peer.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    peer.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                answer.take(event)
            stream.sendall(peer.data_to_send())
            if answer.complete:
                break
    return answer.response


class _Http2Answer:
    """Collects the answer on one stream."""

    def __init__(self, stream_id: int) -> None:
        self._stream_id = stream_id
        self._fields: list[tuple[str, str]] = []
        self._body = bytearray()
        self.complete = False

    def take(self, event: h2.events.Event) -> None:
        """One event, of whatever stream."""
        if isinstance(event, h2.events.ConnectionTerminated):
            self.complete = True
        if getattr(event, "stream_id", None) != self._stream_id:
            return
        if isinstance(event, h2.events.ResponseReceived):
            self._fields = [(str(name), str(value)) for name, value in event.headers]
        elif isinstance(event, h2.events.DataReceived):
            self._body += event.data
        ended = isinstance(event, h2.events.StreamEnded | h2.events.StreamReset)
        self.complete = self.complete or ended or len(self._body) > _LARGEST

    @property
    def response(self) -> Response | None:
        """The answer, None where none came."""
        status = next((value for name, value in self._fields if name == ":status"), "")
        body = bytes(self._body[: KEPT_BODY_CHARACTERS * 4]).decode("utf-8", "replace")[:KEPT_BODY_CHARACTERS]
        return Response(int(status), (), body) if status.isdigit() else None
