"""How fast captures are read, as a ratio to tshark and dpkt on the same file in the same run; asserts nothing.

    python -m tools.benchmarks.packets [FILE] [--packets 300000] [--bulk 200] [--rounds 3]

Without FILE the corpus of fixtures/captures is repeated, each time from another address, and after each repetition
comes a transfer of --bulk packets.  Rounds are interleaved; the least processor time of each reader counts.  dpkt
splits headers, and then dissects the hellos that are in one segment: it puts no stream in order and says nothing of a
connection, so it has the easier task.  tshark (if installed) prints the fields that hopproof reports.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import dpkt

from harness.wire.packets.capture import Capture
from harness.wire.packets.frames import Frames
from harness.wire.packets.reader import read

CORPUS = Path(__file__).resolve().parents[2] / "fixtures" / "captures"
_FIELDS = (
    "tcp.stream", "tls.handshake.extensions_server_name", "tls.handshake.extensions_alpn_str", "tls.handshake.random",
    "tls.handshake.session_id", "tls.handshake.ciphersuite", "tls.handshake.ja3", "tls.alert_message.desc",
    "http.request.uri", "http.authorization",
)  # fmt: skip


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--packets", type=int, default=300_000)
    parser.add_argument("--bulk", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = arguments.file or _made(Path(folder) / "made.pcap", arguments.packets, arguments.bulk)
        readers: dict[str, Callable[[Path], int]] = {
            "hopproof": lambda path: read([str(path)]).packets,
            "hopproof, file format only": lambda path: sum(1 for _ in Capture(str(path))),
            "hopproof, headers only": _headers,
            "dpkt, file format only": lambda path: sum(1 for _ in dpkt.pcap.UniversalReader(path.open("rb"))),
            "dpkt, headers only": _dpkt,
            "dpkt, headers and hellos": _dpkt_hellos,
        }
        if shutil.which("tshark"):
            readers["tshark"] = _tshark
        best = {name: float("inf") for name in readers}
        count = 0
        for _ in range(arguments.rounds):
            for name, reader in readers.items():
                start = _processor()
                count = reader(file) or count
                best[name] = min(best[name], _processor() - start)
        _print(file, count, best)


def _processor() -> float:
    """Seconds of processor time of this process and of those it ran to their end."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(item.ru_utime + item.ru_stime for item in used)


def _print(file: Path, count: int, best: dict[str, float]) -> None:
    own = best["hopproof"]
    print(f"{count} packets, {file.stat().st_size / 1e6:.0f} MB")
    for name, seconds in best.items():
        print(f"{name:28} {count / seconds:10.0f} packets/s   hopproof is {seconds / own:.2f} times as fast")
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def _headers(file: Path) -> int:
    frames, count = Frames(), 0
    for packet in Capture(str(file)):
        frames.segment(packet)
        count += 1
    return count


def _dpkt(file: Path) -> int:
    count = 0
    with file.open("rb") as stream:
        for _time, data in dpkt.pcap.UniversalReader(stream):
            frame = dpkt.ethernet.Ethernet(data)
            if isinstance(frame.data, dpkt.ip.IP) and isinstance(frame.data.data, dpkt.tcp.TCP):
                _ = frame.data.data.dport
            count += 1
    return count


def _dpkt_hellos(file: Path) -> int:
    count = 0
    with file.open("rb") as stream:
        for _time, data in dpkt.pcap.UniversalReader(stream):
            segment = getattr(dpkt.ethernet.Ethernet(data).data, "data", None)
            if isinstance(segment, dpkt.tcp.TCP) and segment.data[:1] == b"\x16":
                with suppress(dpkt.Error, dpkt.ssl.SSL3Exception):  # an encrypted handshake record
                    for record in dpkt.ssl.tls_multi_factory(segment.data)[0]:
                        _ = dpkt.ssl.TLSHandshake(record.data)
            count += 1
    return count


def _tshark(file: Path) -> int:
    fields = [part for field in _FIELDS for part in ("-e", field)]
    command = [
        "tshark",
        "-n",
        "-r",
        str(file),
        "-Y",
        "tls.handshake || tls.alert_message || http.request",
        "-T",
        "fields",
    ]
    subprocess.run([*command, *fields], check=True, capture_output=True)
    return 0


def _made(file: Path, wanted: int, bulk: int) -> Path:
    """The corpus again and again under other ports, and after each repetition a transfer of *bulk* packets."""
    frames = [
        bytes(packet.data)
        for path in sorted(CORPUS.glob("*.pcap"))
        for packet in Capture(str(path))
        if packet.link == 1
    ]
    with file.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1))
        for number, frame in enumerate(_endless(frames, bulk)):
            if number == wanted:
                break
            out.write(struct.pack("<IIII", 1700000000 + number // 1000, number % 1000 * 1000, len(frame), len(frame)))
            out.write(frame)
    return file


def _endless(frames: list[bytes], bulk: int) -> Iterator[bytes]:
    repetition = 0
    while True:
        repetition += 1
        for frame in frames:
            # Another address for each repetition, so that connections are new ones.
            address = struct.pack("!I", 0x0A000000 + repetition)
            yield frame[:26] + address + address + frame[34:]
        record = b"\x17\x03\x03\x40\x00" + b"\x55" * 0x4000
        stream, sequence = record * (bulk // 11 + 1), repetition
        for at in range(0, bulk * 1400, 1400):
            part = stream[at : at + 1400]
            head = struct.pack("!BBHHHBBH", 0x45, 0, 40 + len(part), 1, 0, 64, 6, 0) + address + b"\x0a\xff\0\1"
            tcp = struct.pack("!HHIIBBHHH", 5000, 443, (sequence + at) % 2**32, 1, 0x50, 16, 500, 0, 0)
            yield b"\2" * 12 + b"\x08\0" + head + tcp + part


if __name__ == "__main__":
    main()
