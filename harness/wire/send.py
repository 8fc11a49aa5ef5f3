"""Sends one prepared request over one new connection and reports what the client saw.  Knows no expectation.

Blocking sockets and the standard ``ssl`` module, because they alone surface every TLS alert: under TLS 1.3 the client's
handshake succeeds before the server has judged its certificate, and the rejection is an alert on the first read.  So a
write error is never the end: the alert that explains it is still to be read.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
import time
from dataclasses import dataclass, replace
from typing import TypedDict

import h11
from cryptography import x509

from harness.decode.certificates import view
from harness.decode.redaction import token_in
from harness.decode.tls import alert_name
from harness.model.exchange import CertificateView, ClientView, Response, TokenView
from harness.wire.upgrade import KEPT_BODY_CHARACTERS, SWITCHED, Upgrade, follow

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 12.0
BODY_SECONDS = 3.0  # from the head of the answer on: a stream of events has no end
MAX_ANSWER_BYTES = 1 << 20
# What a report needs of an answer; the rest is the target's and stays with it.
_ANSWERING = {"www-authenticate", "allow", "retry-after", "upgrade"}
KEPT_HEADERS = frozenset({*_ANSWERING, "content-type", "server", "via", "date"})


@dataclass(frozen=True)
class Address:
    """Where to connect (*host*, *port*) and which name to ask for and verify (*server_name*, '' for none)."""

    host: str
    port: int
    server_name: str


@dataclass(frozen=True)
class Prepared:
    """A request as bytes.  *head* ends with the empty line; *authorization* is what it carries of that header's value
    (several values joined by a comma, as RFC 9110 section 5.3 has it), kept apart so that it can be digested; *before*
    is sent first, on the same connection; *upgrade* is what it asks the connection to be switched to."""

    method: str
    head: bytes
    body: bytes
    authorization: bytes | None = None
    before: Prepared | None = None
    upgrade: Upgrade | None = None

    @property
    def authorization_sha256(self) -> str:
        """Digest of the Authorization value, '' where there is none."""
        return "" if self.authorization is None else hashlib.sha256(self.authorization).hexdigest()

    @property
    def token(self) -> TokenView | None:
        """The token that it carries, wherever that is, as a report may show it."""
        return token_in(_text(self.head), None if self.authorization is None else _text(self.authorization))


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


class Remembering(ssl.SSLContext):
    """A client context that keeps its latest session, to present it at the next connection, and server certificate."""

    kept: ssl.SSLSession | None = None
    resumed: bool = False
    leaf: bytes = b""

    def meet(self, tls: ssl.SSLSocket) -> None:
        """Keep the server's certificate."""
        self.leaf = tls.getpeercert(binary_form=True) or self.leaf

    def remember(self, tls: ssl.SSLSocket) -> None:
        """Keep what *tls* was given until its answer was read: a ticket may come that late (RFC 8446 section 4.6.1)."""
        self.kept, self.resumed = tls.session or self.kept, bool(tls.session_reused)


def prepare(method: str, target: str, headers: tuple[tuple[str, bytes], ...], body: bytes) -> Prepared:
    """Serialise a request exactly as given: no header is added, dropped, folded or normalised."""
    lines = [f"{method} {target} HTTP/1.1".encode("latin-1")]
    lines += [name.encode("latin-1") + b": " + value for name, value in headers]
    # White space around a field's value is no part of it (RFC 9110 section 5.5): a parser drops it.
    given = [value.strip(b" \t") for name, value in headers if name.lower() == "authorization"]
    return Prepared(method, b"\r\n".join([*lines, b"", b""]), body, b", ".join(given) if given else None)


