"""One side's TLS records: handshake messages while they are in the clear, sizes and counts once they are not."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Protocol

MAX_MESSAGES = 1 << 18
"""Handshake bytes in the clear that are kept for one side."""
MAX_RECORD = (1 << 14) + 2048
KEPT_SIZES = 64

CHANGE_CIPHER, ALERT, HANDSHAKE, APPLICATION = 20, 21, 22, 23
CLIENT_HELLO, SERVER_HELLO, CERTIFICATE, KEY_EXCHANGE, REQUEST, DONE, VERIFY = 1, 2, 11, 12, 13, 14, 15
_KNOWN_MESSAGES = frozenset({0, 1, 2, 4, 11, 12, 13, 14, 15, 16, 21, 22, 23})
_RESYNCHRONISATIONS = 64
_RECORD = struct.Struct("!BHH").unpack_from
_RECORD_VERSIONS = frozenset(range(0x0300, 0x0305))
ALERT_SIZE = 19
"""The size of a record with an encrypted alert in TLS 1.3."""


def _repeated_hello(data: bytes | bytearray, at: int) -> bool:
    """A HelloRetryRequest may be followed by change_cipher_spec and hellos in the clear (RFC 8446, D.4)."""
    head = data[at + 3 : at + 9]
    if len(head) < 6 or head[2] not in (CLIENT_HELLO, SERVER_HELLO):
        return False
    return int.from_bytes(head[3:6], "big") == int.from_bytes(head[:2], "big") - 4


def starts_record(data: bytes | bytearray, sealed_only: bool = False) -> bool:
    """Whether *data* starts like a TLS record; *sealed_only*: like one of application data."""
    if len(data) < 5 or data[1] != 3 or data[2] > 4:
        return False
    size = int.from_bytes(data[3:5], "big")
    if sealed_only:
        return data[0] == APPLICATION and data[2] == 3 and 0 < size <= MAX_RECORD
    return CHANGE_CIPHER <= data[0] <= APPLICATION and 0 < size <= MAX_RECORD


def starts_hello(data: bytes) -> bool:
    """Whether *data* starts like a record with a ClientHello or a ServerHello."""
    if not starts_record(data) or len(data) < 11 or data[0] != HANDSHAKE:
        return False
    return data[5] in (CLIENT_HELLO, SERVER_HELLO) and data[6] == 0 and data[9] == 3 and data[10] <= 4


class Skimmed(Protocol):
    """A direction's next bytes in pieces, of which few are read."""

    size: int
    ends: list[int]
    times: list[float]

    def read(self, at: int, size: int, piece: int) -> bytes:
        """*size* bytes from *at*, which is in the *piece*."""


