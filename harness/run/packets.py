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
from harness.model.connection import Confidence, Connection
from harness.model.observations import OnTheWire, Packets
from harness.model.vocabulary import Grade, Path
from harness.run.engine import Result
from harness.wire.packets.table import Reading

_SURE = frozenset({Confidence.CERTAIN, Confidence.HIGH})


class PacketJudge:
    """Judges held results once more, from the connections of *reading*."""

    def __init__(self, reading: Reading, classes: Mapping[str, CataloguedClass]) -> None:
        self._reading, self._classes = reading, classes
        self._captured: defaultdict[Pair, list[Connection]] = defaultdict(list)
        for item in reading.connections:
            self._captured[item.client.port, item.server.port].append(item)

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
        found = [self._captured.get(pair, []) for pair in named]
        if not all(found):
            return _unknown("its connection is not in the capture")
        if any(len(items) > 1 for items in found):
            return _unknown("its ports were used more than once in the run")
        own = [items[0] for items in found]
        if result.case.path is Path.DIRECT:
            return {"missing": "", "passage": "", "why": "", "client": _seen(own[0]), "onward": []}
        logged = result.exchange.balancer is not None
        leg = self._leg(own, logged)
        after = own[1:] if logged else list(leg.after if leg.passage in _BEHIND else ())
        return {
            "missing": "",
            "passage": str(leg.passage),
            "why": leg.why,
            "client": _seen(own[0]),
            "onward": [_seen(item) for item in after],
        }

    def _leg(self, own: Sequence[Connection], logged: bool) -> Leg:
        """What became of the client's connection: among those that a balancer of ours *logged* of, else among all."""
        first, side = own[0], Side(own[1:], None, None)
        if not logged:
            reading = self._reading
            others = [item for item in reading.connections if item.server != first.server]
            side = Side(others, reading.first, reading.last)
        legs = compare([first], side)
        return legs[0] if legs else Leg(first, Passage.UNKNOWN, f"the client's connection is {first.content}")


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
