"""mitmproxy layers with their gaps closed: refusal, passthrough, TLS and HTTP/1.1 to the client.  No policy."""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import Any

from mitmproxy.http import Response
from mitmproxy.net.http.http1 import assemble_response
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator, Layer
from mitmproxy.proxy.layers.http import HttpLayer, HTTPMode
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import HttpEvent, RequestEndOfMessage, ResponseHeaders, ResponseProtocolError
from mitmproxy.proxy.layers.http._http1 import Http1Server
from mitmproxy.proxy.layers.tcp import TCPLayer
from mitmproxy.proxy.layers.tls import ClientTLSLayer, parse_client_hello

from mitm_addons.records import Track

LINGER = 2.0
"""Seconds in which a client that is still sending may read its refusal, before the connection is cut."""

_HELLO_LIMIT = 65536
_NO_RESPONSE = 444  # mitmproxy 11's code for "close without a word"
_WITHOUT_LISTENERS = frozenset({"requestheaders", "responseheaders"})
_log = logging.getLogger(__name__)


def looks_like_tls(data: bytes) -> bool | None:
    """Whether *data* starts a TLS handshake record; None while there are too few bytes to tell (fewer than three)."""
    if data[:1] not in (b"", b"\x16") or data[1:2] not in (b"", b"\x03") or data[2:3] > b"\x03":
        return False
    return True if len(data) > 2 else None


def page(status: int, why: str) -> Response:
    """The balancer's own answer."""
    text = f"{status} from the balancer: {why}\n".encode("ascii", "backslashreplace")
    return Response.make(status, text, {"Content-Type": "text/plain", "Connection": "close"})


class Refuse(Layer):
    """Closes on a client that speaks anything but TLS."""

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if isinstance(event, events.Start):
            yield commands.CloseConnection(self.context.client)


class Passthrough(TCPLayer):
    """Relays bytes it neither keeps nor changes; only the ClientHello is looked at, for the name in it."""

    def __init__(self, context: Context, track: Track) -> None:
        super().__init__(context, ignore=True)
        self._track = track
        self._hello: bytes | None = b""

    def handle_event(self, event: events.Event) -> CommandGenerator[None]:
        """Looks at the client's first bytes, then relays as TCPLayer does."""
        if isinstance(event, events.DataReceived) and event.connection == self.context.client:
            self._hello = None if self._hello is None else self._look(self._hello + event.data)
        yield from super().handle_event(event)

    def _look(self, data: bytes) -> bytes | None:
        """Bytes to look at again when more have come; None when the ClientHello is read or cannot be."""
        try:
            hello = parse_client_hello(data)
            self._track.sni = (hello.sni or "") if hello else ""
        except Exception as error:  # a hostile ClientHello is for the server to judge, so it goes through
            self._track.note(f"ClientHello not readable ({type(error).__name__})")
            return None
        return None if hello or len(data) > _HELLO_LIMIT else data


class FrontTLS(ClientTLSLayer):
    """TLS towards the client, over HTTP/1.1; a crash in any layer above ends the connection instead of hanging it."""

    def __init__(self, context: Context, track: Track) -> None:
        super().__init__(context)
        self._track = track
        # What HttpLayer takes for "the connection in front is TLS, so is the one behind" while that is not yet open.
        context.server.tls = track.opened.listener.behaviours.upstream_tls
        http = HttpLayer(context, HTTPMode.transparent)
        http.connections[context.client] = FrontHttp1(context.fork(), track)
        self.child_layer = http

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        try:
            yield from self._without_listeners(event)
        except Exception as error:
            _log.exception("a layer crashed")
            self._track.note(f"a layer crashed: {type(error).__name__}: {error}")
            yield from self._answer_failure()

    def _without_listeners(self, event: events.Event) -> CommandGenerator[None]:
        """Answers at once for hooks without a listener: mitmproxy starts a task for each, twice a request."""
        waiting = deque([event])
        while waiting:
            for command in super()._handle_event(waiting.popleft()):
                if (
                    not isinstance(command, commands.StartHook)
                    or command.name not in _WITHOUT_LISTENERS
                    or command.blocking is True
                ):
                    yield command
                elif command.blocking:
                    waiting.append(events.HookCompleted(command))

    def _answer_failure(self) -> CommandGenerator[None]:
        if self.context.client.timestamp_tls_setup:
            self._track.refused(502, "the balancer could not handle this exchange")
            yield from self.send_data(_bytes(502, "the balancer could not handle this exchange"))
        yield commands.CloseConnection(self.context.client)

    def on_handshake_error(self, err: str) -> CommandGenerator[None]:
        """Sends the alert before the connection closes."""
        if self.tls:
            yield from self.tls_interact()  # mitmproxy drops the alert that OpenSSL has ready for the client
        yield from super().on_handshake_error(err)


