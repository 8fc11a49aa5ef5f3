"""Reads pcap and pcapng, plain or gzip, from a file or a pipe, one packet at a time in bounded memory.

The two formats are walked with ``struct`` here: dpkt's readers leave out a packet's original length, without which a
snaplen cut looks like a short packet, and take the first interface's link type for all; they are slower as well
(``python -m tools.benchmarks.packets``).
"""

from __future__ import annotations

import gzip
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple, cast

from harness.errors import UsageError

CHUNK = 1 << 20
MAX_BLOCK = 1 << 24
"""A longer packet or block is damage, not data: no snaplen in use comes near it."""

_PCAP = {
    b"\xd4\xc3\xb2\xa1": ("<", 1e-6),
    b"\xa1\xb2\xc3\xd4": (">", 1e-6),
    b"\x4d\x3c\xb2\xa1": ("<", 1e-9),
    b"\xa1\xb2\x3c\x4d": (">", 1e-9),
}
_PCAPNG = b"\x0a\x0d\x0d\x0a"
_GZIP = b"\x1f\x8b"
_ORDER = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_INTERFACE, _OLD_PACKET, _SIMPLE, _ENHANCED, _SECRETS = 1, 2, 3, 6, 10
_RESOLUTION, _OFFSET = 9, 14


class Packet(NamedTuple):
    """One captured packet: when, of which link type, its captured bytes, and how long it was on the wire."""

    time: float
    link: int
    data: bytes
    length: int


class _Interface(NamedTuple):
    link: int
    snaplen: int
    unit: float
    offset: int


class _Window:
    """A stream's bytes, a chunk at a time."""

    def __init__(self, stream: IO[bytes], first: bytes) -> None:
        self._stream = stream
        self.buffer, self.position, self.before = first, 0, 0

    def has(self, count: int) -> bool:
        """Make *count* bytes from ``position`` on available; False where the stream ends before."""
        if len(self.buffer) - self.position >= count:
            return True
        parts, held = [self.buffer[self.position :]], len(self.buffer) - self.position
        while held < count:
            more = self._stream.read(max(CHUNK, count - held))
            if not more:
                break
            parts.append(more)
            held += len(more)
        self.before += self.position
        self.buffer, self.position = b"".join(parts), 0
        return held >= count

    @property
    def left(self) -> int:
        return len(self.buffer) - self.position

    @property
    def offset(self) -> int:
        return self.before + self.position


