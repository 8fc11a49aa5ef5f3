"""One TCP connection while it is read, and the :class:`~harness.model.connection.Connection` it becomes."""

from __future__ import annotations

import ipaddress
import warnings
from dataclasses import replace
from functools import lru_cache

from cryptography import x509

from harness.decode.certificates import view
from harness.decode.tls import ALERTS
from harness.model.connection import (
    Alert,
    ClientHello,
    Connection,
    Content,
    Endpoint,
    ServerHello,
    Traffic,
)
from harness.model.exchange import CertificateView
from harness.wire.packets import inference
from harness.wire.packets.frames import Segment
from harness.wire.packets.hello import Cursor, client_hello, server_hello
from harness.wire.packets.names import GROUPS, named
from harness.wire.packets.side import Side
from harness.wire.packets.streams import Stream
from harness.wire.packets.tls import CERTIFICATE, CLIENT_HELLO, KEY_EXCHANGE, SERVER_HELLO, TlsSide

FIN, SYN, RST, ACK = 1, 2, 4, 16
_MAX_CHAIN = 20
_NAMED_CURVE = 3


class Direction:
    """One direction: its content, its TCP stream."""

    __slots__ = ("acknowledged", "end", "fin", "side", "stream", "syn")

    def __init__(self, end: tuple[bytes, int]) -> None:
        self.end = end
        self.side = Side()
        self.stream = Stream(self.side)
        self.syn: int | None = None
        self.acknowledged: int | None = None
        """What it last acknowledged of the other side's bytes."""
        self.fin: int | None = None
        """The sequence number of its FIN: all before it was sent."""

    def follows(self, sequence: int, size: int) -> bool:
        """Whether *size* bytes from *sequence* on are exactly what comes next."""
        return not size or (self.stream.next == sequence and not self.stream.waits)

    def counted(self, packets: int, size: int, acknowledged: int) -> None:
        """*packets* with *size* bytes were looked at together; the last acknowledges up to *acknowledged*."""
        self.stream.counted(packets, size)
        self.acknowledged = acknowledged


