"""Many packets at once must give what one by one gives: whatever is lost, repeated, swapped, cut or said in a flag."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import pytest

from harness import paths
from harness.model.connection import Seen
from harness.wire.packets import batch, capture, source
from harness.wire.packets.capture import Capture
from harness.wire.packets.frames import Frames, Segment
from harness.wire.packets.packet import Packet
from harness.wire.packets.reader import read_captures
from harness.wire.packets.table import Reading

FILES = sorted((paths.FIXTURES / "captures").glob("*.pcap"))
ETHERNET = next(found for file in FILES if (found := list(Capture(str(file))))[0].link == 1)
Way = tuple[bytes, int, bytes, int]
Frame = tuple[bytes, int]
"""What was captured of a frame, and how long it was."""


def frame(one: Segment, ack: int, payload: bytes, sequence: int, flags: int = 0x10) -> bytes:
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + len(payload), 1, 0, 64, 6, 0, one.source, one.target)
    tcp = struct.pack("!HHIIBBHHH", one.source_port, one.target_port, sequence, ack, 0x50, flags, 500, 0, 0)
    return b"\2" * 12 + b"\x08\0" + ip + tcp + payload


def records(generator: random.Random, size: int) -> bytes:
    found = b""
    while len(found) < size:
        length = generator.choice((19, 30, 700, 5000, 16401))
        kind = 23 if generator.random() < 0.998 else 21
        found += struct.pack("!BHH", kind, 0x303, length) + generator.randbytes(length)
    return found


def longer(packets: list[Packet], generator: random.Random) -> Iterator[Frame]:
    """The capture, each connection of which goes on with many more segments in both directions."""
    frames, ends, last = (
        Frames(),
        dict[tuple[bytes, int, bytes, int], int](),
        dict[tuple[bytes, int, bytes, int], Segment](),
    )
    for packet in packets:
        segment = frames.segment(packet)
        if segment is None or segment.flags & 5:
            continue
        way = (segment.source, segment.source_port, segment.target, segment.target_port)
        ends[way] = max(ends.get(way, 0), segment.sequence + len(segment.payload) + bool(segment.flags & 2))
        last[way] = segment
        yield packet.data, packet.length
    streams = {way: records(generator, generator.choice((0, 20_000, 300_000))) for way in ends}
    while any(streams.values()):
        way = generator.choice([way for way, rest in streams.items() if rest])
        for _ in range(generator.choice((1, 3, 40))):
            part = streams[way][: generator.choice((1400, 1400, 1400, 300, 4))]
            streams[way] = streams[way][len(part) :]
            answers = ends.get((way[2], way[3], way[0], way[1]), 0) % 2**32
            yield frame(last[way], answers, part, ends[way] % 2**32), 54 + len(part)
            ends[way] += len(part)
            if generator.random() < 0.3:
                yield frame(last[way], answers, b"", ends[way] % 2**32), 54


def damaged(frames: list[Frame], generator: random.Random) -> Iterator[Frame]:
    chance = generator.choice((0.0, 0.0, 0.001, 0.01))
    held: Frame | None = None
    for item in frames:
        luck = generator.random()
        if luck < chance:
            continue
        if luck < 2 * chance:
            item = (item[0][: generator.randrange(14, len(item[0]) + 1)], item[1])
        if luck > 1 - chance:
            yield item
        elif luck > 1 - 2 * chance and held is None:
            held = item
            continue
        elif luck > 1 - 3 * chance:
            item = (item[0][:47] + bytes([generator.choice((0x11, 0x14, 0x18, 0x30))]) + item[0][48:], item[1])
        yield item
        if held is not None:
            yield held
            held = None


def pcap(frames: list[Frame]) -> bytes:
    found = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1)]
    for number, (data, length) in enumerate(frames):
        found += [struct.pack("<IIII", 1700000000 + number // 1000, number % 1000 * 1000, len(data), length), data]
    return b"".join(found)


def pcapng(frames: list[Frame]) -> bytes:
    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)

    found = [block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)), block(1, struct.pack("<HHI", 1, 0, 0))]
    for number, (data, length) in enumerate(frames):
        time = 1700000000_000000 + number * 1000
        found.append(block(6, struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(data), length) + data))
    return b"".join(found)


def read(data: bytes) -> Reading:
    return read_captures([Capture("test", io.BytesIO(data))])


@pytest.mark.parametrize("form", [pcap, pcapng])
@pytest.mark.parametrize("seed", range(12))
def test_the_same_as_one_by_one(seed: int, form: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = random.Random(seed)
    frames = [item for file in FILES for item in damaged(list(longer(list(Capture(str(file))), generator)), generator)]
    data = form(frames)
    together = read(data)
    monkeypatch.setattr(batch, "_numpy", lambda: None)
    alone = read(data)
    assert together.packets == len(frames) > 3000
    assert (together.segments, together.left_out, together.notes) == (alone.segments, alone.left_out, alone.notes)
    assert (together.first, together.last) == (alone.first, alone.last)
    assert [asdict(item) for item in together.connections] == [asdict(item) for item in alone.connections]


def disturbed(frames: list[Frame], generator: random.Random) -> list[Frame]:
    """*frames*, few of which are lost, swapped, repeated, cut or say something else."""
    found = list(frames)
    for _ in range(generator.choice((0, 1, 2, 4))):
        at = generator.randrange(1, len(found))
        data, length = found[at]
        match generator.randrange(6):
            case 0:
                del found[at]
            case 1:
                found[at - 1 : at + 1] = found[at], found[at - 1]
            case 2:
                found.insert(generator.randrange(len(found)), found[at])
            case 3:
                found[at] = data[: generator.randrange(14, len(data) + 1)], length
            case 4:
                found[at] = (
                    data[:47] + bytes([generator.choice((0x02, 0x04, 0x10, 0x11, 0x12, 0x14, 0x19))]) + data[48:],
                    length,
                )
            case _:
                place = generator.randrange(38, min(len(data), 60))
                found[at] = data[:place] + generator.randbytes(1) + data[place + 1 :], length
    return found


@pytest.mark.parametrize("seed", range(60))
def test_short_connections_are_the_same_as_one_by_one(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = random.Random(seed)
    frames = [(packet.data, packet.length) for file in FILES for packet in Capture(str(file)) if packet.link == 1]
    data = pcap(disturbed(frames, generator))
    together = read(data)
    monkeypatch.setattr(batch, "_numpy", lambda: None)
    alone = read(data)
    assert [asdict(item) for item in together.connections] == [asdict(item) for item in alone.connections]
    assert (together.segments, together.left_out) == (alone.segments, alone.left_out)


@pytest.fixture
def single(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many packets were read one by one, call by call."""
    counts: list[int] = []
    one_by_one = batch.Batches._one_by_one

    def counted(self: batch.Batches, of: batch.Batch, starts: Any) -> int:
        starts = list(starts)
        counts.append(len(starts))
        return one_by_one(self, of, starts)

    monkeypatch.setattr(batch.Batches, "_one_by_one", counted)
    return counts


