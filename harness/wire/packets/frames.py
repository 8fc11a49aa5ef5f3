"""From a captured frame to its TCP segment: link layers, VLAN tags, IPv4 and IPv6, fragments."""

from __future__ import annotations

import struct
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.wire.packets.packet import Packet

MAX_DATAGRAMS = 1024
"""Fragmented datagrams held at once."""
_MAX_FRAGMENTS = 256

_IPV4, _IPV6 = 0x0800, 0x86DD
_VLAN = frozenset({0x8100, 0x88A8, 0x9100})
_TCP, _UDP, _FRAGMENT = 6, 17, 44
_EXTENSIONS = frozenset({0, 43, 51, 60, 135, 139, 140})
_LOOPBACK_IPV6 = frozenset({10, 24, 28, 30})
_TWO = struct.Struct("!H").unpack_from
_USUAL = struct.Struct("!HxxHxB2x4s4sHHIIBB").unpack_from
_TCP_HEADER = struct.Struct("!HHIIBB").unpack_from


class Segment(NamedTuple):
    """A TCP segment.  Addresses are the packet's bytes; ``missing`` bytes of the payload were not captured."""

    source: bytes
    target: bytes
    source_port: int
    target_port: int
    sequence: int
    acknowledged: int
    flags: int
    payload: bytes
    missing: int


class _Datagram(NamedTuple):
    """The payload of an IP packet: ``size`` is what it was on the wire, where the capture may have less."""

    source: bytes
    target: bytes
    protocol: int
    data: bytes
    size: int


@dataclass
class _Pieces:
    """The fragments of a datagram so far; the first to cover a byte wins."""

    parts: dict[int, bytes] = field(default_factory=dict)
    size: int | None = None

    def whole(self) -> bytes | None:
        """The reassembled payload, None while a part is missing."""
        if self.size is None:
            return None
        data = bytearray()
        for start in sorted(self.parts):
            if start > len(data):
                return None
            data += self.parts[start][len(data) - start :]
        return bytes(data[: self.size]) if len(data) >= self.size else None


