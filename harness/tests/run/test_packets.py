"""Which captured connections belong to a case, and what is held until they are there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.checks.passage import Passage
from harness.model.case import CAPTURE, Case
from harness.model.connection import Connection, Seen
from harness.model.exchange import BalancerView, ClientView, Exchange, ServerView
from harness.model.observations import Packets
from harness.model.verdict import Verdict
from harness.model.vocabulary import Grade, Outcome
from harness.model.vocabulary import Path as FlowPath
from harness.run.capture import RunCapture
from harness.run.engine import Result
from harness.run.packets import PacketJudge, lost
from harness.tests.builders import case, requirement
from harness.tests.checks.test_passage import BACK, FRONT, Pair, connection
from harness.tests.wire.packets import talk
from harness.wire.packets.table import Reading

CLIENT = ClientView(40000, 443, established=True)
BETWEEN = BalancerView("x", "terminating", 443, 40000, upstream_port=50000)
SERVER = ServerView("y", 8443, 50000)
WHOLE = Exchange("fp-1", CLIENT, BETWEEN, SERVER)


@pytest.fixture
def both(tmp_path: Path) -> Pair:
    client, server = (talk.context(tmp_path, who, who is not None) for who in (None, talk.identity("server")))
    return talk.Talk(client, server).run(), talk.Talk(client, server).run()


def asked(path: FlowPath = FlowPath.TERMINATING) -> Case:
    return case("tls-reencrypted", row=requirement(needs=(CAPTURE,)), path=path)


def packets(about: Case, exchange: Exchange, *connections: Connection) -> tuple[Packets, Verdict]:
    reading = Reading(connections=list(connections), first=90.0, last=200.0)
    found: list[Result] = []
    held = Result(about, exchange, None, Verdict(Outcome.PASS, "", "", Grade.BOTH_SIDES), 1.0)
    PacketJudge(reading, {}).run([held], found.append)
    (judged,) = found
    assert judged.verdict.grade is Grade.PACKETS
    return judged.exchange.extra["packets"], judged.verdict


def test_the_ports_that_both_ends_name(both: Pair) -> None:
    front, back, other = (
        connection(FRONT, both[0]),
        connection(BACK, both[1], 100.01),
        connection(BACK, both[0], 100.01),
    )
    facts, verdict = packets(asked(), WHOLE, front, back)
    assert (facts["passage"], verdict.outcome) == (Passage.TERMINATED, Outcome.PASS)
    assert [item["data"] for item in facts["onward"]] == ["yes"]
    facts, verdict = packets(asked(), WHOLE, front, other)
    assert (facts["passage"], verdict.code) == (Passage.PASSED, "passed-through")


def test_a_balancer_of_somebody_elses_is_found_by_its_hello(both: Pair) -> None:
    front, same, other = (
        connection(FRONT, both[0]),
        connection(BACK, both[0], 100.01),
        connection(BACK, both[1], 100.01),
    )
    alone = Exchange("fp-1", CLIENT)
    assert packets(asked(), alone, front, same)[0]["passage"] == Passage.PASSED
    assert packets(asked(), alone, front, other)[0]["passage"] == Passage.TERMINATED
    facts, verdict = packets(asked(), alone, front)
    assert (facts["passage"], facts["onward"], verdict.outcome) == (Passage.NEITHER, [], Outcome.UNOBSERVED)


def test_another_client_of_the_balancer_is_not_behind_it(both: Pair) -> None:
    front = connection(FRONT, both[0])
    neighbour = replace(front, client=replace(front.client, port=40001))
    assert packets(asked(), Exchange("fp-1", CLIENT), front, neighbour)[0]["passage"] == Passage.NEITHER


def test_what_our_balancer_did_not_open_is_not_taken_for_it(both: Pair) -> None:
    quiet = replace(WHOLE, balancer=replace(BETWEEN, upstream_port=None), server=None)
    facts, verdict = packets(asked(), quiet, connection(FRONT, both[0]), connection(BACK, both[1], 100.01))
    assert (facts["onward"], verdict.outcome) == ([], Outcome.UNOBSERVED)


def test_what_cannot_be_found(both: Pair) -> None:
    front = connection(FRONT, both[0])
    assert packets(asked(), Exchange("fp-1"), front)[0]["missing"] == "neither end told which ports the connection had"
    assert packets(asked(), WHOLE, front)[0]["missing"] == "its connection is not in the capture"
    assert packets(asked(), Exchange("fp-1", CLIENT), front, front)[0]["missing"].startswith("its ports were used more")
    facts, _ = packets(asked(FlowPath.DIRECT), Exchange("fp-1", CLIENT), front)
    assert (facts["missing"], facts["passage"]) == ("", "")


def test_ports_that_another_program_had_before(both: Pair) -> None:
    """A run of minutes, or two at once on one machine, see the same ports again."""
    front = connection(FRONT, both[0])
    earlier = replace(front, started=front.started - 30, ended=front.started - 29)
    held = Result(
        asked(FlowPath.DIRECT), Exchange("fp-1", CLIENT), None, Verdict(Outcome.PASS, "", "", Grade.BOTH_SIDES), 50.0
    )
    found: list[Result] = []
    judge = PacketJudge(Reading(connections=[earlier, front]), {})
    judge.run([held, replace(held, began=front.started - 0.02)], found.append)
    assert [item.exchange.extra["packets"]["missing"] for item in found] == [
        "its ports were used more than once in the run",
        "",
    ]


def test_what_a_lossy_capture_does_not_show_is_not_denied(both: Pair) -> None:
    front, back = connection(FRONT, both[0]), connection(BACK, both[1], 100.01)
    silent = replace(back, application_data=Seen.NO, closed="")
    assert judged_of(silent, 0, front).outcome is Outcome.FAIL
    verdict = judged_of(silent, 7, front)
    assert verdict.outcome is Outcome.UNOBSERVED
    assert verdict.reason.endswith("(the capture lost 7 packets: this machine was too busy to take them all)")
    # Both ends told where they end, and nothing before it is missing.
    assert judged_of(replace(silent, closed="closed"), 7, front).outcome is Outcome.FAIL


def test_a_lossy_capture_says_why_a_connection_is_not_in_it(both: Pair) -> None:
    verdict = judged_of(connection(FRONT, both[0]), 7)
    assert verdict.outcome is Outcome.UNOBSERVED
    assert verdict.reason.startswith("its connection is not in the capture (the capture lost 7 packets")


def judged_of(last: Connection, dropped: int, *others: Connection) -> Verdict:
    reading = Reading(connections=[*others, last], first=90.0, last=200.0)
    found: list[Result] = []
    held = Result(asked(), WHOLE, None, Verdict(Outcome.PASS, "", "", Grade.BOTH_SIDES), 1.0)
    PacketJudge(reading, {}, dropped).run([held], found.append)
    assert lost(found[0], dropped) is (found[0].verdict.outcome is Outcome.UNOBSERVED)
    return found[0].verdict


def test_only_what_packets_judge_is_held() -> None:
    capture = RunCapture.__new__(RunCapture)
    capture._held = []
    live = Verdict(Outcome.PASS, "", "", Grade.BOTH_SIDES)
    assert not capture.holds(Result(case(), WHOLE, None, live, 1.0))
    assert capture.holds(Result(asked(), WHOLE, None, live, 1.0))
    assert not capture.holds(Result(asked(), WHOLE, None, replace(live, grade=Grade.PACKETS), 1.0))
