"""What a balancer does, seen from both its sides: real handshakes, passed on, made anew, lost, or doubtful."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.checks.passage import Passage, Side, compare, within
from harness.model.connection import Connection, Content
from harness.tests.wire.packets import talk
from harness.wire.packets.assembly import Assembly
from harness.wire.packets.frames import Frames
from harness.wire.packets.packet import Packet

FRONT = talk.Frames(("10.0.0.1", 40000), ("10.0.0.2", 443))
BACK = talk.Frames(("10.0.1.2", 50000), ("10.0.1.3", 8443))
NOISE = talk.Frames(("10.0.1.9", 50001), ("10.0.1.3", 8443))
Pair = tuple[talk.Turns, talk.Turns]


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLSv1.2", "TLSv1.3"])
def turns(request: pytest.FixtureRequest, tmp_path: Path) -> Pair:
    """Two conversations of the same client and server."""
    client, server = (talk.context(tmp_path, who, who is not None) for who in (None, talk.identity("server")))
    client.maximum_version = request.param
    return talk.Talk(client, server).run(), talk.Talk(client, server).run()


def connection(
    frames: talk.Frames, turns: Sequence[tuple[bool, bytes]], at: float = 100.0, drop: int = 0
) -> Connection:
    dissect, made = Frames(), None
    for number, packet in enumerate(frames.all(turns)[drop:]):
        segment = dissect.segment(Packet(0, 101, packet, len(packet)))
        assert segment is not None
        ends = (segment.source, segment.source_port), (segment.target, segment.target_port)
        made = made or Assembly(*ends, at)
        made.segment(segment, at + number / 100)
    assert made is not None
    return made.connection()


def passage(before: Connection, *after: Connection, first: float = 90.0, last: float = 200.0) -> Passage:
    (leg,) = compare([before], Side(after, first, last))
    assert leg.why
    return leg.passage


def test_passed_through(turns: Pair) -> None:
    before, after = connection(FRONT, turns[0]), connection(BACK, turns[0], 100.01)
    assert passage(before, connection(NOISE, turns[1]), after) is Passage.PASSED
    (leg,) = within([before, connection(NOISE, turns[1]), after])
    assert (leg.before, leg.after, leg.passage) == (before, (after,), Passage.PASSED)
    proxied = connection(BACK, [(True, b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n"), *turns[0]])
    assert passage(before, proxied) is Passage.PASSED


def test_terminated(turns: Pair) -> None:
    before = connection(FRONT, turns[0])
    assert passage(before, connection(BACK, turns[1], 100.01)) is Passage.TERMINATED
    clear = connection(BACK, [(True, b"GET / HTTP/1.1\r\n\r\n"), (False, b"HTTP/1.1 200 OK\r\n\r\n")], 100.01)
    assert passage(before, clear) is Passage.TERMINATED
    kept = connection(BACK, turns[1], 99.0, drop=8)
    assert not kept.opening_captured and kept.ended < 99.5
    assert passage(before, replace(kept, started=95.0, ended=110.0)) is Passage.TERMINATED
    assert within([before, connection(BACK, turns[1])]) == []


def test_a_copied_hello_is_no_passthrough(turns: Pair) -> None:
    before, after = connection(FRONT, turns[0]), connection(BACK, turns[0])
    assert after.hello is not None and after.answer is not None
    for changed in (
        replace(after, answer=replace(after.answer, random="00" * 32)),
        replace(after, hello=replace(after.hello, session_id="00")),
        replace(after, hello=replace(after.hello, key_shares=())) if after.hello.key_shares else None,
        replace(after, hello=replace(after.hello, sha256="00")),
    ):
        if changed is not None:
            assert passage(before, changed) is Passage.TERMINATED
            assert within([before, changed]) == []


def test_neither(turns: Pair) -> None:
    before = connection(FRONT, turns[0])
    assert passage(before) is Passage.NEITHER
    assert passage(before, connection(BACK, turns[1], 150.0)) is Passage.NEITHER
    unanswered = connection(FRONT, turns[0][:1])
    assert passage(unanswered, connection(BACK, turns[1])) is Passage.NEITHER
    assert passage(before, connection(BACK, [])) is Passage.NEITHER


def test_what_cannot_be_decided(turns: Pair) -> None:
    before, after = connection(FRONT, turns[0]), connection(BACK, turns[0])
    # A part of the evidence is missing: the hello, on either side, or the answer on one.
    assert passage(connection(FRONT, turns[0], drop=5), after) is Passage.UNKNOWN
    assert passage(before, replace(after, hello=None)) is Passage.UNKNOWN
    assert passage(before, replace(after, hello=None, content=Content.UNKNOWN)) is Passage.UNKNOWN
    assert passage(before, replace(after, answer=None)) is Passage.UNKNOWN
    assert passage(replace(before, answer=None), after) is Passage.UNKNOWN
    # The other capture had not begun, or only just: its connection may be the second half of this one.
    assert passage(before, first=150.0) is Passage.UNKNOWN
    late = connection(BACK, turns[0], 100.02, drop=6)
    assert passage(before, late, first=100.02) is Passage.UNKNOWN


def test_clocks_are_set_by_what_both_captures_have(turns: Pair) -> None:
    """The clock of the second capture is an hour ahead, which one connection in both shows."""
    shared, other = connection(FRONT, turns[0]), connection(NOISE, turns[1], 130.0)
    after = [connection(BACK, turns[0], 3700.0), connection(BACK, [(True, b"GET / HTTP/1.1\r\n\r\n")], 3730.0)]
    legs = compare([shared, other], Side(after, 3600.0, 3800.0))
    assert [leg.passage for leg in legs] == [Passage.PASSED, Passage.TERMINATED]


def test_two_that_refuse_alike_are_passed_through(turns: Pair) -> None:
    before, after = connection(FRONT, turns[0][:1]), connection(BACK, turns[0][:1])
    assert passage(before, after) is Passage.PASSED


def test_only_tls_is_compared(turns: Pair) -> None:
    clear = connection(FRONT, [(True, b"GET / HTTP/1.1\r\n\r\n")])
    assert compare([clear], Side([], None, None)) == []
