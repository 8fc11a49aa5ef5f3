"""Files: both formats in every variant, and what is said of those that are cut, damaged, or none."""

from __future__ import annotations

import gzip
import io
import struct
from pathlib import Path

import dpkt
import pytest

from harness.errors import UsageError
from harness.tests.wire.packets import talk
from harness.wire.packets.capture import Capture
from harness.wire.packets.packet import Packet

FRAMES = [bytes([number]) * (60 + number) for number in range(5)]


def packets(data: bytes) -> tuple[list[Packet], list[str]]:
    capture = Capture("test", io.BytesIO(data))
    return list(capture), capture.notes


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nanoseconds", [False, True])
def test_pcap(order: str, nanoseconds: bool) -> None:
    found, notes = packets(talk.pcap(FRAMES, link=113, order=order, nanoseconds=nanoseconds))
    assert [packet.data for packet in found] == FRAMES and not notes
    assert {packet.link for packet in found} == {113}
    assert found[2].time - found[0].time == pytest.approx(2e-6 if nanoseconds else 2e-3, abs=1e-6)


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_of_two_interfaces(order: str) -> None:
    found, notes = packets(talk.pcapng([1, 276], [(number % 2, frame) for number, frame in enumerate(FRAMES)], order))
    assert [(packet.link, packet.data) for packet in found] == [
        (276 if number % 2 else 1, frame) for number, frame in enumerate(FRAMES)
    ]
    assert not notes and found[1].time - found[0].time == pytest.approx(1e-3, abs=1e-6)


def test_files_that_dpkt_writes() -> None:
    for writer in (dpkt.pcap.Writer, dpkt.pcapng.Writer):
        out = io.BytesIO()
        made = writer(out)
        for number, frame in enumerate(FRAMES):
            made.writepkt(frame, ts=1700000000.5 + number)
        found, notes = packets(out.getvalue())
        assert [packet.data for packet in found] == FRAMES and not notes
        assert found[3].time == pytest.approx(1700000003.5, abs=1e-5)


def test_a_second_section_starts_afresh() -> None:
    both = talk.pcapng([1], [(0, FRAMES[0])]) + talk.pcapng([113], [(0, FRAMES[1])], ">")
    assert [packet.link for packet in packets(both)[0]] == [1, 113]


def test_other_blocks() -> None:
    simple = talk.block(3, struct.pack("<I", 60) + FRAMES[0])
    old = talk.block(2, struct.pack("<HHIIII", 0, 0, 0, 0, 61, 61) + FRAMES[1])
    unknown = talk.block(0xBAD, b"whatever")
    secrets = talk.block(10, struct.pack("<II", 0x544C534B, 4) + b"keys")
    stray = talk.block(6, struct.pack("<IIIII", 7, 0, 0, 4, 4) + b"data")
    found, notes = packets(talk.pcapng([1], []) + simple + unknown + old + secrets + stray)
    assert [packet.data for packet in found] == FRAMES[:2]
    assert len(notes) == 2 and "secret" in notes[0] and "interface" in notes[1]


def test_a_cut_keeps_the_length_on_the_wire() -> None:
    found, _ = packets(talk.pcap(FRAMES, snaplen=20))
    assert [(len(packet.data), packet.length) for packet in found] == [(20, len(frame)) for frame in FRAMES]


def test_gzip_and_large_files() -> None:
    many = FRAMES * 8000  # more than a chunk
    plain = talk.pcap(many)
    for data in (plain, gzip.compress(plain, 1)):
        found, notes = packets(data)
        assert [packet.data for packet in found] == many and not notes


@pytest.mark.parametrize("made", [talk.pcap(FRAMES), talk.pcapng([1], [(0, frame) for frame in FRAMES])])
def test_a_file_that_ends_early(made: bytes) -> None:
    found, notes = packets(made[:-7])
    assert [packet.data for packet in found] == FRAMES[:-1]
    assert notes == ["the file ends in the middle of a packet: the capture was cut off"]


def test_gzip_that_ends_early() -> None:
    noise = [bytes(number * place % 251 for place in range(997)) for number in range(3000)]
    found, notes = packets(gzip.compress(talk.pcap(noise), 1)[:-5000])
    assert 0 < len(found) < 3000 and "ended early" in notes[0]


def test_damage_is_named() -> None:
    data = bytearray(talk.pcap(FRAMES))
    struct.pack_into("<I", data, 24 + 16 + 60 + 8, 1 << 30)
    found, notes = packets(bytes(data))
    assert len(found) == 1 and notes == [
        f"damaged at byte {24 + 76}: a packet of {1 << 30} bytes; nothing after it was read"
    ]
    found, notes = packets(talk.pcapng([1], [(0, FRAMES[0])]) + struct.pack("<III", 6, 5, 0))
    assert len(found) == 1 and "a block of 5 bytes" in notes[0]


@pytest.mark.parametrize(
    "data", [b"", b"\xd4\xc3\xb2\xa1", b"hello, this is no capture", b"\x1f\x8bnot gzip", b"\x1f\x8b"]
)
def test_no_capture(data: bytes) -> None:
    with pytest.raises(UsageError):
        packets(data)


def test_no_file(tmp_path: Path) -> None:
    for name in (tmp_path / "absent", tmp_path):
        with pytest.raises(UsageError, match="cannot read the capture"):
            list(Capture(str(name)))
    with pytest.raises(UsageError, match="cannot read the capture"):
        list(Capture("a\0b"))
