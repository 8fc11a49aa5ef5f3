"""Reads pcap and pcapng, plain or gzip, from a file or a pipe, one packet at a time in bounded memory.

The two formats are walked with ``struct`` here: dpkt's readers leave out a packet's original length, without which a
snaplen cut looks like a short packet, and take the first interface's link type for all; they are slower as well
(``python -m tools.benchmarks.packets``).
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Iterator
from typing import IO, cast

from harness.errors import UsageError
from harness.wire.packets.batch import Batch
from harness.wire.packets.packet import Packet
from harness.wire.packets.sections import ENHANCED, MAX_BLOCK, PCAPNG, Interface, Pending, Section, interface, single
from harness.wire.packets.source import CHUNK, Joined, Unzipped, Window, opened

_PCAP = {
    b"\xd4\xc3\xb2\xa1": ("<", 1e-6),
    b"\xa1\xb2\xc3\xd4": (">", 1e-6),
    b"\x4d\x3c\xb2\xa1": ("<", 1e-9),
    b"\xa1\xb2\x3c\x4d": (">", 1e-9),
}
_GZIP = b"\x1f\x8b"
_INTERFACE, _OLD_PACKET, _SIMPLE, _SECRETS = 1, 2, 3, 10


class Capture:
    """The packets of one file (``-`` is standard input).  ``notes`` says, after reading, what could not be read."""

    def __init__(self, name: str, stream: IO[bytes] | None = None) -> None:
        self.name, self.notes = name, list[str]()
        self._stream = stream

    def __iter__(self) -> Iterator[Packet]:
        """Every packet; raises :class:`UsageError` for a file that cannot be opened or is not a capture."""
        for batch in self.batches():
            yield from batch.packets()

    def batches(self) -> Iterator[Batch]:
        """Every packet, many at a time; raises as :meth:`__iter__` does."""
        stream = self._stream or opened(self.name)
        try:
            yield from self._batches(stream)
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or error
            self.notes.append(f"reading ended early: {reason}")
        finally:
            if stream is not sys.stdin.buffer:
                stream.close()

    def _batches(self, stream: IO[bytes]) -> Iterator[Batch]:
        first = stream.read(CHUNK)
        if first.startswith(_GZIP):
            stream = cast(IO[bytes], Unzipped(cast(IO[bytes], Joined(first, stream))))
            try:
                first = stream.read(CHUNK)
            except (OSError, EOFError, zlib.error) as error:
                raise UsageError(f"not readable as gzip: {error}", where=self.name) from error
        window = Window(stream, first)
        window.has(24)
        magic = window.buffer[:4]
        if magic in _PCAP and window.left >= 24:
            yield from self._pcap(window, *_PCAP[magic])
        elif magic == PCAPNG:
            yield from self._pcapng(window)
        else:
            raise UsageError(
                "neither pcap nor pcapng" if first else "the capture is empty",
                where=self.name,
                hint="capture with: tcpdump -i any -s 0 -w FILE 'tcp port 443'",
            )

    def _pcap(self, window: Window, order: str, unit: float) -> Iterator[Batch]:
        link = struct.unpack_from(f"{order}I", window.buffer, 20)[0] & 0x0FFFFFFF
        size = struct.Struct(f"{order}I").unpack_from
        window.position = 24
        while window.has(16):
            captured = size(window.buffer, window.position + 8)[0]
            if captured > MAX_BLOCK:
                self._damaged(window, f"a packet of {captured} bytes")
                return
            if not window.has(16 + captured):
                break
            # The packets in this chunk, without a call for each: this loop is what speed depends on.
            buffer, at, last = window.buffer, window.position, len(window.buffer) - 16
            starts: list[int] = []
            add = starts.append
            while True:
                after = at + 16 + captured
                if after > last + 16:
                    break
                add(at + 16)
                at = after
                if at > last:
                    break
                (captured,) = size(buffer, at + 8)
            window.position = at
            yield Batch(buffer, starts, link, order, unit)
        self._cut(window)

    def _pcapng(self, window: Window) -> Iterator[Batch]:
        section, pending = Section(), Pending()
        while True:
            if window.left < 12:
                yield from pending.taken()
                if not window.has(12):
                    break
            number, size, wrong = section.head(window)
            if wrong:
                yield from pending.taken()
                self._damaged(window, wrong)
                return
            if window.left < size:
                yield from pending.taken()
                if not window.has(size):
                    break
            at = window.position
            window.position += size
            place = section.usual(number, window.buffer, at, size)
            if place is None or not pending.takes(window.buffer, place, section.order):
                yield from pending.taken()
            if place is not None:
                pending.add(window.buffer, place, section.order, at + 28)
            else:
                body = window.buffer[at + 8 : at + size - 4]
                yield from self._block(number, body, section.order, section.interfaces)
        yield from pending.taken()
        self._cut(window)

    def _block(self, number: int, body: bytes, order: str, interfaces: list[Interface]) -> Iterator[Batch]:
        """A block that is not the usual packet: the batch of its one packet, or nothing."""
        if number == _INTERFACE and len(body) >= 8:
            interfaces.append(interface(body, order))
        elif number == _SECRETS:
            self._note("the capture carries TLS secrets (a key log): treat the file itself as a secret")
        elif number in (ENHANCED, _OLD_PACKET) and len(body) >= 20:
            layout = f"{order}IIIII" if number == ENHANCED else f"{order}HxxIIII"
            which, high, low, captured, length = struct.unpack_from(layout, body)
            if which < len(interfaces):
                yield single(interfaces[which], (high, low, length), body[20 : 20 + captured])
            else:
                self._note("packets of an interface that the file does not describe were skipped")
        elif number == _SIMPLE and len(body) >= 4 and interfaces:
            length = struct.unpack_from(f"{order}I", body)[0]
            captured = min(length, interfaces[0].snaplen or length)
            yield single(interfaces[0]._replace(offset=0), (0, 0, length), body[4 : 4 + captured])

    def _damaged(self, window: Window, what: str) -> None:
        self.notes.append(f"damaged at byte {window.offset}: {what}; nothing after it was read")

    def _cut(self, window: Window) -> None:
        if window.left:
            self.notes.append("the file ends in the middle of a packet: the capture was cut off")

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
