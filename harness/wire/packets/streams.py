"""One direction of a TCP connection in order: retransmissions dropped, reordering undone, gaps reported."""

from __future__ import annotations

from typing import Protocol

MAX_WAITING = 1 << 18
MAX_SEGMENTS = 256
"""Out-of-order data held for one direction: bytes, and segments.  Beyond that the hole is taken as lost."""
_RING = 1 << 32
_HALF = 1 << 31


class Reader(Protocol):
    """Takes a direction's bytes in order."""

    def feed(self, data: bytes, time: float) -> None:
        """The next bytes."""

    def skip(self, size: int, time: float) -> None:
        """The next *size* bytes were not captured."""


class Stream:
    """Puts segments in order and hands their bytes to *reader*."""

    __slots__ = ("_next", "_reader", "_size", "_waiting", "bytes", "missing", "packets", "retransmitted")

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._next: int | None = None
        self._waiting: dict[int, tuple[bytes, int]] = {}
        self._size = 0
        self.packets = self.bytes = self.missing = self.retransmitted = 0

    @property
    def started(self) -> bool:
        """Whether its first sequence number is known."""
        return self._next is not None

    @property
    def next(self) -> int | None:
        """The sequence number of the next byte."""
        return self._next

    @property
    def waits(self) -> bool:
        """Whether segments wait behind a hole."""
        return bool(self._waiting)

    def counted(self, packets: int, size: int) -> None:
        """*packets* have come, with *size* bytes in order that its reader has seen already."""
        self.packets += packets
        self.bytes += size
        if self._next is not None:
            self._next = (self._next + size) % _RING

    def synchronise(self, sequence: int) -> None:
        """*sequence* is that of its first byte."""
        if self._next is None:
            self._next = sequence % _RING

    def segment(self, sequence: int, payload: bytes, missing: int, time: float) -> None:
        """A segment with *payload*, of which the last *missing* bytes were not captured."""
        if self._next is None:
            self._next = sequence
        ahead = (sequence - self._next) % _RING
        if ahead == 0:
            self._take(payload, missing, time)
        elif ahead < _HALF:
            self._hold(sequence, payload, missing, time)
            return
        else:
            self._overlap(_RING - ahead, payload, missing, time)
        if self._waiting:
            self._drain(time)

    def finish(self, time: float, end: int | None = None, exact: bool = False) -> None:
        """Nothing more comes: what still waits behind a hole is handed over with the hole named.

        All before *end* was sent, whether it was captured or not; unless it is *exact*, the last may have been a FIN.
        """
        while self._waiting:
            self._jump(time)
            self._drain(time)
        if end is not None and self._next is not None:
            hole = (end - self._next) % _RING
            if (0 if exact else 1) < hole < _HALF:
                self._take(b"", hole, time)

    def _take(self, payload: bytes, missing: int, time: float) -> None:
        assert self._next is not None
        self._next = (self._next + len(payload) + missing) % _RING
        self.bytes += len(payload) + missing
        if payload:
            self._reader.feed(payload, time)
        if missing:
            self.missing += missing
            self._reader.skip(missing, time)

    def _hold(self, sequence: int, payload: bytes, missing: int, time: float) -> None:
        held = self._waiting.get(sequence)
        if held is not None:
            if len(held[0]) + held[1] >= len(payload) + missing:
                self.retransmitted += len(payload) + missing
                return
            self._size -= len(held[0])
        self._waiting[sequence] = (payload, missing)
        self._size += len(payload)
        if self._size > MAX_WAITING or len(self._waiting) > MAX_SEGMENTS:
            self._jump(time)
            self._drain(time)

    def _overlap(self, behind: int, payload: bytes, missing: int, time: float) -> None:
        """A segment that starts *behind* bytes before the next one: only its end can be new."""
        size = len(payload) + missing
        self.retransmitted += min(behind, size)
        if size > behind:
            self._take(payload[behind:], missing - max(behind - len(payload), 0), time)

    def _drain(self, time: float) -> None:
        """Hand over what waited and is next by now."""
        while self._waiting and self._next is not None:
            first = self._first()
            behind = (self._next - first) % _RING
            if behind >= _HALF:
                return
            payload, missing = self._waiting.pop(first)
            self._size -= len(payload)
            self._overlap(behind, payload, missing, time)

    def _first(self) -> int:
        base = self._next or 0
        return min(self._waiting, key=lambda sequence: (sequence - base + _HALF) % _RING)

    def _jump(self, time: float) -> None:
        assert self._next is not None
        hole = (self._first() - self._next) % _RING
        if 0 < hole < _HALF:
            self._take(b"", hole, time)