class Frames:
    """Dissects packets; ``left_out`` counts, by kind, those that hold no TCP segment."""

    def __init__(self) -> None:
        self.left_out: Counter[str] = Counter()
        self._fragments: OrderedDict[tuple[bytes, bytes, int, int], _Pieces] = OrderedDict()

    def segment(self, packet: Packet) -> Segment | None:
        """The TCP segment in *packet*, None where there is none or it is only a part of one."""
        _, link, data, _ = packet
        if link == 1 and len(data) >= 54 and data[12:15] == b"\x08\x00\x45":
            # Nearly every packet: Ethernet, IPv4 without options, TCP; read at once.
            total, place, protocol, source, target, one, other, sequence, acknowledged, offset, flags = _USUAL(data, 16)
            start, end = 34 + (offset >> 4) * 4, 14 + total
            if protocol == _TCP and not place & 0x3FFF and 54 <= start <= end:
                payload = data[start:end]
                missing = end - start - len(payload)
                return Segment(source, target, one, other, sequence, acknowledged, flags, payload, missing)
        return self._any(packet)

    def _any(self, packet: Packet) -> Segment | None:
        data, link = packet.data, packet.link
        layer = _LINKS.get(link)
        if layer is None:
            self.left_out[f"link type {link} is not supported"] += 1
            return None
        kind, at = layer(data)
        while kind in _VLAN and len(data) >= at + 4:
            kind, at = _TWO(data, at + 2)[0], at + 4
        if kind == _IPV4:
            datagram = self._ipv4(data, at, packet.length - at)
        elif kind == _IPV6:
            datagram = self._ipv6(data, at, packet.length - at)
        else:
            self.left_out["not IP"] += 1
            return None
        return datagram and self._tcp(datagram)

    @property
    def unfinished(self) -> int:
        """Fragmented datagrams of which a part never came."""
        return len(self._fragments)

    def _tcp(self, datagram: _Datagram) -> Segment | None:
        source, target, protocol, data, size = datagram
        if protocol != _TCP:
            self.left_out["UDP (QUIC is not read)" if protocol == _UDP else "neither TCP nor UDP"] += 1
            return None
        if len(data) < 20:
            self.left_out["TCP header not captured"] += 1
            return None
        source_port, target_port, sequence, acknowledged, offset, flags = _TCP_HEADER(data)
        start = (offset >> 4) * 4
        if start < 20 or start > size:
            self.left_out["malformed TCP"] += 1
            return None
        payload = data[start:size]
        missing = size - start - len(payload)
        return Segment(source, target, source_port, target_port, sequence, acknowledged, flags, payload, missing)

    def _ipv4(self, data: bytes, at: int, wire: int) -> _Datagram | None:
        if len(data) < at + 20 or data[at] >> 4 != 4:
            self.left_out["malformed IPv4"] += 1
            return None
        header = (data[at] & 15) * 4
        # With segmentation offload the length is 0: the packet is as long as the frame.
        total = _TWO(data, at + 2)[0] or wire
        if header < 20 or total < header:
            self.left_out["malformed IPv4"] += 1
            return None
        source, target = data[at + 12 : at + 16], data[at + 16 : at + 20]
        body, size = data[at + header : at + total], total - header
        place = _TWO(data, at + 6)[0]
        if place & 0x3FFF:
            key = (source, target, _TWO(data, at + 4)[0], data[at + 9])
            return self._fragment(key, (place & 0x1FFF) * 8, bool(place & 0x2000), body, size)
        return _Datagram(source, target, data[at + 9], body, size)

    def _ipv6(self, data: bytes, at: int, wire: int) -> _Datagram | None:
        if len(data) < at + 40 or data[at] >> 4 != 6:
            self.left_out["malformed IPv6"] += 1
            return None
        source, target, following = data[at + 8 : at + 24], data[at + 24 : at + 40], data[at + 6]
        size = _TWO(data, at + 4)[0] or max(wire - 40, 0)
        body = data[at + 40 : at + 40 + size]
        while following in _EXTENSIONS and len(body) >= 8:
            length = (body[1] + 2) * 4 if following == 51 else (body[1] + 1) * 8
            following, body, size = body[0], body[length:], size - length
        if following == _FRAGMENT and len(body) >= 8:
            place = _TWO(body, 2)[0]
            following, rest = body[0], body[8:]
            key = (source, target, int.from_bytes(body[4:8], "big"), following)
            if place & 0xFFF9:
                return self._fragment(key, place & 0xFFF8, bool(place & 1), rest, size - 8)
            body, size = rest, size - 8
        return _Datagram(source, target, following, body, max(size, 0))

    def _fragment(
        self, key: tuple[bytes, bytes, int, int], start: int, more: bool, body: bytes, size: int
    ) -> _Datagram | None:
        if len(body) < size:
            self.left_out["fragment not captured completely"] += 1
            return None
        pieces = self._fragments.setdefault(key, _Pieces())
        self._fragments.move_to_end(key)
        if len(pieces.parts) < _MAX_FRAGMENTS:
            pieces.parts.setdefault(start, body)
        if not more:
            pieces.size = start + size
        data = pieces.whole()
        if data is not None:
            del self._fragments[key]
            return _Datagram(key[0], key[1], key[3], data, len(data))
        if len(self._fragments) > MAX_DATAGRAMS:
            self._fragments.popitem(last=False)
            self.left_out["fragments dropped: too many unfinished datagrams"] += 1
        return None


def _ethernet(data: bytes) -> tuple[int, int]:
    return (_TWO(data, 12)[0], 14) if len(data) >= 14 else (0, 0)


def _cooked(data: bytes) -> tuple[int, int]:
    return (_TWO(data, 14)[0], 16) if len(data) >= 16 else (0, 0)


def _cooked2(data: bytes) -> tuple[int, int]:
    return (_TWO(data, 0)[0], 20) if len(data) >= 20 else (0, 0)


def _raw(data: bytes) -> tuple[int, int]:
    version = data[0] >> 4 if data else 0
    return {4: _IPV4, 6: _IPV6}.get(version, 0), 0


def _loopback(data: bytes) -> tuple[int, int]:
    """The address family is in the byte order of the host that captured (NULL) or of the network (LOOP)."""
    if len(data) < 4:
        return 0, 0
    families = {int.from_bytes(data[:4], "little"), int.from_bytes(data[:4], "big")}
    return (_IPV4 if 2 in families else _IPV6 if families & _LOOPBACK_IPV6 else 0), 4


_LINKS: dict[int, Callable[[bytes], tuple[int, int]]] = {
    0: _loopback,
    1: _ethernet,
    12: _raw,
    14: _raw,
    101: _raw,
    108: _loopback,
    113: _cooked,
    228: _raw,
    229: _raw,
    276: _cooked2,
}
