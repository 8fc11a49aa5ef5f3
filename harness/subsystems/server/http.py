"""HTTP/1.1 on an open door: reads a request whole, has the gate judge it, then the application act, and answers.

Knows nothing of what gate and application decide.  Bodies over MAX_BODY are read and dropped.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from dataclasses import dataclass
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web import http

from harness.model.vocabulary import Reason
from harness.subsystems.server._twisted import implementer
from harness.subsystems.server.access import Gate
from harness.subsystems.server.application import Application, HttpResponse
from harness.subsystems.server.connection import AcceptedConnection
from harness.subsystems.server.connection_record import MAX_NONCE, HttpRequest, request_view
from harness.subsystems.server.rejection import (
    BAD_REQUEST,
    TOO_LARGE,
    UNAUTHORIZED,
    Rejected,
    about_token,
    challenge,
)

IDLE_SECONDS = 30
MAX_BODY = 1_048_576
NONCE = "X-Hopproof-Case"

_EVERY_ANSWER = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
_TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Service:
    """What answers on a listener: the gate before it, the application behind, the instance's counters."""

    realm: str
    gate: Gate
    application: Application
    counters: Counter[str]

    async def answer(self, ask: HttpRequest, door: AcceptedConnection) -> tuple[HttpResponse, Rejected | None]:
        """The answer to *ask*, and why it is a rejection if it is one.  Raises nothing."""
        try:
            if self.gate.rules.acts_first:
                await self._act_regardless(ask)
            await self.gate.admit(ask, door.record.peer)
            return await self._act(ask), None
        except Rejected as rejection:
            return self.application.refusal(rejection, self._refusal(rejection)), rejection

    async def _act(self, ask: HttpRequest) -> HttpResponse:
        try:
            return await self.application.answer(self.gate.rules.reads(ask))
        except Rejected:
            raise
        except Exception as error:
            raise Rejected(Reason.BAD_REQUEST, f"the request failed with {type(error).__name__}: {error}") from error

    async def _act_regardless(self, ask: HttpRequest) -> None:
        try:
            await self._act(ask)
        except Rejected as rejection:
            _log.debug("acted first, in vain: %s", rejection)

    def _refusal(self, rejection: Rejected) -> HttpResponse:
        status = self.gate.rules.status(rejection.reason)
        headers: tuple[tuple[str, str], ...] = ()
        if status in (UNAUTHORIZED, BAD_REQUEST) and self.gate.rules.verifies_token(self.gate.protection):
            headers = (("WWW-Authenticate", challenge(rejection.reason, self.realm)),)
        word = "unauthorized" if about_token(rejection.reason) else rejection.reason.value
        return HttpResponse(status, {"error": word}, headers)


class Request(http.Request):
    """One request of a channel."""

    channel: Any
    _received = 0

    def handleContentChunk(self, data: bytes) -> None:
        """Keep the body, up to MAX_BODY."""
        self._received += len(data)
        if self._received <= MAX_BODY:
            base: Any = super()
            base.handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """The request is complete.  Twisted's parsing of forms is left out: a form is never JSON nor a token."""
        self.method, self.uri, self.clientproto, self.args = command, path, version, {}
        self.path, _, query = path.partition(b"?")
        work = Deferred.fromCoroutine(self._serve(self._ask(query)))
        work.addErrback(_report)

    def _ask(self, query: bytes) -> HttpRequest:
        content: Any = self.content
        content.seek(0, 0)
        fields = self.requestHeaders.getRawHeaders(b"Authorization") or []
        return HttpRequest(
            method=self.method.decode("latin-1"),
            path=self.path.decode("latin-1"),
            query=query,
            authorization=tuple(fields),
            nonce=(self.requestHeaders.getRawHeaders(NONCE) or [""])[0][:MAX_NONCE],
            body=content.read(),
            headers={name.decode("latin-1").lower(): values[-1].decode("latin-1") for name, values in self._fields()},
            tls_version=self.channel.door.record.tls_version,
            sni=self.channel.door.record.sni,
            certificate=self.channel.door.record.peer,
        )

    def _fields(self) -> Any:
        return self.requestHeaders.getAllRawHeaders()

    async def _serve(self, ask: HttpRequest) -> None:
        door, service = self.channel.door, self.channel.service
        left: list[Failure] = []
        self.notifyFinish().addErrback(left.append)
        door.record.pending += 1
        try:
            answer, rejection = await self._decide(ask, door, service)
            service.counters["rejected" if rejection else "accepted"] += 1
            if rejection:
                _log.info("%s: %s %s refused: %s", door.record.listener, ask.method, ask.path, rejection)
            door.record.requests.append(request_view(ask, None if left else answer.status, rejection))
            if not left:
                self._send(answer)
        finally:
            door.record.pending -= 1
            door.settle()

    async def _decide(
        self, ask: HttpRequest, door: AcceptedConnection, service: Service
    ) -> tuple[HttpResponse, Rejected | None]:
        if self._received > MAX_BODY:
            return HttpResponse(TOO_LARGE), Rejected(Reason.BAD_REQUEST, f"a body of more than {MAX_BODY} bytes")
        return await service.answer(ask, door)

    def _send(self, answer: HttpResponse) -> None:
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        out: Any = self
        out.setResponseCode(answer.status)
        for name, value in (*_EVERY_ANSWER, *answer.headers, ("Content-Length", str(len(body)))):
            out.setHeader(name, value)
        out.write(body)
        out.finish()


@implementer(IHandshakeListener)
class Channel(http.HTTPChannel):
    """HTTP/1.1 behind one door."""

    requestFactory = Request
    timeOut = IDLE_SECONDS
    factory = None
    transport: Any

    def __init__(self, door: AcceptedConnection, service: Service) -> None:
        base: Any = super()
        base.__init__()
        self.door, self.service = door, service
        self._tls: SSL.Connection | None = None

    def connectionMade(self) -> None:
        """There is a transport; over TLS the handshake is still to come."""
        handle = self.transport.getHandle()
        self._tls = handle if isinstance(handle, SSL.Connection) else None
        base: Any = super()
        base.connectionMade()

    def handshakeCompleted(self) -> None:
        """Called by Twisted's TLS."""
        if self._tls is not None:
            self.door.established(self._tls)

    def loseConnection(self) -> None:
        """All has been said."""
        base: Any = super()
        base.loseConnection()
        self.door.closing()

    def lineLengthExceeded(self, line: bytes) -> None:
        """A header field that is too long.  Twisted would only ask the transport to close, which does not while a
        producer is registered with it: the client would wait for ever."""
        self.transport.write(_TOO_LONG)
        self.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection, or the attempt at one, is over."""
        base: Any = super()
        base.connectionLost(reason)
        self.door.lost(self._tls, reason.value)


def _report(failure: Failure) -> None:
    _log.error("a request could not be answered: %s", failure.getTraceback())