class Capture:
    """The packets of one file (``-`` is standard input).  ``notes`` says, after reading, what could not be read."""

    def __init__(self, name: str, stream: IO[bytes] | None = None) -> None:
        self.name, self.notes = name, list[str]()
        self._stream = stream

    def __iter__(self) -> Iterator[Packet]:
        """Every packet; raises :class:`UsageError` for a file that cannot be opened or is not a capture."""
        stream = self._stream or _open(self.name)
        try:
            yield from self._packets(stream)
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or error
            self.notes.append(f"reading ended early: {reason}")
        finally:
            if stream is not sys.stdin.buffer:
                stream.close()

    def _packets(self, stream: IO[bytes]) -> Iterator[Packet]:
        first = stream.read(CHUNK)
        if first.startswith(_GZIP):
            stream = cast(IO[bytes], gzip.GzipFile(fileobj=cast(IO[bytes], _Joined(first, stream)), mode="rb"))
            try:
                first = stream.read(CHUNK)
            except (OSError, EOFError, zlib.error) as error:
                raise UsageError(f"not readable as gzip: {error}", where=self.name) from error
        window = _Window(stream, first)
        window.has(24)
        magic = window.buffer[:4]
        if magic in _PCAP and window.left >= 24:
            yield from self._pcap(window, *_PCAP[magic])
        elif magic == _PCAPNG:
            yield from self._pcapng(window)
        else:
            raise UsageError(
                "neither pcap nor pcapng" if first else "the capture is empty",
                where=self.name,
                hint="capture with: tcpdump -i any -s 0 -w FILE 'tcp port 443'",
            )

    def _pcap(self, window: _Window, order: str, unit: float) -> Iterator[Packet]:
        link = struct.unpack_from(f"{order}I", window.buffer, 20)[0] & 0x0FFFFFFF
        header = struct.Struct(f"{order}IIII").unpack_from
        window.position = 24
        while window.has(16):
            seconds, fraction, captured, length = header(window.buffer, window.position)
            if captured > MAX_BLOCK:
                self._damaged(window, f"a packet of {captured} bytes")
                return
            if not window.has(16 + captured):
                break
            # The packets in this chunk, without a call for each: this loop is what speed depends on.
            buffer, at, end = window.buffer, window.position, len(window.buffer)
            while True:
                start = at + 16
                at = start + captured
                yield Packet(seconds + fraction * unit, link, buffer[start:at], length)
                if end - at < 16:
                    break
                seconds, fraction, captured, length = header(buffer, at)
                if end - at - 16 < captured:
                    break
            window.position = at
        self._cut(window)

    def _pcapng(self, window: _Window) -> Iterator[Packet]:
        order, interfaces = "<", list[_Interface]()
        while window.has(12):
            kind = window.buffer[window.position : window.position + 4]
            if kind == _PCAPNG:
                order = _ORDER.get(window.buffer[window.position + 8 : window.position + 12], "")
                interfaces = []
            if not order:
                self._damaged(window, "a section of unknown byte order")
                return
            number, size = struct.unpack_from(f"{order}II", window.buffer, window.position)
            if size < 12 or size > MAX_BLOCK:
                self._damaged(window, f"a block of {size} bytes")
                return
            if not window.has(size):
                break
            start = window.position + 8
            body = window.buffer[start : start + size - 12]
            window.position += size
            packet = self._block(number, body, order, interfaces)
            if packet is not None:
                yield packet
        self._cut(window)

    def _block(self, number: int, body: bytes, order: str, interfaces: list[_Interface]) -> Packet | None:
        if number == _INTERFACE and len(body) >= 8:
            interfaces.append(_interface(body, order))
        elif number == _SECRETS:
            self._note("the capture carries TLS secrets (a key log): treat the file itself as a secret")
        elif number in (_ENHANCED, _OLD_PACKET) and len(body) >= 20:
            layout = f"{order}IIIII" if number == _ENHANCED else f"{order}HxxIIII"
            which, high, low, captured, length = struct.unpack_from(layout, body)
            if which < len(interfaces):
                at = interfaces[which]
                time = at.offset + ((high << 32) | low) * at.unit
                return Packet(time, at.link, body[20 : 20 + captured], length)
            self._note("packets of an interface that the file does not describe were left out")
        elif number == _SIMPLE and len(body) >= 4 and interfaces:
            length = struct.unpack_from(f"{order}I", body)[0]
            captured = min(length, interfaces[0].snaplen or length)
            return Packet(0.0, interfaces[0].link, body[4 : 4 + captured], length)
        return None

    def _damaged(self, window: _Window, what: str) -> None:
        self.notes.append(f"damaged at byte {window.offset}: {what}; nothing after it was read")

    def _cut(self, window: _Window) -> None:
        if window.left:
            self.notes.append("the file ends in the middle of a packet: the capture was cut off")

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


class _Joined:
    """A pipe cannot seek: the bytes that were already read, then the rest."""

    def __init__(self, first: bytes, stream: IO[bytes]) -> None:
        self._first, self._stream = first, stream

    def read(self, size: int = -1) -> bytes:
        if not self._first:
            return self._stream.read(size)
        size = len(self._first) if size < 0 else size
        taken, self._first = self._first[:size], self._first[size:]
        return taken


def _open(name: str) -> IO[bytes]:
    if name == "-":
        return sys.stdin.buffer
    try:
        return Path(name).open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read the capture: {reason}", where=name) from error


def _interface(body: bytes, order: str) -> _Interface:
    link, snaplen = struct.unpack_from(f"{order}HxxI", body)
    unit, offset, at = 1e-6, 0, 8
    while at + 4 <= len(body):
        code, size = struct.unpack_from(f"{order}HH", body, at)
        value = body[at + 4 : at + 4 + size]
        if code == _RESOLUTION and len(value) == 1:
            unit = 2.0 ** -(value[0] & 0x7F) if value[0] & 0x80 else 10.0 ** -value[0]
        elif code == _OFFSET and len(value) == 8:
            offset = struct.unpack(f"{order}q", value)[0]
        at += 4 + (size + 3) // 4 * 4
        if not code:
            break
    return _Interface(link, snaplen, unit, offset)