class TlsSide:
    """What one side sent, record by record.

    ``messages`` are the handshake messages in the clear, the first of each type but two hellos.  ``whole``: no byte of
    the handshake in the clear is missing.  ``holes``: some byte is, so that what follows may carry a later time.
    ``sealed_sizes`` and ``sealed_times``: of the first encrypted records, how large each is and when it began.
    """

    __slots__ = (
        "_buffer", "_handshake", "_lost", "_opaque", "_skip", "_tries", "alert_sized", "alerts", "aligned",
        "application_records", "change_cipher", "hello_time", "holes", "messages", "sealed_alerts", "sealed_handshakes",
        "sealed_sizes", "sealed_times", "second_hello", "whole",
    )  # fmt: skip

    def __init__(self, aligned: bool = True) -> None:
        self.messages: dict[int, bytes] = {}
        self.second_hello = b""
        self.alerts: list[tuple[int, int]] = []
        self.sealed_sizes: list[int] = []
        self.sealed_times: list[float] = []
        self.application_records = self.sealed_alerts = self.sealed_handshakes = 0
        self.alert_sized = 0
        self.hello_time: float | None = None
        self.change_cipher = False
        self.whole, self.aligned, self.holes = aligned, aligned, False
        self._opaque = not aligned
        self._buffer = bytearray()
        self._handshake = b""
        self._skip = 0
        self._lost = not aligned
        self._tries = 0

    def feed(self, data: bytes, time: float) -> None:
        """The next bytes."""
        if self._skip >= len(data):
            self._skip -= len(data)
            return
        if self._lost:
            self._resynchronise(data, time)
            return
        self._buffer += data[self._skip :]
        self._skip = 0
        self._records(time)

    def begin(self, data: bytes, ends: Sequence[int], times: Sequence[float]) -> None:
        """The first bytes, all that are there: pieces that end at *ends* and came at *times*."""
        at, total, sizes = 0, len(data), self.sealed_sizes
        while total - at >= 5:
            kind, version, size = _RECORD(data, at)
            end = at + 5 + size
            if version not in _RECORD_VERSIONS or not 0 < size <= MAX_RECORD:
                break
            if kind == APPLICATION:
                # A record counts when its header is there.
                self.application_records += 1
                if size == ALERT_SIZE:
                    self.alert_sized += 1
                if len(sizes) < KEPT_SIZES:
                    sizes.append(size)
                    self.sealed_times.append(times[bisect_right(ends, at + 4)])
            elif not CHANGE_CIPHER <= kind <= HANDSHAKE or (kind == HANDSHAKE and total - at < min(9, 5 + size)):
                break
            elif not self._clear(kind, data, at):
                self._count(kind, size, times[bisect_right(ends, at + 4)])
            elif end > total:
                break
            else:
                self._open(kind, data[at + 5 : end], times[bisect_right(ends, end - 1)])
            at = end
        if at >= total:
            self._skip = at - total
        else:
            self._resume(data, at, ends, times)

    def _resume(self, data: bytes, at: int, ends: Sequence[int], times: Sequence[float]) -> None:
        """Go on from *at*, with a record that is not whole, or is none, as if the pieces had come one by one."""
        piece = bisect_right(ends, min(at + 4, len(data) - 1))
        before = ends[piece - 1] if piece else 0
        if at < before:
            self._buffer += data[at:before]
        at = max(at, before)
        for end, time in zip(ends[piece:], times[piece:], strict=True):
            self.feed(data[at:end], time)
            at = end

    def skim(self, pieces: Skimmed) -> Callable[[], None] | None:
        """What counts *pieces*, the next bytes, where they are whole records of application data; None elsewhere."""
        if self._lost or self._buffer:
            return None
        at, piece, ends, total = self._skip, 0, pieces.ends, pieces.size
        sizes, times = list[int](), list[float]()
        while at + 5 <= total:
            piece = bisect_right(ends, at, piece)
            head = pieces.read(at, 5, piece)
            if not starts_record(head, sealed_only=True):
                return None
            size = head[3] << 8 | head[4]
            # A record counts when its header is there.
            sizes.append(size)
            times.append(pieces.times[bisect_right(ends, at + 4, piece)])
            at += 5 + size
        tail = pieces.read(at, total - at, bisect_right(ends, at, piece)) if at < total else b""

        def count() -> None:
            self._buffer += tail
            self._skip = max(at - total, 0)
            self.application_records += len(sizes)
            self.alert_sized += sizes.count(ALERT_SIZE)
            room = KEPT_SIZES - len(self.sealed_sizes)
            self.sealed_sizes += sizes[:room]
            self.sealed_times += times[:room]

        return count

    def skip(self, size: int, time: float) -> None:
        """The next *size* bytes are not known."""
        self.holes = True
        if self._skip >= size:
            self._skip -= size
            return
        if self._buffer and not self._skip and self._bridge(size, time):
            return
        self._buffer.clear()
        self._skip = 0
        self._lose()

    def _bridge(self, size: int, time: float) -> bool:
        """Go over a hole inside a record whose header is known."""
        if not starts_record(self._buffer):
            return False
        length = int.from_bytes(self._buffer[3:5], "big")
        rest = 5 + length - len(self._buffer) - size
        if rest < 0:
            return False
        kind = self._buffer[0]
        clear = self._clear(kind, self._buffer, 0)
        self._buffer.clear()
        self._skip = rest
        if clear:
            self.whole, self._opaque = False, True
        else:
            self._count(kind, length, time)
        return True

    def _lose(self) -> None:
        self._lost, self._opaque, self.aligned = True, True, False
        if not self.change_cipher and not self.application_records:
            self.whole = False

    def _resynchronise(self, data: bytes, time: float) -> None:
        """Records often start with a segment: take the next that looks like application data."""
        self._tries += 1
        if self._tries <= _RESYNCHRONISATIONS and starts_record(data, sealed_only=True):
            self._lost = False
            self._buffer += data
            self._records(time)

    def _records(self, time: float) -> None:
        buffer = self._buffer
        while len(buffer) >= 5:
            if not starts_record(buffer):
                buffer.clear()
                self._lose()
                return
            kind, size = buffer[0], int.from_bytes(buffer[3:5], "big")
            if kind == HANDSHAKE and len(buffer) < min(9, 5 + size):
                return
            if self._clear(kind, buffer, 0):
                if len(buffer) < 5 + size:
                    return
                self._open(kind, bytes(buffer[5 : 5 + size]), time)
            else:
                self._count(kind, size, time)
            self._skip = max(5 + size - len(buffer), 0)
            del buffer[: 5 + size]

    def _clear(self, kind: int, data: bytes | bytearray, at: int) -> bool:
        """Whether a record of this *kind*, which begins in *data* at *at*, can be read."""
        if kind == APPLICATION or self._opaque:
            return False
        return kind == CHANGE_CIPHER or not self.change_cipher or (kind == HANDSHAKE and _repeated_hello(data, at))

    def _open(self, kind: int, body: bytes, time: float) -> None:
        if kind == CHANGE_CIPHER:
            self.change_cipher = True
        elif kind == ALERT and len(body) == 2:
            self.alerts.append((body[0], body[1]))
        elif kind == HANDSHAKE and len(self._handshake) < MAX_MESSAGES:
            self._handshake = self._split(self._handshake + body if self._handshake else body, time)

    def _split(self, pending: bytes, time: float) -> bytes:
        """Take the messages in *pending*; returns what is not whole yet."""
        at = 0
        while len(pending) - at >= 4:
            kind, size = pending[at], int.from_bytes(pending[at + 1 : at + 4], "big")
            if kind not in _KNOWN_MESSAGES or size > MAX_MESSAGES:
                self.whole, self._opaque = False, True
                return b""
            if len(pending) - at < 4 + size:
                break
            self._message(kind, pending[at + 4 : at + 4 + size], time)
            at += 4 + size
        return pending[at:]

    def _message(self, kind: int, body: bytes, time: float) -> None:
        if kind in self.messages:
            if kind in (CLIENT_HELLO, SERVER_HELLO):
                self.second_hello, self.hello_time = body, time
            return
        self.messages[kind] = body
        if kind in (CLIENT_HELLO, SERVER_HELLO):
            self.hello_time = time

    def _count(self, kind: int, size: int, time: float) -> None:
        if kind == APPLICATION:
            self.application_records += 1
            self.alert_sized += size == ALERT_SIZE
            if len(self.sealed_sizes) < KEPT_SIZES:
                self.sealed_sizes.append(size)
                self.sealed_times.append(time)
        elif kind == ALERT:
            self.sealed_alerts += 1
        elif kind == HANDSHAKE:
            self.sealed_handshakes += 1
