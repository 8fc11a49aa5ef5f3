"""Evidence from captured packets: the connections of some captures, and what a balancer made of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.checks.passage import Leg, Side, compare, within
from harness.errors import UsageError
from harness.model.connection import Connection
from harness.wire.packets.reader import read
from harness.wire.packets.table import Reading


@dataclass(frozen=True)
class Evidence:
    """What was read.  ``compared`` says whether the two sides of a balancer were distinguished."""

    reading: Reading
    legs: Sequence[Leg]
    compared: bool

    @property
    def connections(self) -> list[Connection]:
        """Every connection, in the order in which they began."""
        return self.reading.connections


def one_place(files: Sequence[str], balancer: tuple[str, int] | None) -> Evidence:
    """Captures taken in one place.  With *balancer*, the address it listens at, both of its sides are in them."""
    reading = read(files)
    if balancer is None:
        return Evidence(reading, within(reading.connections), False)
    before = [item for item in reading.connections if (item.server.host, item.server.port) == balancer]
    if not before:
        place = f"{balancer[0]}:{balancer[1]}"
        raise UsageError(
            f"no connection to {place} in the capture", hint=("--balancer is the address that its clients connect to")
        )
    mine = {id(item) for item in before}
    after = [item for item in reading.connections if id(item) not in mine]
    return Evidence(reading, compare(before, Side(after, reading.first, reading.last)), True)


def both_sides(before: str, after: str) -> Evidence:
    """A capture from each side of a balancer."""
    first, second = read([before]), read([after])
    legs = compare(first.connections, Side(second.connections, second.first, second.last))
    return Evidence(together(first, second), legs, True)


def together(one: Reading, other: Reading) -> Reading:
    """Both, as one; when they began and ended is not kept."""
    return Reading(
        connections=sorted([*one.connections, *other.connections], key=lambda item: item.started),
        packets=one.packets + other.packets,
        segments=one.segments + other.segments,
        left_out=one.left_out + other.left_out,
        notes=[*one.notes, *other.notes],
        ended_early=one.ended_early + other.ended_early,
        not_kept=one.not_kept + other.not_kept,
    )