class Assembly:
    """Takes the segments of one connection.  ``opener`` is the end that sent the SYN, as far as it was seen."""

    __slots__ = ("acknowledged_syn", "directions", "first", "last", "opener", "reset_by")

    def __init__(self, segment: Segment, time: float) -> None:
        one, other = (segment.source, segment.source_port), (segment.target, segment.target_port)
        self.directions = {one: Direction(one), other: Direction(other)}
        if one == other:
            # A socket connected to itself: both directions are one and cannot be distinguished.
            self.directions = {one: Direction(one)}
        self.first = self.last = time
        self.opener: tuple[bytes, int] | None = None
        self.acknowledged_syn = False
        self.reset_by: tuple[bytes, int] | None = None

    @property
    def ended(self) -> bool:
        """Whether it was closed by both sides or reset."""
        return self.reset_by is not None or all(item.fin is not None for item in self.directions.values())

    def reopened(self, segment: Segment) -> bool:
        """Whether *segment* opens another connection between the same two ends."""
        if not segment.flags & SYN or segment.flags & ACK:
            return False
        known = self.directions[segment.source, segment.source_port].syn
        return self.ended or (known is not None and known != segment.sequence) or (known is None and self._carried())

    def _carried(self) -> bool:
        return any(item.stream.bytes for item in self.directions.values())

    def segment(self, segment: Segment, time: float) -> None:
        """One more segment."""
        _, _, _, _, sequence, acknowledged, flags, payload, missing = segment
        self.last = time
        direction = self.directions[segment.source, segment.source_port]
        stream = direction.stream
        stream.packets += 1
        if flags & SYN:
            self._syn(segment, direction)
            sequence += 1
        if flags & ACK:
            direction.acknowledged = acknowledged
        if flags & RST:
            self.reset_by = self.reset_by or direction.end
            return
        if payload or missing:
            # Keep-alive probes repeat one byte that was acknowledged; on a stream never seen they are not its start.
            if not stream.started and direction.syn is None:
                direction.side.aligned = False
            stream.segment(sequence, payload, missing, time)
        if flags & FIN:
            direction.fin = sequence + len(payload) + missing

    def _syn(self, segment: Segment, direction: Direction) -> None:
        if direction.syn is None:
            direction.syn = segment.sequence
            direction.stream.synchronise(segment.sequence + 1)
        if segment.flags & ACK:
            self.acknowledged_syn = True
            self.opener = self.opener or (segment.target, segment.target_port)
        else:
            self.opener = self.opener or direction.end

    def connection(self, files: tuple[str, ...] = ()) -> Connection:
        """What the packets show of it; nothing more may be added afterwards."""
        ends = list(self.directions.values())
        for direction, other in zip(ends, reversed(ends), strict=True):
            # Without its FIN, the last byte that was acknowledged may be the FIN itself.
            direction.stream.finish(
                self.last, other.acknowledged if direction.fin is None else direction.fin, direction.fin is not None
            )
            direction.side.finish()
        client, by = self._client(ends)
        server = next((item for item in ends if item is not client), client)
        base = Connection(
            client=_endpoint(client.end),
            server=_endpoint(server.end),
            client_by=by,
            content=_content(client.side, server.side),
            started=self.first,
            ended=self.last,
            opening_captured=client.syn is not None,
            closed=self._closed(client),
            sent=_traffic(client.stream),
            received=_traffic(server.stream),
            files=files,
            proxy_header=client.side.proxy_header,
            first_answer_after=_after(client.side.first, server.side.first),
        )
        if base.content is Content.TLS:
            return _with_tls(base, client.side, server.side)
        return _with_http(base, client.side, server.side)

    def _client(self, ends: list[Direction]) -> tuple[Direction, str]:
        for direction in ends:
            if direction.end == self.opener:
                return direction, "SYN"
        for direction in ends:
            side = direction.side
            if side.requests is not None or (side.tls is not None and CLIENT_HELLO in side.tls.messages):
                return direction, "what it sends"
        return max(ends, key=lambda item: item.end[1]), "the higher port, a guess"

    def _closed(self, client: Direction) -> str:
        if self.reset_by is not None:
            return f"reset by the {'client' if self.reset_by == client.end else 'server'}"
        finished = [item is client for item in self.directions.values() if item.fin is not None]
        if len(finished) == len(self.directions):
            return "closed"
        return f"half closed by the {'client' if finished[0] else 'server'}" if finished else ""


def _endpoint(end: tuple[bytes, int]) -> Endpoint:
    return Endpoint(str(ipaddress.ip_address(end[0])), end[1])


def _traffic(stream: Stream) -> Traffic:
    return Traffic(stream.packets, stream.bytes, stream.missing, stream.retransmitted)


def _after(asked: float | None, answered: float | None) -> float | None:
    return None if asked is None or answered is None or answered < asked else answered - asked


def _content(client: Side, server: Side) -> Content:
    for wanted in (Content.TLS, Content.HTTP2, Content.HTTP):
        if client.content is wanted or (
            client.content in (Content.EMPTY, Content.UNKNOWN) and server.content is wanted
        ):
            return wanted
    found = {client.content, server.content} - {Content.EMPTY}
    return Content.EMPTY if not found else Content.OTHER if Content.OTHER in found else Content.UNKNOWN


def _with_http(base: Connection, client: Side, server: Side) -> Connection:
    heads = tuple(client.requests.heads) if client.requests else ()
    statuses = tuple(server.answers.statuses) if server.answers else ()
    # Which answer belongs to which request is only sure where all of both were seen.
    paired = len(heads) == len(statuses) and not (client.requests and client.requests.left_out)
    requests = tuple(
        replace(head, status=statuses[number] if paired or (number == 0 and statuses) else None)
        for number, head in enumerate(heads)
    )
    left_out = client.requests.left_out if client.requests else 0
    return replace(base, requests=requests, requests_left_out=left_out, statuses=statuses)


