"""An HTTPS client that knows whom it talks to: CA, host name and validity (at the lab's time) are verified in the
handshake, and nothing is sent unless they hold.  Follows no redirect; a deadline for the whole, a cap on the answer.

Names are resolved through the lab's ``hosts``, never through DNS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from OpenSSL import SSL, crypto
from service_identity import VerificationError
from service_identity.cryptography import verify_certificate_hostname
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IBodyProducer

from harness.subsystems.server._twisted import Agent, failed, implementer
from harness.subsystems.server.certificates import Material, words_of
from harness.subsystems.server.clock import LabClock
from harness.subsystems.server.tls import error_text

DEADLINE = 5.0
MAX_ANSWER = 262_144


class CallFailed(Exception):
    """No answer could be had; the text says why.  ``local_port`` is where it was tried from, None if none was open."""

    def __init__(self, why: str, local_port: int | None = None) -> None:
        super().__init__(why)
        self.local_port = local_port


@dataclass(frozen=True)
class Call:
    """A request to make; ``address`` is where the host of ``url`` is to be found."""

    method: str
    url: str
    address: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """The answer, and the local port it came to."""

    status: int
    body: bytes
    local_port: int | None


@implementer(IOpenSSLClientConnectionCreator)
class Trust:
    """Whom a client trusts, and who it says it is.  ``problem`` tells afterwards what was wrong with the server."""

    def __init__(
        self,
        authorities: tuple[x509.Certificate, ...],
        clock: LabClock,
        identity: Material | None = None,
        verifies: bool = True,
        verifies_host: bool = True,
    ) -> None:
        self._authorities, self._clock, self._identity, self._verifies = authorities, clock, identity, verifies
        self._verifies_host = verifies_host
        self._host = ""
        self.problem = ""

    def towards(self, host: str) -> Trust:
        """This trust, for a connection to *host*."""
        self._host = host
        return self

    def clientConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """Called by Twisted."""
        connection = SSL.Connection(self._context(), None)
        connection.set_tlsext_host_name(self._host.encode("idna"))
        return connection

    def _context(self) -> SSL.Context:
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_alpn_protos([b"http/1.1"])
        if self._identity is not None:
            context.use_privatekey(self._identity.key)
            context.use_certificate(crypto.X509.from_cryptography(self._identity.chain[0]))
            for intermediate in self._identity.chain[1:]:
                context.add_extra_chain_cert(crypto.X509.from_cryptography(intermediate))
        if self._verifies:
            self._verify_in(context)
        return context

    def _verify_in(self, context: SSL.Context) -> None:
        store: Any = context.get_cert_store()
        for authority in self._authorities:
            store.add_cert(crypto.X509.from_cryptography(authority))
        store.set_time(self._clock.moment())
        context.set_verify(SSL.VERIFY_PEER, self._judge)

    def _judge(self, _: SSL.Connection, certificate: crypto.X509, errno: int, depth: int, ok: int) -> bool:
        try:
            if not ok:
                self.problem = self.problem or f"{words_of(errno)} (depth {depth})"
            elif depth == 0 and self._verifies_host:
                verify_certificate_hostname(certificate.to_cryptography(), self._host)
        except VerificationError:
            self.problem = f"the certificate is not for {self._host}"
        except Exception as error:  # a certificate that cannot be judged is a bad one
            self.problem = f"it cannot be verified ({type(error).__name__}: {error})"
        return not self.problem


async def call(reactor: Any, request: Call, trust: Trust) -> Reply:
    """Make *request*; raises CallFailed, and nothing was sent if the server could not be verified."""
    parts = urlsplit(request.url)
    if parts.scheme != "https" or not parts.hostname:
        raise CallFailed(f"not an https URL with a host: {request.url}")
    way = _Way(reactor, request.address, trust.towards(parts.hostname))
    agent = Agent.usingEndpointFactory(reactor, way)
    exchange: Deferred[Reply] = Deferred.fromCoroutine(_exchange(agent, request, way))
    exchange.addTimeout(DEADLINE, reactor, lambda *_: failed(CallFailed(f"no complete answer in {DEADLINE:.0f} s")))
    try:
        return await exchange
    except Exception as error:
        why = f"the server's certificate is refused: {trust.problem}" if trust.problem else describe(error)
        raise CallFailed(why, way.local_port) from error


def describe(error: BaseException | None) -> str:
    """What went wrong, without the wrappers Twisted puts around it."""
    reasons = getattr(error, "reasons", None)
    if isinstance(reasons, list) and reasons:
        return "; ".join(describe(reason.value) for reason in reasons)
    return error_text(error)


async def _exchange(agent: Any, request: Call, way: _Way) -> Reply:
    headers = Headers({name: [value] for name, value in request.headers.items()})
    response: Any = await agent.request(
        request.method.encode(), request.url.encode(), headers, _Body(request.body) if request.body else None
    )
    collector = _Collector()
    response.deliverBody(collector)
    return Reply(response.code, await collector.done, way.local_port)


@implementer(IAgentEndpointFactory)
class _Way:
    """The way to one address; remembers the local port."""

    def __init__(self, reactor: Any, address: str, trust: Trust) -> None:
        self._reactor, self._address, self._trust = reactor, address, trust
        self.local_port: int | None = None

    def endpointForURI(self, uri: Any) -> Any:
        tcp: Any = TCP4ClientEndpoint(self._reactor, self._address, uri.port, int(DEADLINE))
        trust: Any = self._trust
        self._endpoint: Any = wrapClientTLS(trust, tcp)
        return self

    def connect(self, factory: Any) -> Any:
        return self._endpoint.connect(factory).addCallback(self._connected)

    def _connected(self, protocol: Any) -> Any:
        self.local_port = protocol.transport.getHost().port
        return protocol


@implementer(IBodyProducer)
class _Body:
    """A request body that is there already."""

    def __init__(self, content: bytes) -> None:
        self._content, self.length = content, len(content)

    def startProducing(self, consumer: Any) -> Deferred[None]:
        consumer.write(self._content)
        return succeed(None)

    def pauseProducing(self) -> None:
        """All of it has been written."""

    def resumeProducing(self) -> None:
        """All of it has been written."""

    def stopProducing(self) -> None:
        """All of it has been written."""


class _Collector(Protocol):
    """Collects an answer's body; more than MAX_ANSWER, or an end before the end, is a failure."""

    def __init__(self) -> None:
        self._content = bytearray()
        self.done: Deferred[bytes] = Deferred(lambda _: self._abort())

    def dataReceived(self, data: bytes) -> None:
        self._content += data
        if len(self._content) > MAX_ANSWER and not self.done.called:
            self.done.errback(CallFailed(f"an answer of more than {MAX_ANSWER} bytes"))
            self._abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if isinstance(reason.value, ResponseDone):
            self.done.callback(bytes(self._content))
        else:
            self.done.errback(CallFailed(f"the answer broke off: {describe(reason.value)}"))

    def _abort(self) -> None:
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()