class FrontHttp1(Http1Server):
    """HTTP/1.1 towards the client: own error pages, a deadline for the server, and room to read a refusal."""

    def __init__(self, context: Context, track: Track) -> None:
        super().__init__(context)
        self._track = track
        self._deadline: float | None = None
        self._timer: commands.RequestWakeup | None = None
        self._linger: commands.RequestWakeup | None = None

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if isinstance(event, events.Wakeup):
            yield from self._woken(event.command)
            return
        for command in super()._handle_event(event):
            if isinstance(command, ReceiveHttp) and isinstance(command.event, RequestEndOfMessage):
                self._deadline = time.monotonic() + self._patience
                yield from self._set_timer()
            yield command

    @property
    def _patience(self) -> float:
        return self._track.opened.listener.upstream_timeout

    def _set_timer(self) -> CommandGenerator[None]:
        """One timer a connection and not one a request: mitmproxy keeps each until it has run out."""
        if self._timer is None and self._deadline is not None:
            self._timer = commands.RequestWakeup(max(0.0, self._deadline - time.monotonic()))
            yield self._timer

    def _woken(self, command: commands.RequestWakeup) -> CommandGenerator[None]:
        if command is self._timer:
            self._timer = None
            if self._deadline is not None and time.monotonic() >= self._deadline:
                why = f"the server did not answer within {self._patience:g} s"
                self._track.upstream_failed(why)
                yield from self._refuse(504, why)
            else:
                yield from self._set_timer()
        elif command is self._linger:
            yield commands.CloseConnection(self.conn)

    def send(self, event: HttpEvent) -> CommandGenerator[None]:
        """Sends the server's answer, or a page of the balancer's own in place of mitmproxy's."""
        if isinstance(event, ResponseHeaders):
            self._deadline = None
        if isinstance(event, ResponseProtocolError) and not self.response:
            status = _status(event)
            if status is not None:
                yield from self._refuse(status, event.message.partition(":")[0])  # what follows may quote the peer
                return
        yield from super().send(event)

    def read_headers(self, event: events.ConnectionEvent) -> CommandGenerator[None]:
        """Reads a request's head; one that cannot be parsed enters the record."""
        for command in super().read_headers(event):
            if isinstance(command, commands.SendData):  # its only reason to send here is a head that it cannot parse
                self._track.refused(400, "malformed request")
                command = commands.SendData(self.conn, _bytes(400, "malformed request"))
            yield command

    def _refuse(self, status: int, why: str) -> CommandGenerator[None]:
        """Answers and hangs up; where the request is still coming in, only after the client had time to read."""
        self._deadline = None
        self._track.refused(status, why)
        yield commands.SendData(self.conn, _bytes(status, why))
        if self.request_done:
            yield commands.CloseConnection(self.conn)
        else:  # closing over unread data would reset the connection, and with it the answer
            self._linger = commands.RequestWakeup(LINGER)
            yield commands.CloseTcpConnection(self.conn, half_close=True)
            yield self._linger


def _status(event: ResponseProtocolError) -> int | None:
    """The HTTP status mitmproxy means, a number in 11 and an enumeration in 12; None = close without a word."""
    code: Any = event.code
    status: int | None = code if isinstance(code, int) else code.http_status_code()
    return None if status == _NO_RESPONSE else status


def _bytes(status: int, why: str) -> bytes:
    assemble: Any = assemble_response  # not annotated in mitmproxy
    raw: bytes = assemble(page(status, why))
    return raw
