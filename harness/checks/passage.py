"""Whether a balancer passes TLS through: the connections on its one side against those on its other.

A balancer that terminates TLS makes its own ClientHello, with its own random and key share; one that passes TLS
through cannot change a byte of either hello, or the handshake fails.  So the same ClientHello (random, session id, key
shares) answered by the same ServerHello on both sides is a passthrough.  A ClientHello that was answered on the one
side and never appeared on the other was answered by what stands between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from harness.model.connection import ClientHello, Connection, Content

SLACK = 1.0
"""Seconds by which the clocks of two captures may differ where no connection is common to both."""


class Passage(StrEnum):
    """What became of a connection between the two captures."""

    PASSED = "passed through"
    TERMINATED = "terminated"
    NEITHER = "neither"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Leg:
    """A connection before the balancer, and what it became behind it."""

    before: Connection
    passage: Passage
    why: str
    after: tuple[Connection, ...] = ()


@dataclass(frozen=True)
class Side:
    """The connections captured on one side, and when that capture began and ended."""

    connections: Sequence[Connection]
    first: float | None
    last: float | None


def compare(before: Sequence[Connection], after: Side) -> list[Leg]:
    """What became of each TLS connection of *before*, in their order."""
    index: dict[str, list[Connection]] = {}
    for connection in after.connections:
        if connection.hello is not None:
            index.setdefault(connection.hello.random, []).append(connection)
    tls = [connection for connection in before if connection.content is Content.TLS]
    same = {id(item): _same(item, index) for item in tls}
    matched = {id(found) for found in same.values() if found is not None}
    offset = median([found.started - item.started for item in tls if (found := same[id(item)]) is not None] or [0.0])
    others = [item for item in after.connections if id(item) not in matched]
    return [_leg(item, same[id(item)], others, after, offset) for item in tls]


def within(connections: Iterable[Connection]) -> list[Leg]:
    """The passed-through connections of one capture that shows both sides: the same hello on two connections.

    Nothing is said of the others: which of them are before the balancer, and which behind it, is not known.
    """
    by_random: dict[str, list[Connection]] = {}
    for item in connections:
        if item.hello is not None:
            by_random.setdefault(item.hello.random, []).append(item)
    pairs = (sorted(items, key=lambda item: item.started)[:2] for items in by_random.values() if len(items) > 1)
    legs = (_judged(first, second) for first, second in pairs)
    return [leg for leg in legs if leg.passage is Passage.PASSED]


def _same(item: Connection, index: dict[str, list[Connection]]) -> Connection | None:
    if item.hello is None:
        return None
    found = [other for other in index.get(item.hello.random, []) if other is not item]
    return min(found, key=lambda other: abs(other.started - item.started), default=None)


def _leg(item: Connection, same: Connection | None, others: list[Connection], after: Side, offset: float) -> Leg:
    if same is not None:
        return _judged(item, same)
    if item.hello is None:
        return Leg(item, Passage.UNKNOWN, "its ClientHello was not captured")
    start, end = item.started + offset - SLACK, item.ended + offset + SLACK
    if after.first is not None and after.last is not None and not (start <= after.last and end >= after.first):
        return Leg(item, Passage.UNKNOWN, "the other capture has no packets from that time; do the clocks agree?")
    near = [other for other in others if other.started <= end and other.ended >= start]
    near.sort(key=lambda other: (other.started < item.started + offset, abs(other.started - item.started - offset)))
    # A connection that is older than this one cannot be its other half, even where its ClientHello is not there.
    doubtful = [other for other in near if _hello_lost(other) and (other.opening_captured or other.started >= start)]
    if doubtful:
        why = "a connection at that time on the other side was captured without its ClientHello"
        return Leg(item, Passage.UNKNOWN, why, tuple(doubtful[:1]))
    if item.answer is None:
        return Leg(item, Passage.NEITHER, "its ClientHello was not answered, and is not on the other side")
    carrying = [other for other in near if other.content is not Content.EMPTY]
    if not carrying:
        why = "answered, and the other side has no connection at that time (if the clocks agree)"
        why = why if after.connections else _NOTHING
        return Leg(item, Passage.NEITHER, why)
    why = f"its ClientHello was answered, and is not on the other side; the nearest there {_nearest(carrying[0])}"
    return Leg(item, Passage.TERMINATED, why, tuple(carrying[:1]))


_NOTHING = "answered, and the other capture holds no connection at all; was it taken in the right place?"


def _nearest(other: Connection) -> str:
    if other.hello is not None:
        return "has its own ClientHello"
    clear = other.content in (Content.HTTP, Content.HTTP2)
    return "is clear text" if clear else "was opened before it"


def _hello_lost(other: Connection) -> bool:
    return other.hello is None and other.content in (Content.TLS, Content.UNKNOWN)


def _judged(item: Connection, same: Connection) -> Leg:
    assert item.hello is not None and same.hello is not None
    differ = _differences(item.hello, same.hello)
    if differ:
        return Leg(item, Passage.TERMINATED, f"the same random on both sides, but another {differ}", (same,))
    if item.answer is not None and same.answer is not None:
        if item.answer.random != same.answer.random:
            return Leg(item, Passage.TERMINATED, "the same ClientHello on both sides, but another ServerHello", (same,))
        text = "the same ClientHello and ServerHello on both sides"
        if (item.client, item.server) == (same.client, same.server):
            text = f"{text}, with the same addresses and ports: nothing in between opened another connection"
        return Leg(item, Passage.PASSED, text, (same,))
    if item.answer is None and same.answer is None:
        return Leg(item, Passage.PASSED, "the same ClientHello on both sides; no ServerHello on either", (same,))
    where = "this" if item.answer is None else "the other"
    return Leg(
        item, Passage.UNKNOWN, f"the same ClientHello on both sides, but no ServerHello on {where} side", (same,)
    )


def _differences(one: ClientHello, other: ClientHello) -> str:
    names = {"session id": "session_id", "key share": "key_shares", "ClientHello otherwise": "sha256"}
    return next((name for name, field in names.items() if getattr(one, field) != getattr(other, field)), "")
