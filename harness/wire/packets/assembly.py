"""One TCP connection while it is read, and the :class:`~harness.model.connection.Connection` it becomes."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from functools import lru_cache

from harness.model.connection import Connection, Content, Endpoint, HttpRequest, Traffic
from harness.wire.packets.frames import Segment
from harness.wire.packets.over_tls import Inside, inside
from harness.wire.packets.side import Side
from harness.wire.packets.streams import Stream
from harness.wire.packets.tls import CLIENT_HELLO

FIN, SYN, RST, ACK = 1, 2, 4, 16


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

    def __init__(self, one: tuple[bytes, int], other: tuple[bytes, int], time: float) -> None:
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
        content = _content(client.side, server.side)
        tls = content is Content.TLS
        sent, received = _traffic(client.stream), _traffic(server.stream)
        shown: Inside = {}
        if tls:
            shown = inside(client.side, server.side, incomplete=bool(sent.missing or received.missing))
        heads, left_out, statuses = _http(client.side, server.side)
        return Connection(
            client=_endpoint(client.end),
            server=_endpoint(server.end),
            client_by=by,
            content=content,
            started=self.first,
            ended=self.last,
            opening_captured=client.syn is not None,
            closed=self._closed(client),
            requests=() if tls else heads,
            requests_left_out=0 if tls else left_out,
            statuses=statuses,
            sent=sent,
            received=received,
            files=files,
            proxy_header=client.side.proxy_header,
            first_answer_after=_after(client.side.first, server.side.first),
            **shown,
        )

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


@lru_cache(4096)
def _endpoint(end: tuple[bytes, int]) -> Endpoint:
    return Endpoint(_address(end[0]), end[1])


@lru_cache(4096)
def _address(packed: bytes) -> str:
    return str(ipaddress.ip_address(packed))


def _traffic(stream: Stream) -> Traffic:
    return Traffic(stream.packets, stream.bytes, stream.missing, stream.retransmitted)


def _after(asked: float | None, answered: float | None) -> float | None:
    return None if asked is None or answered is None or answered < asked else answered - asked


def _content(client: Side, server: Side) -> Content:
    if client.content is server.content:
        return client.content
    for wanted in (Content.TLS, Content.HTTP2, Content.HTTP):
        if client.content is wanted or (
            client.content in (Content.EMPTY, Content.UNKNOWN) and server.content is wanted
        ):
            return wanted
    found = {client.content, server.content} - {Content.EMPTY}
    return Content.EMPTY if not found else Content.OTHER if Content.OTHER in found else Content.UNKNOWN


def _http(client: Side, server: Side) -> tuple[tuple[HttpRequest, ...], int, tuple[int, ...]]:
    """The requests that are kept, how many are not, and the answers' statuses."""
    statuses = tuple(server.answers.statuses) if server.answers else ()
    if client.requests is None:
        return (), 0, statuses
    heads, left_out = client.requests.heads, client.requests.left_out
    # Which answer belongs to which request is only sure where all of both were seen.
    paired = len(heads) == len(statuses) and not left_out
    requests = tuple(
        replace(head, status=statuses[number] if paired or (number == 0 and statuses) else None)
        for number, head in enumerate(heads)
    )
    return requests, left_out, statuses