def short_connections() -> list[Frame]:
    """All packets of the kept captures, as Ethernet has them."""
    return [(packet.data, packet.length) for file in FILES for packet in Capture(str(file)) if packet.link == 1]


def test_short_connections_are_not_read_one_by_one(single: list[int]) -> None:
    frames = short_connections()
    assert len(read(pcap(frames)).connections) >= 10
    assert sum(single) < len(frames) / 5


def test_a_short_connection_goes_on_in_the_next_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = short_connections()
    whole = read(pcap(frames)).connections
    for size in (4000, 9000, 20000):
        monkeypatch.setattr(source, "CHUNK", size)
        monkeypatch.setattr(capture, "CHUNK", size)
        assert [asdict(item) for item in read(pcap(frames)).connections] == [asdict(item) for item in whole]


def test_a_capture_of_hellos_alone() -> None:
    """A display filter leaves them: without a SYN, they are still what the connection begins with."""
    frames, found = Frames(), list[Frame]()
    files = [file for file in FILES if next(iter(Capture(str(file)))).link == 1]
    for packet in (packet for file in files for packet in Capture(str(file))):
        segment = frames.segment(packet)
        if segment is not None and segment.payload[:1] == b"\x16" and segment.payload[5:6] in (b"\1", b"\2"):
            found.append((packet.data, packet.length))
    whole = {item.hello.random for file in files for item in read(file.read_bytes()).connections if item.hello}
    alone = read(pcap(found)).connections
    assert {item.hello.random for item in alone if item.hello} == whole and len(whole) > 5
    assert all(item.answer is not None and not item.opening_captured for item in alone)
    # What else there was is not known.
    assert {item.application_data for item in alone} == {Seen.UNKNOWN}


def test_most_of_a_transfer_is_not_read_one_by_one(single: list[int]) -> None:
    way = Segment(b"\x0a\0\0\1", b"\x0a\0\0\2", 5000, 443, 0, 0, 0x10, b"", 0)
    stream = b"".join(b"\x17\x03\x03\x40\x00" + bytes(0x4000) for _ in range(100))
    parts = [(at, stream[at : at + 1400]) for at in range(0, len(stream), 1400)]
    reading = read(pcap([(frame(way, 1, part, at), 54 + len(part)) for at, part in parts]))
    (connection,) = reading.connections
    assert connection.sent.bytes == len(stream) and connection.sent.packets == len(parts) > 1000
    assert sum(single) < 50


def test_other_link_types(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = list(longer(list(ETHERNET), random.Random(3)))
    usual = [replace(item, files=()) for item in read(pcap(frames)).connections]
    for link, head in ((113, b"\0" * 14 + b"\x08\0"), (276, b"\x08\0" + b"\0" * 18), (101, b"")):
        moved = [(head + data[14:], length - 14 + len(head)) for data, length in frames]
        data = pcap(moved)
        data = data[:20] + struct.pack("<I", link) + data[24:]
        assert [replace(item, files=()) for item in read(data).connections] == usual