def send(
    address: Address,
    request: Prepared,
    context: ssl.SSLContext | None,
    keep: frozenset[str] = frozenset(),
    characters: int = KEPT_BODY_CHARACTERS,
) -> ClientView:
    """One connection, one request, one answer.

    *context* None sends in clear text; the headers of *keep* (in lower case) are kept beside the usual ones, and so
    many *characters* of the body.  Never raises for what the network or the server does: that is a fact (``fault``,
    ``alert``, ``closed``, ``timed_out``).
    """
    started = time.perf_counter()
    facts = ClientView(
        sent_sha256=hashlib.sha256(request.head + request.body).hexdigest(),
        body_sha256=hashlib.sha256(request.body).hexdigest(),
        authorization_sha256=request.authorization_sha256,
        token=request.token,
        peer_port=address.port,
    )
    try:
        raw = socket.create_connection((address.host, address.port), CONNECT_SECONDS)
    except OSError as error:
        return replace(facts, fault=f"cannot connect to {address.host}:{address.port}: {error}", ms=_since(started))
    with raw:
        raw.settimeout(ANSWER_SECONDS)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        facts = replace(facts, local_port=raw.getsockname()[1])
        parser = _Answer(request, KEPT_HEADERS | keep, characters)
        facts = _exchange(raw, facts, address, request, context, parser)
    return replace(facts, ms=_since(started))


def chosen_protocol(address: Address, context: ssl.SSLContext) -> str:
    """What the server chooses of the protocols that *context* offers (ALPN); '' for none, or without a handshake."""
    try:
        with socket.create_connection((address.host, address.port), CONNECT_SECONDS) as raw:
            raw.settimeout(ANSWER_SECONDS)
            with context.wrap_socket(raw, server_hostname=address.server_name) as tls:
                return tls.selected_alpn_protocol() or ""
    except OSError:
        return ""


def _exchange(
    raw: socket.socket,
    facts: ClientView,
    address: Address,
    request: Prepared,
    context: ssl.SSLContext | None,
    parser: _Answer,
) -> ClientView:
    deadline = time.monotonic() + ANSWER_SECONDS
    if context is None:
        return _talk(raw, facts, request, parser, deadline)
    try:
        tls = _wrap(raw, address, context)
    except ssl.SSLCertVerificationError as error:
        return replace(facts, server_refused=error.verify_message or str(error))
    except OSError as error:
        return replace(facts, **_end(error))
    with tls:
        facts = replace(facts, established=True, tls_version=tls.version() or "", server_chain=_leaf(tls))
        if isinstance(context, Remembering):
            context.meet(tls)
        # What RFC 5929 calls tls-unique: of a connection that resumes no session, the client's Finished message.
        finished = tls.get_channel_binding("tls-unique")
        facts = replace(facts, handshake_sha256=hashlib.sha256(finished).hexdigest() if finished else "")
        facts = _talk(tls, facts, request, parser, deadline)
        if isinstance(context, Remembering):
            context.remember(tls)
        return facts


def _wrap(raw: socket.socket, address: Address, context: ssl.SSLContext) -> ssl.SSLSocket:
    session = context.kept if isinstance(context, Remembering) else None
    return context.wrap_socket(raw, server_hostname=address.server_name or None, session=session)


def _leaf(tls: ssl.SSLSocket) -> tuple[CertificateView, ...]:
    der = tls.getpeercert(binary_form=True)
    try:
        return (view(x509.load_der_x509_certificate(der)),) if der else ()
    except ValueError:  # OpenSSL takes certificates that the library cannot read
        return ()


def _talk(stream: socket.socket, facts: ClientView, request: Prepared, parser: _Answer, deadline: float) -> ClientView:
    if request.before is not None and not _answered(stream, request.before, deadline):
        return replace(facts, closed=True)
    write_error: OSError | None = None
    try:
        stream.sendall(request.head + request.body)
    except OSError as error:
        write_error = error
    try:
        _read(stream, parser, deadline)
        if request.upgrade is not None and parser.switched:
            assert parser.response is not None
            return follow(stream, facts, request.upgrade, parser.response, parser.early, deadline)
    except OSError as error:
        facts = replace(facts, **_end(error))
    except h11.RemoteProtocolError as error:
        facts = replace(facts, closed=True, fault="" if parser.empty else f"the response is not HTTP: {error}")
    else:
        if parser.response is None:
            facts = replace(facts, **(_end(write_error) if write_error else {"closed": True}))
    # A status counts however its body ended: an acceptance that is cut short is an acceptance all the same.
    if parser.response is None:
        return facts
    return replace(facts, response=parser.response, closed=False, fault="", timed_out=False)