def _with_tls(base: Connection, client: Side, server: Side) -> Connection:
    sent, received = client.tls or TlsSide(False), server.tls or TlsSide(False)
    hello, answer, notes = _hellos(sent, received)
    if server.content is Content.HTTP:
        notes.append("the server answered the ClientHello with HTTP in clear text")
    renegotiated = _renegotiated(answer, sent, received)
    requested, presented = inference.certificates(hello, answer, sent, received)
    if base.sent.missing or base.received.missing:
        notes.append("a part of it was not captured")
    if hello is not None and hello.encrypted_client_hello:
        notes.append("Encrypted Client Hello (or its GREASE): the server name may be an outer one")
    return replace(
        base,
        hello=hello,
        answer=answer,
        server_chain=_chain(received, notes, "server"),
        client_chain=_chain(sent, notes, "client"),
        certificate_requested=requested,
        certificate_sent=presented,
        resumed=inference.resumption(hello, answer, received),
        early_data=inference.early_data(hello, sent, received),
        application_data=inference.data_exchanged(answer, sent, received),
        renegotiated=renegotiated,
        asked_later=inference.asked_later(hello, answer, sent, renegotiated),
        alerts=(*_alerts("client", sent), *_alerts("server", received)),
        encrypted_alerts=_encrypted_alerts(answer, sent, received),
        statuses=tuple(server.answers.statuses) if server.answers else (),
        notes=tuple(notes),
    )


def _hellos(sent: TlsSide, received: TlsSide) -> tuple[ClientHello | None, ServerHello | None, list[str]]:
    notes: list[str] = []
    hello, answer = None, None
    try:
        if CLIENT_HELLO in sent.messages:
            hello = client_hello(sent.messages[CLIENT_HELLO])
    except ValueError:
        notes.append("the ClientHello is malformed")
    try:
        if SERVER_HELLO in received.messages:
            answer = server_hello(received.messages[SERVER_HELLO])
            if answer.retry and received.second_hello:
                answer = server_hello(received.second_hello)
                notes.append("the server asked for another key share (HelloRetryRequest)")
    except ValueError:
        notes.append("the ServerHello is malformed")
    exchange = received.messages.get(KEY_EXCHANGE, b"")
    if answer is not None and not answer.group and "ECDHE" in answer.cipher and exchange[:1] == bytes([_NAMED_CURVE]):
        answer = replace(answer, group=named(GROUPS, int.from_bytes(exchange[1:3], "big")))
    return hello, answer, notes


def _chain(side: TlsSide, notes: list[str], whose: str) -> tuple[CertificateView, ...]:
    """The certificates of a TLS 1.2 Certificate message; what cannot be parsed is noted."""
    found: list[CertificateView] = []
    try:
        body = side.messages.get(CERTIFICATE)
        certificates = Cursor(body).vector(3) if body else Cursor(b"")
        while certificates.more and len(found) < _MAX_CHAIN:
            found.append(_certificate(certificates.vector(3).data))
    except Exception:  # whatever a stranger's bytes make a parser raise, they are no certificate
        notes.append(f"the {whose}'s chain cannot be parsed")
    return tuple(found)


@lru_cache(1024)
def _certificate(der: bytes) -> CertificateView:
    """Servers present the same chain again and again: a certificate is parsed once."""
    with warnings.catch_warnings(action="ignore"):
        return view(x509.load_der_x509_certificate(der))


def _alerts(sender: str, side: TlsSide) -> tuple[Alert, ...]:
    levels = {1: "warning", 2: "fatal"}
    return tuple(Alert(sender, levels.get(a, str(a)), ALERTS.get(b, str(b))) for a, b in side.alerts[:20])


def _renegotiated(answer: ServerHello | None, sent: TlsSide, received: TlsSide) -> bool:
    """Up to TLS 1.2 a Finished is the only encrypted handshake record of each side; more is a renegotiation."""
    if answer is None or answer.version == "TLSv1.3":
        return False
    return sent.sealed_handshakes > 1 or received.sealed_handshakes > 1


def _encrypted_alerts(answer: ServerHello | None, sent: TlsSide, received: TlsSide) -> int:
    if answer is not None and answer.version == "TLSv1.3":
        return sent.alert_sized + received.alert_sized
    return sent.sealed_alerts + received.sealed_alerts
