"""Reads mutated captures, all the way to the report: none may raise, hang or print what it must not.

    python -m tools.fuzz_packets [--cases 100000] [--seed 1] [--seconds 5]

The corpus is fixtures/captures.  A case is reproducible by its seed and number: ``--first N --cases 1`` repeats one.
"""

from __future__ import annotations

import argparse
import gzip
import io
import random
import struct
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from harness.checks.exposure import clear_text
from harness.checks.packets import Declared, about, judge
from harness.checks.passage import Side, compare, within
from harness.errors import UsageError
from harness.model.vocabulary import Path as FlowPath
from harness.model.vocabulary import Posture
from harness.wire.packets.capture import Capture
from harness.wire.packets.reader import read_captures
from harness.writers.packets import PacketReport, as_json, as_text
from tools.time_limit import time_limit

CORPUS = Path(__file__).resolve().parents[1] / "fixtures" / "captures"
SECRET = "c2lnbmF0dXJl"
"""The signature of the corpus's token."""
_EDGES = (
    b"\0",
    b"\xff",
    b"\x7f\xff",
    b"\xff\xff",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x80\0\0\0",
    b"\x16\3\3",
    b"\r\n\r\n",
)


def corpus() -> list[bytes]:
    """The captures that are mutated, and one transfer that is long enough to be read many packets at once."""
    return [*(file.read_bytes() for file in sorted(CORPUS.iterdir())), _transfer()]


def _transfer() -> bytes:
    stream = (b"\x17\x03\x03\x08\x00" + b"\x55" * 0x800) * 60
    found = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1)]
    for at in range(0, len(stream), 700):
        part = stream[at : at + 700]
        ip = struct.pack("!BBHHHBBHII", 0x45, 0, 40 + len(part), 1, 0, 64, 6, 0, 0x0A000001, 0x0A000002)
        tcp = struct.pack("!HHIIBBHHH", 5000, 19001, at, 1, 0x50, 16, 500, 0, 0)
        data = b"\2" * 12 + b"\x08\0" + ip + tcp + part
        found += [struct.pack("<IIII", 1700000000, at, len(data), len(data)), data]
    return b"".join(found)


def mutated(original: bytes, generator: random.Random) -> bytes:
    """*original* with some damage."""
    data = bytearray(original)
    for _ in range(generator.choice((1, 1, 2, 4, 16, 64))):
        if data:
            generator.choice(_MUTATIONS)(data, generator)
    return gzip.compress(bytes(data), 1)[: generator.choice((None, -9))] if generator.random() < 0.02 else bytes(data)


def _flip(data: bytearray, generator: random.Random) -> None:
    data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)


def _byte(data: bytearray, generator: random.Random) -> None:
    data[generator.randrange(len(data))] = generator.randrange(256)


def _edge(data: bytearray, generator: random.Random) -> None:
    value, at = generator.choice(_EDGES), generator.randrange(len(data))
    data[at : at + len(value)] = value


def _cut(data: bytearray, generator: random.Random) -> None:
    at = generator.randrange(len(data))
    del data[at : at + generator.choice((1, 4, 60, 5000))]


def _repeat(data: bytearray, generator: random.Random) -> None:
    at = generator.randrange(len(data))
    data[at:at] = data[max(at - generator.choice((1, 16, 400)), 0) : at]


def _move(data: bytearray, generator: random.Random) -> None:
    source, target = generator.randrange(len(data)), generator.randrange(len(data))
    data[target : target + 100] = data[source : source + 100]


_MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (_flip, _byte, _edge, _cut, _repeat, _move)


def look(data: bytes) -> str:
    """Everything that ``hopproof packets`` makes of *data*; '' where it refuses the file."""
    try:
        reading = read_captures([Capture("fuzz", io.BytesIO(data))])
    except UsageError:
        return ""
    side = Side(reading.connections, reading.first, reading.last)
    legs = [*within(reading.connections), *compare(reading.connections, side)]
    verdicts = []
    for posture in Posture:
        declared = Declared(
            "x", "portal.example.test", frozenset({19001, 19005}), frozenset(), posture, FlowPath.DIRECT
        )
        verdicts += judge(declared, about(declared, reading.connections), legs, True)
    report = PacketReport(
        reading.packets, reading.connections, reading.left_out, reading.notes, legs, verdicts,
        clear_text(reading.connections), {},
    )  # fmt: skip
    return as_json(report) + as_text(report)


def run(cases: range, seed: int, seconds: int) -> list[str]:
    """Look at *cases*; returns what went wrong, a line each."""
    originals, wrong = corpus(), []
    for number in cases:
        generator = random.Random(f"{seed}/{number}")  # noqa: S311 - a case can be repeated
        data = mutated(generator.choice(originals), generator)
        try:
            with time_limit(seconds):
                if f".{SECRET}" in look(data):
                    wrong.append(f"case {number}: a token was printed whole")
        except Exception:
            wrong.append(f"case {number}: {traceback.format_exc()}")
    return wrong


def main() -> int:
    """The program; exit status 1 where something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=5)
    arguments = parser.parse_args()
    start = time.monotonic()
    wrong = run(range(arguments.first, arguments.first + arguments.cases), arguments.seed, arguments.seconds)
    for line in wrong[:20]:
        print(line)  # noqa: T201
    print(f"{arguments.cases} cases, {len(wrong)} wrong, {time.monotonic() - start:.0f} s")  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
