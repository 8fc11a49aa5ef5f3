"""What pcapng's blocks mean: interfaces, packets of the usual kind, and the others."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from harness.wire.packets.batch import Batch
from harness.wire.packets.source import Window

PCAPNG = b"\x0a\x0d\x0d\x0a"
ENHANCED = 6
MAX_BLOCK = 1 << 24
"""A longer packet or block is damage, not data: no snaplen in use comes near it."""
_ORDER = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_RESOLUTION, _OFFSET = 9, 14


class Interface(NamedTuple):
    """Of which link type an interface's packets are, and in which unit and from when their times count."""

    link: int
    snaplen: int
    unit: float
    offset: int


class Section:
    """What the blocks of a section have in common."""

    def __init__(self) -> None:
        self.order = "<"
        self.interfaces: list[Interface] = []

    def head(self, window: Window) -> tuple[int, int, str]:
        """Type and size of the block at the window's position, and what is wrong with it ('' if nothing is)."""
        buffer, at = window.buffer, window.position
        if buffer[at : at + 4] == PCAPNG:
            self.order, self.interfaces = _ORDER.get(buffer[at + 8 : at + 12], ""), []
        if not self.order:
            return 0, 0, "a section of unknown byte order"
        number, size = struct.unpack_from(f"{self.order}II", buffer, at)
        return number, size, f"a block of {size} bytes" if size < 12 or size > MAX_BLOCK else ""

    def usual(self, number: int, buffer: bytes, at: int, size: int) -> Interface | None:
        """The interface of a packet that is whole in its block; None for any other block."""
        if number != ENHANCED or size < 32:
            return None
        which, _, _, captured = struct.unpack_from(f"{self.order}IIII", buffer, at + 8)
        return self.interfaces[which] if which < len(self.interfaces) and captured <= size - 32 else None


class Pending:
    """Packets of one interface in one buffer."""

    def __init__(self) -> None:
        self._of: tuple[bytes, Interface, str] | None = None
        self._starts: list[int] = []

    def takes(self, buffer: bytes, place: Interface, order: str) -> bool:
        """Whether a packet of *place* is of the same kind as those that wait."""
        of = self._of
        return of is None or (of[0] is buffer and of[1] == place and of[2] == order)

    def add(self, buffer: bytes, place: Interface, order: str, start: int) -> None:
        """One more packet."""
        self._of = (buffer, place, order)
        self._starts.append(start)

    def taken(self) -> Iterator[Batch]:
        """What waits, if anything does; nothing waits then."""
        if self._of is not None:
            buffer, place, order = self._of
            yield Batch(buffer, self._starts, place.link, order, place.unit, place.offset, ng=True)
        self._of, self._starts = None, []


def single(place: Interface, head: tuple[int, int, int], data: bytes) -> Batch:
    """The batch of one packet, whose block is not the usual one."""
    high, low, length = head
    buffer = struct.pack("<IIII", high, low, len(data), length) + data
    return Batch(buffer, [16], place.link, "<", place.unit, place.offset, ng=True)


def interface(body: bytes, order: str) -> Interface:
    """The interface that a block describes."""
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
    return Interface(link, snaplen, unit, offset)
