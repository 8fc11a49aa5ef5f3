"""TCP order: every way in which the same bytes can be cut, repeated, shuffled and lost."""

from __future__ import annotations

import random

import pytest

from harness.wire.packets import streams
from harness.wire.packets.streams import Stream


class Kept:
    """Keeps bytes; a byte that is missing is a dot."""

    def __init__(self) -> None:
        self.text = b""

    def feed(self, data: bytes, time: float) -> None:
        self.text += data

    def skip(self, size: int, time: float) -> None:
        self.text += b"." * size


BASE = 2**32 - 20


def put(*segments: tuple[int, bytes], first: int | None = 0) -> tuple[bytes, Stream]:
    kept = Kept()
    stream = Stream(kept)
    if first is not None:
        stream.synchronise(BASE + first)
    for offset, data in segments:
        stream.segment((BASE + offset) % 2**32, data, 0, 0.0)
    stream.finish(0.0)
    return kept.text, stream


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        ([(0, b"abc"), (3, b"def")], b"abcdef"),
        ([(3, b"def"), (0, b"abc")], b"abcdef"),
        ([(0, b"abc"), (0, b"abc"), (3, b"def")], b"abcdef"),
        ([(0, b"abc"), (1, b"bcde")], b"abcde"),
        ([(0, b"abcdef"), (2, b"c")], b"abcdef"),
        ([(4, b"ef"), (2, b"cd"), (0, b"ab")], b"abcdef"),
        ([(2, b"cd"), (2, b"cdef"), (0, b"ab")], b"abcdef"),
        ([(2, b"cdef"), (2, b"cd"), (0, b"ab")], b"abcdef"),
        ([(2, b"cdef"), (3, b"d"), (0, b"ab")], b"abcdef"),
        ([(0, b"ab"), (4, b"ef")], b"ab..ef"),
        ([(4, b"ef")], b"....ef"),
        ([(18, b"xy"), (0, b"0123456789abcdefgh"), (20, b"z")], b"0123456789abcdefghxyz"),  # around the ring's end
    ],
)
def test_order(segments: list[tuple[int, bytes]], expected: bytes) -> None:
    text, stream = put(*segments)
    assert text == expected and stream.bytes == len(expected) and stream.missing == expected.count(b".")


def test_without_a_start_the_first_segment_is_it() -> None:
    assert put((5, b"fg"), (7, b"h"), (0, b"late"), first=None)[0] == b"fgh"


def test_any_cut_and_order() -> None:
    generator = random.Random(5)
    whole = bytes(generator.randrange(256) for _ in range(3000))
    for _ in range(300):
        pieces = []
        at = 0
        while at < len(whole):
            size = generator.randrange(1, 400)
            pieces.append((at, whole[at : at + size + generator.choice([0, 0, 30])]))
            at += size
        pieces += generator.sample(pieces, 3)
        pieces.sort(key=lambda piece: piece[0] + generator.randrange(1500))
        assert put(*pieces)[0] == whole


def test_what_was_cut_off_is_missing_and_may_come_again() -> None:
    kept = Kept()
    stream = Stream(kept)
    stream.segment(0, b"ab", 3, 0.0)
    stream.segment(5, b"fg", 0, 0.0)
    stream.segment(0, b"abcde", 0, 0.0)
    assert kept.text == b"ab...fg" and stream.missing == 3 and stream.retransmitted == 5


def test_what_is_acknowledged_was_sent() -> None:
    kept = Kept()
    stream = Stream(kept)
    stream.segment(0, b"abc", 0, 0.0)
    stream.finish(0.0, 10)
    assert kept.text == b"abc......." and stream.missing == 7
    for only_fin in (3, 4):
        stream = Stream(kept)
        stream.segment(0, b"abc", 0, 0.0)
        stream.finish(0.0, only_fin)
        assert stream.missing == 0


def test_a_hole_is_given_up_before_memory_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_SEGMENTS", 4)
    kept = Kept()
    stream = Stream(kept)
    stream.segment(0, b"a", 0, 0.0)
    for number in range(2, 8):
        stream.segment(number, b"x", 0, 0.0)
    assert kept.text == b"a.xxxxxx"
    monkeypatch.setattr(streams, "MAX_SEGMENTS", 400)
    monkeypatch.setattr(streams, "MAX_WAITING", 10)
    stream.segment(20, b"0123456789", 0, 0.0)
    assert kept.text.endswith(b"x")
    stream.segment(30, b"y", 0, 0.0)
    assert kept.text.endswith(b"............0123456789y")
