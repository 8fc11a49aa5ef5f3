"""Frames: the same conversation in every link layer, with tags, options, extension headers, in fragments."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

import dpkt
import pytest

from harness.model.connection import Connection
from harness.tests.wire.packets import talk
from harness.wire.packets import frames
from harness.wire.packets.table import Reading

QUESTION = b"GET /health HTTP/1.1\r\nHost: example.test\r\n\r\n"
TURNS = [(True, QUESTION), (False, b"HTTP/1.1 204 No Content\r\n\r\n")]
V4 = talk.Frames()
V6 = talk.Frames(("2001:db8::1", 40000), ("2001:db8::2", 8443))


def cooked(packet: bytes) -> bytes:
    return struct.pack("!HHH8sH", 0, 1, 6, b"\2" * 8, talk.kind(packet)) + packet


def cooked2(packet: bytes) -> bytes:
    return struct.pack("!HHIHBB8s", talk.kind(packet), 0, 3, 1, 0, 6, b"\2" * 8) + packet


def loopback(packet: bytes, order: str = "<", six: int = 30) -> bytes:
    return struct.pack(f"{order}I", six if packet[0] >> 4 == 6 else 2) + packet


@pytest.mark.parametrize("ends", [V4, V6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize(
    ("link", "wrap"),
    [
        (1, talk.ethernet),
        (1, lambda packet: talk.ethernet(packet, (0x8100, 7))),
        (1, lambda packet: talk.ethernet(packet, (0x88A8, 7), (0x8100, 8))),
        (113, cooked),
        (276, cooked2),
        (0, loopback),
        (0, lambda packet: loopback(packet, ">", 24)),
        (108, lambda packet: loopback(packet, ">", 28)),
        (101, bytes),
        (12, bytes),
    ],
)
def test_link_layers(
    reads: Callable[..., Reading], ends: talk.Frames, link: int, wrap: Callable[[bytes], bytes]
) -> None:
    reading = reads(talk.pcap([wrap(packet) for packet in ends.all(TURNS)], link=link))
    (found,) = reading.connections
    assert (found.client.host, found.client.port) == ends.client and (
        found.server.host,
        found.server.port,
    ) == ends.server
    assert [(request.path, request.status) for request in found.requests] == [("/health", 204)]
    assert found.closed == "closed" and not reading.left_out and found.client_by == "SYN"
    # Ethernet pads short frames: that is no data.
    assert found.sent.bytes == len(QUESTION) and not found.sent.missing and not found.received.missing


def fragments(packet: bytes, size: int) -> list[bytes]:
    whole = dpkt.ip.IP(packet)
    body, found = packet[20:], []
    for start in range(0, len(body), size):
        more = start + size < len(body)
        part = dpkt.ip.IP(src=whole.src, dst=whole.dst, p=6, id=whole.id, data=body[start : start + size])
        part._flags_offset = more << 13 | start // 8
        found.append(bytes(part))
    return found


def fragments6(packet: bytes, size: int, number: int) -> list[bytes]:
    body, found = packet[40:], []
    for start in range(0, len(body), size):
        more = start + size < len(body)
        part = struct.pack("!BBHI", 6, 0, start | more, number) + body[start : start + size]
        found.append(packet[:4] + struct.pack("!HBB", len(part), 44, 64) + packet[8:40] + part)
    return found


LONG = [
    (
        True,
        b"POST /x HTTP/1.1\r\nHost: example.test\r\nContent-Length: 3000\r\nAuthorization: Bearer abc\r\n\r\n"
        + b"x" * 3000,
    )
]


@pytest.mark.parametrize("shuffle", [list, lambda parts: list(reversed(parts)), lambda parts: [parts[-1], *parts]])
@pytest.mark.parametrize("ends", [V4, V6], ids=["IPv4", "IPv6"])
def test_fragments(
    one: Callable[..., Connection], ends: talk.Frames, shuffle: Callable[[list[bytes]], list[bytes]]
) -> None:
    packets: list[bytes] = []
    for number, packet in enumerate(talk.Frames(ends.client, ends.server, mss=4000).all(LONG)):
        cut = fragments(packet, 512) if ends is V4 else fragments6(packet, 512, number)
        packets += shuffle(cut) if len(packet) > 600 else [packet]
    found = one(packets)
    assert found.sent.bytes == len(LONG[0][1]) and not found.sent.missing
    assert [request.scheme for request in found.requests] == ["bearer"]


def test_a_lost_fragment_is_counted(reads: Callable[..., Reading]) -> None:
    packets = talk.Frames(mss=4000).all(LONG)
    (number,) = [number for number, packet in enumerate(packets) if len(packet) > 600]
    packets[number : number + 1] = fragments(packets[number], 512)[1:]
    reading = reads(talk.pcap(packets, link=101))
    assert reading.left_out == {"datagrams of which a fragment never came": 1}
    assert reading.connections[0].sent.missing == len(LONG[0][1])


def test_unfinished_datagrams_are_bounded(reads: Callable[..., Reading], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_DATAGRAMS", 3)
    packets = []
    for number in range(10):
        packet = bytearray(V4.all(LONG)[3])
        struct.pack_into("!H", packet, 4, number)
        packets.append(fragments(bytes(packet), 512)[0])
    assert reads(talk.pcap(packets, link=101)).left_out == {
        "fragments dropped: too many unfinished datagrams": 7,
        "datagrams of which a fragment never came": 3,
    }


def test_options_and_extension_headers(one: Callable[..., Connection]) -> None:
    four = []
    for packet in V4.all(TURNS):
        total = struct.unpack_from("!H", packet, 2)[0] + 4
        four.append(b"\x46" + packet[1:2] + struct.pack("!H", total) + packet[4:20] + b"\1\1\1\0" + packet[20:])
    assert one(four).requests[0].path == "/health"
    six = []
    for packet in V6.all(TURNS):
        body = b"\x3c\0" + b"\1\4\0\0\0\0" + b"\6\0" + b"\1\4\0\0\0\0" + packet[40:]
        six.append(packet[:4] + struct.pack("!HBB", len(body), 0, 64) + packet[8:40] + body)
    assert one(six).requests[0].path == "/health"


def test_segmentation_offload_leaves_a_length_of_zero(one: Callable[..., Connection]) -> None:
    assert one([packet[:2] + b"\0\0" + packet[4:] for packet in V4.all(TURNS)]).requests[0].path == "/health"


@pytest.mark.parametrize(
    ("link", "packets", "why"),
    [
        (147, [b"whatever"], "link type 147 is not supported"),
        (1, [b"\2" * 12 + b"\x08\x06" + b"arp" * 9, b"short"], "not IP"),
        (1, [talk.ethernet(V4.all(TURNS)[0])[:30]], "malformed IPv4"),
        (
            101,
            [bytes(dpkt.ip.IP(src=b"\1\1\1\1", dst=b"\2\2\2\2", p=17, data=dpkt.udp.UDP()))],
            "UDP (QUIC is not read)",
        ),
        (101, [bytes(dpkt.ip.IP(src=b"\1\1\1\1", dst=b"\2\2\2\2", p=1, data=b"x" * 30))], "neither TCP nor UDP"),
        (101, [V4.all(TURNS)[0][:30]], "TCP header not captured"),
        (101, [V6.all(TURNS)[0][:30]], "malformed IPv6"),
    ],
)
def test_what_is_left_out_is_counted(
    reads: Callable[..., Reading], link: int, packets: Sequence[bytes], why: str
) -> None:
    reading = reads(talk.pcap(packets, link=link))
    assert reading.left_out == {why: len(packets)} and not reading.connections and reading.packets == len(packets)
