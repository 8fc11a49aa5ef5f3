"""Writes pcapng: an interface for each link type, the packets, and the TLS secrets that open them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.pki.private_files import private_file
from harness.wire.packets.packet import Packet

_SECTION, _INTERFACE, _ENHANCED, _SECRETS = 0x0A0D0D0A, 1, 6, 10
_KEY_LOG = 0x544C534B
_NANOSECONDS = struct.pack("<HHB3xHH", 9, 1, 9, 0, 0)
_COMMENT = 1


def write(file: Path, packets: Sequence[Packet], comment: str, secrets: Iterable[str] = ()) -> None:
    """Write *packets* into *file* (0600); *secrets* are the lines of a key log (``SSLKEYLOGFILE``) they need."""
    links = sorted({packet.link for packet in packets})
    said = _padded(comment.encode()[:0xFFF0])
    options = struct.pack("<HH", _COMMENT, min(len(comment.encode()), 0xFFF0)) + said + struct.pack("<HH", 0, 0)
    blocks = [_block(_SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + options)]
    blocks += [_block(_INTERFACE, struct.pack("<HHI", link, 0, 0) + _NANOSECONDS) for link in links]
    keys = "".join(f"{line}\n" for line in secrets).encode()
    if keys:
        blocks.append(_block(_SECRETS, struct.pack("<II", _KEY_LOG, len(keys)) + _padded(keys)))
    blocks += [_packet(packet, links.index(packet.link)) for packet in packets]
    private_file(file, b"".join(blocks))


def _packet(packet: Packet, interface: int) -> bytes:
    time = round(packet.time * 1e6) * 1000
    head = struct.pack("<IIIII", interface, time >> 32, time & 0xFFFFFFFF, len(packet.data), packet.length)
    return _block(_ENHANCED, head + _padded(packet.data))


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
