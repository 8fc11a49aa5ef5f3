"""Judges the cases of which captured packets are the evidence.  Decides nothing; the judge does.

Such a case is sent like any other; its verdict waits until the capture has ended.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from harness.checks import Question
from harness.checks.agreement import Pair, pairs
from harness.checks.passage import Leg, Passage, Side, compare
from harness.judge import judge
from harness.model.catalogue import CataloguedClass
from harness.model.connection import Confidence, Connection, Seen
from harness.model.observations import OnTheWire, Packets
from harness.model.vocabulary import Grade, Outcome, Path
from harness.run.engine import Result
from harness.wire.packets.table import Reading

When = tuple[float, float]
SLACK = 1.0
"""Seconds by which a packet's time and the case's may differ: a balancer goes on when the client is done."""
_SURE = frozenset({Confidence.CERTAIN, Confidence.HIGH})


class Captured:
    """Connections by their ports, and when: another program, or another case, may have used the same ones."""

    def __init__(self, connections: Iterable[Connection]) -> None:
        self._by_ports: defaultdict[Pair, list[Connection]] = defaultdict(list)
        for item in connections:
            self._by_ports[item.client.port, item.server.port].append(item)

    def near(self, named: Iterable[Pair], when: When | None) -> dict[Pair, list[Connection]]:
        """The connections between the ports *named*, of those that began while the case ran."""
        first, last = when or (float("-inf"), float("inf"))
        return {
            pair: [item for item in self._by_ports.get(pair, ()) if first - SLACK <= item.started <= last + SLACK]
            for pair in named
        }


def when(result: Result) -> When | None:
    """When *result* was had, by time.time(); None if that is not known."""
    return (result.began, result.began + result.ms / 1000) if result.began else None


class PacketJudge:
    """Judges held results once more, from the connections of *reading*, a capture that lost *dropped* packets."""

    def __init__(self, reading: Reading, classes: Mapping[str, CataloguedClass], dropped: int = 0) -> None:
        self._reading, self._classes, self._dropped = reading, classes, dropped
        self._captured = Captured(reading.connections)

    def run(self, held: Iterable[Result], done: Callable[[Result], None]) -> None:
        """Judge *held*; *done* gets each with the verdict that its packets give."""
        for result in held:
            done(self._judged(result))

    def _judged(self, result: Result) -> Result:
        exchange = result.exchange
        extra = exchange.extra.copy()
        extra["packets"] = self._packets(result)
        exchange = replace(exchange, extra=extra)
        question = Question(result.case, exchange, self._classes, Grade.PACKETS)
        return replace(result, exchange=exchange, verdict=judge(question, result.controls))

    def _packets(self, result: Result) -> Packets:
        named = pairs(result.exchange.to_json())
        if not named:
            return _unknown("neither end told which ports the connection had")
        found = list(self._captured.near(named, when(result)).values())
        if not all(found):
            return _unknown(f"{NOT_CAPTURED}{self._lost}")
        if any(len(items) > 1 for items in found):
            return _unknown("its ports were used more than once in the run")
        own = [items[0] for items in found]
        if result.case.path is Path.DIRECT:
            return {"missing": "", "passage": "", "why": "", "client": self._seen(own[0]), "onward": []}
        logged = result.exchange.balancer is not None
        leg = self._leg(own, logged)
        after = own[1:] if logged else list(leg.after if leg.passage in _BEHIND else ())
        return {
            "missing": "",
            "passage": str(leg.passage),
            "why": leg.why + (self._lost if leg.passage is Passage.UNKNOWN else ""),
            "client": self._seen(own[0]),
            "onward": [self._seen(item) for item in after],
        }

    @property
    def _lost(self) -> str:
        return f" ({dropped_packets(self._dropped)})" if self._dropped else ""

    def _seen(self, item: Connection) -> OnTheWire:
        """*item*, of which nothing is denied that lost packets may have held."""
        seen = _seen(item)
        # The sequence numbers of both ends prove that nothing is missing; without them the last packets may be lost.
        if self._dropped and seen["data"] == Seen.NO and item.closed != _BOTH_ENDS:
            seen["data"], seen["doubt"] = str(Seen.UNKNOWN), dropped_packets(self._dropped)
        return seen

    def _leg(self, own: Sequence[Connection], logged: bool) -> Leg:
        """What became of the client's connection: among those that a balancer of ours *logged* of, else among all."""
        first, side = own[0], Side(own[1:], None, None)
        if not logged:
            reading = self._reading
            others = [item for item in reading.connections if item.server != first.server]
            side = Side(others, reading.first, reading.last)
        legs = compare([first], side)
        return legs[0] if legs else Leg(first, Passage.UNKNOWN, f"the client's connection is {first.content}")


_BOTH_ENDS = "closed"
NOT_CAPTURED = "its connection is not in the capture"


def dropped_packets(count: int) -> str:
    """A sentence on the packets that a capture lost."""
    return f"the capture lost {count} packets: this machine was too busy to take them all"


def lost(result: Result, dropped: int) -> bool:
    """Whether *result* may be unobserved for no other reason than that the capture lost packets."""
    packets = result.exchange.extra.get("packets")
    missing = packets["missing"] if packets else ""
    return result.verdict.outcome is Outcome.UNOBSERVED and (dropped > 0 or missing.startswith(NOT_CAPTURED))


_BEHIND = frozenset({Passage.PASSED, Passage.TERMINATED})


def _unknown(why: str) -> Packets:
    return {"missing": why, "passage": "", "why": ""}


def _seen(item: Connection) -> OnTheWire:
    sent, asked = item.certificate_sent, item.certificate_requested
    return {
        "ends": f"{item.client} to {item.server}",
        "content": str(item.content),
        "version": item.answer.version if item.answer else "",
        "server_name": item.hello.server_name if item.hello else "",
        "asked": str(asked.seen),
        "sent": str(sent.seen),
        "sure": sent.confidence in _SURE and asked.confidence in _SURE,
        "why": sent.why or asked.why,
        "data": str(item.application_data),
        "tokens": sum(request.token is not None for request in item.requests),
        "statuses": sorted(set(item.statuses)),
    }
