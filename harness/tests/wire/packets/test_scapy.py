"""Frames that are rare, as scapy builds them: an author of packets that shares nothing with our reader."""

from __future__ import annotations

from typing import Any

import pytest

from harness.wire.packets.frames import Frames, Segment
from harness.wire.packets.packet import Packet


def segments(*frames: bytes, link: int = 1) -> list[Segment]:
    reader = Frames()
    found = (reader.segment(Packet(0.0, link, frame, len(frame))) for frame in frames)
    return [segment for segment in found if segment is not None]


@pytest.fixture
def layers() -> Any:
    scapy = pytest.importorskip("scapy.all", reason="the extra dev is not installed")
    scapy.conf.verb = 0
    return scapy


def test_rare_headers(layers: Any) -> None:
    tcp = layers.TCP(sport=40000, dport=443, seq=7, flags="PA", options=[("MSS", 1400), ("Timestamp", (1, 2))])
    data, ether = layers.Raw(b"x" * 100), layers.Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    v4, v6 = layers.IP(src="10.0.0.1", dst="10.0.0.2"), layers.IPv6(src="2001:db8::1", dst="2001:db8::2")
    built = [
        ether / v4 / tcp / data,
        ether / layers.Dot1Q(vlan=7) / v4 / tcp / data,
        ether / layers.Dot1AD(vlan=3) / layers.Dot1Q(vlan=7) / v4 / tcp / data,
        ether / layers.IP(src="10.0.0.1", dst="10.0.0.2", options=[layers.IPOption_NOP()] * 4) / tcp / data,
        ether / v6 / tcp / data,
        ether / v6 / layers.IPv6ExtHdrHopByHop() / layers.IPv6ExtHdrDestOpt() / tcp / data,
        ether / v6 / layers.IPv6ExtHdrRouting(addresses=["2001:db8::3"]) / tcp / data,
    ]
    found = segments(*map(bytes, built))
    assert len(found) == len(built)
    assert {(item.source_port, item.target_port, item.sequence, item.payload, item.missing) for item in found} == {
        (40000, 443, 7, b"x" * 100, 0)
    }


def test_fragments(layers: Any) -> None:
    whole = layers.IP(src="10.0.0.1", dst="10.0.0.2", id=9) / layers.TCP(sport=1, dport=2) / layers.Raw(b"y" * 3000)
    pieces = [bytes(layers.Ether() / part) for part in layers.fragment(whole, 800)]
    assert len(pieces) > 3
    for order in (pieces, pieces[::-1]):
        (found,) = segments(*order)
        assert found.payload == b"y" * 3000
    six = layers.IPv6(src="2001:db8::1", dst="2001:db8::2") / layers.IPv6ExtHdrFragment(id=5)
    parts = layers.fragment6(six / layers.TCP(sport=1, dport=2) / layers.Raw(b"z" * 3000), 1000)
    (found,) = segments(*(bytes(layers.Ether() / part) for part in parts))
    assert found.payload == b"z" * 3000


def test_what_is_no_tcp(layers: Any) -> None:
    reader = Frames()
    for frame in (layers.Ether() / layers.ARP(), layers.Ether() / layers.IP() / layers.UDP() / layers.DNS()):
        assert reader.segment(Packet(0.0, 1, bytes(frame), len(frame))) is None
    assert sum(reader.left_out.values()) == 2