def _answered(stream: socket.socket, request: Prepared, deadline: float) -> bool:
    """Whether *request* gets a whole answer, after which the connection may be used again."""
    parser = _Answer(request)
    try:
        stream.sendall(request.head + request.body)
        _read(stream, parser, deadline)
    except (OSError, h11.RemoteProtocolError):
        return False
    return parser.complete


def _read(stream: socket.socket, parser: _Answer, deadline: float) -> None:
    while not parser.complete:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("no complete response before the deadline")
        stream.settimeout(remaining)
        waiting = parser.response is None
        data = stream.recv(65536)
        parser.feed(data)
        if not data:
            return
        if waiting and parser.response is not None:
            deadline = min(deadline, time.monotonic() + BODY_SECONDS)


class _Answer:
    """Collects one HTTP answer; h11 does the protocol, this only keeps the parts a report needs."""

    def __init__(
        self, request: Prepared, kept: frozenset[str] = KEPT_HEADERS, characters: int = KEPT_BODY_CHARACTERS
    ) -> None:
        self._kept, self._characters = kept, characters
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=256 * 1024)
        # The bytes on the wire may be deliberately odd, so h11 is given a plain request that expects the same answer.
        headers = [("host", "x"), ("connection", "close")]
        if request.upgrade is not None:
            headers.append(("upgrade", request.upgrade.protocol))
        self._http.send(h11.Request(method=request.method, target="/", headers=headers))
        self._http.send(h11.EndOfMessage())
        self._head: h11.Response | h11.InformationalResponse | None = None
        self._body = bytearray()
        self.complete = False
        self.empty = True

    def feed(self, data: bytes) -> None:
        self.empty = self.empty and not data
        if not data and self.empty:
            return
        self._http.receive_data(data)
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Response):
                self._head = event
            elif isinstance(event, h11.InformationalResponse) and event.status_code == SWITCHED:
                self._head, self.complete = event, True
                return
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > MAX_ANSWER_BYTES:
                    self.complete = True
                    return
            elif isinstance(event, h11.EndOfMessage):
                self.complete = True
                return
            elif event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                return

    @property
    def switched(self) -> bool:
        return self._head is not None and self._head.status_code == SWITCHED

    @property
    def early(self) -> bytes:
        """What came with the answer and is of the protocol that it has switched to."""
        return self._http.trailing_data[0]

    @property
    def response(self) -> Response | None:
        if self._head is None:
            return None
        headers = tuple(
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in self._head.headers
            if name.decode("latin-1") in self._kept
        )
        most = self._characters
        body = bytes(self._body[: most * 4]).decode("utf-8", "replace")[:most]
        return Response(self._head.status_code, headers, body)


class _Ending(TypedDict, total=False):
    """Members of a ClientView."""

    alert: str
    closed: bool
    timed_out: bool
    fault: str


def _end(error: OSError) -> _Ending:
    """How a connection ended."""
    if isinstance(error, ssl.SSLError):
        return _tls_end(error)
    if isinstance(error, TimeoutError):
        return {"timed_out": True}
    if isinstance(error, ConnectionError):
        return {"closed": True}
    return {"fault": str(error)}


def _tls_end(error: ssl.SSLError) -> _Ending:
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return {"closed": True}
    alert = alert_name(error.reason or "")
    return {"alert": alert} if alert else {"closed": True, "fault": f"TLS: {error.reason or error}"}


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
