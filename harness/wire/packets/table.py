"""All connections of the captures at hand, in bounded memory: what a limit drops is counted and said."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field

from harness.model.connection import Connection
from harness.wire.packets.assembly import ACK, SYN, Assembly
from harness.wire.packets.frames import Segment

MAX_OPEN = 20_000
"""Connections followed at once.  The one that was idle longest is ended where there are more."""
MAX_KEPT = 100_000
"""Connections that are kept to be reported and judged."""

Key = tuple[bytes, int, bytes, int]


@dataclass
class Reading:
    """The connections of some captures, and what was left out of them."""

    connections: list[Connection] = field(default_factory=list)
    packets: int = 0
    segments: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    ended_early: int = 0
    not_kept: int = 0
    first: float | None = None
    last: float | None = None


def key_of(segment: Segment) -> Key:
    """The connection of *segment*, the same for both directions."""
    source, target, source_port, target_port = segment[:4]
    if (source, source_port) <= (target, target_port):
        return source, source_port, target, target_port
    return target, target_port, source, source_port


class Table:
    """Connections under way, the longest idle first."""

    def __init__(self, name: str, reading: Reading, max_open: int = MAX_OPEN, max_kept: int = MAX_KEPT) -> None:
        self._files = (name,)
        self._reading, self._max_open, self._max_kept = reading, max_open, max_kept
        self._open: OrderedDict[Key, Assembly] = OrderedDict()

    def take(self, segment: Segment, time: float) -> None:
        """One more segment."""
        key = key_of(segment)
        found = self._open.get(key)
        if found is None or (segment.flags & (SYN | ACK) == SYN and found.reopened(segment)):
            if found is not None:
                self._end(key)
            source, target = (segment.source, segment.source_port), (segment.target, segment.target_port)
            found = Assembly(source, target, time)
            self.opened(key, found)
        else:
            self._open.move_to_end(key)
        found.segment(segment, time)

    def opened(self, key: Key, assembly: Assembly) -> None:
        """One more connection; the one that was idle longest is ended where there are too many."""
        self._open[key] = assembly
        if len(self._open) > self._max_open:
            first = next(iter(self._open))
            self._reading.ended_early += not self._open[first].ended
            self._end(first)

    def known(self, key: Key) -> Assembly | None:
        """The connection *key*, if it is under way."""
        return self._open.get(key)

    def touched(self, key: Key) -> None:
        """The connection *key* is not idle."""
        self._open.move_to_end(key)

    def close(self) -> None:
        """The capture has ended."""
        for key in list(self._open):
            self._end(key)

    def _end(self, key: Key) -> None:
        connection = self._open.pop(key).connection(self._files)
        if len(self._reading.connections) < self._max_kept:
            self._reading.connections.append(connection)
        else:
            self._reading.not_kept += 1
