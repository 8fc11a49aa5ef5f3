"""What a run recorded against captured packets: real handshakes, and records that say what did not happen."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.checks.agreement import agreement, pairs
from harness.checks.passage import Passage
from harness.model.connection import Confidence, Connection, Content, HttpRequest, Inference, Seen
from harness.model.exchange import TokenView
from harness.model.record import Row
from harness.tests import builders
from harness.tests.checks.test_passage import BACK, FRONT, Pair, connection
from harness.tests.wire.packets import talk

CLIENT = {"local_port": 40000, "peer_port": 443, "established": True, "tls_version": "TLSv1.3", "handshake_sha256": "a"}
BALANCER = {"local_port": 443, "peer_port": 40000, "upstream_port": 50000}
SERVER = {"local_port": 8443, "peer_port": 50000, "established": True, "handshake_sha256": "a"}


Captured = dict[tuple[int, int], list[Connection]]


def row(path: str = "passthrough", outcome: str = "PASS", **views: dict[str, Any]) -> Row:
    evidence: dict[str, dict[str, Any]] = {"client": CLIENT, "balancer": BALANCER, "server": SERVER}
    merged = {name: {**view, **views.get(name, {})} for name, view in evidence.items()}
    return builders.row(outcome=outcome, path=path, evidence=merged)


@pytest.fixture
def both(tmp_path: Path) -> Pair:
    client, server = (talk.context(tmp_path, who, who is not None) for who in (None, talk.identity("server")))
    client.minimum_version = ssl.TLSVersion.TLSv1_3
    return talk.Talk(client, server).run(), talk.Talk(client, server).run()


@pytest.fixture
def passed(both: Pair) -> Captured:
    return {(40000, 443): [connection(FRONT, both[0])], (50000, 8443): [connection(BACK, both[0], 100.01)]}


@pytest.fixture
def terminated(both: Pair) -> Captured:
    return {(40000, 443): [connection(FRONT, both[0])], (50000, 8443): [connection(BACK, both[1], 100.01)]}


def test_both_say_the_same(passed: Captured, terminated: Captured) -> None:
    found = agreement(row(), passed)
    assert found.passage is Passage.PASSED and not found.contradictions and not found.missing
    assert {"end-to-end", "path", "encrypted", "version", "token-encrypted"} <= set(found.compared)
    found = agreement(row("terminating", server={"handshake_sha256": "b"}), terminated)
    assert found.passage is Passage.TERMINATED and not found.contradictions


def test_end_to_end(passed: Captured, terminated: Captured) -> None:
    (message,) = agreement(row(server={"handshake_sha256": "b"}), passed).contradictions
    assert message == "passed through on the wire, but different handshakes at both ends"
    (message,) = agreement(row("terminating"), terminated).contradictions
    assert message == "terminated on the wire, but the same handshakes at both ends"


def test_a_pass_over_another_path(passed: Captured, terminated: Captured) -> None:
    (message,) = agreement(row(server={"handshake_sha256": "b"}), terminated).contradictions
    assert message == "PASS over passthrough, but the packets show that TLS was terminated"
    (message,) = agreement(row("terminating"), passed).contradictions
    assert message == "PASS over terminating, but the packets show that TLS was passed through"
    # A failure is what the case is there to find.
    assert not agreement(row(outcome="FAIL", server={"handshake_sha256": "b"}), terminated).contradictions


@pytest.mark.parametrize(
    ("views", "change", "message"),
    [
        ({"tls_version": "TLSv1.2"}, {}, "the client negotiated TLSv1.2, the packets show TLSv1.3"),
        ({}, {"content": Content.HTTP}, "the client spoke TLS, the packets show http"),
        (
            {"response": {"status": 200}},
            {"application_data": Seen.NO},
            "the client received a response over TLS, the packets show no application data",
        ),
        (
            {},
            {"requests": (HttpRequest("GET", "/", "x", "Bearer", TokenView("d")),)},
            "the client spoke TLS, but the packets show a bearer token in clear text",
        ),
    ],
)
def test_one_fact_differs(passed: Captured, views: dict[str, Any], change: dict[str, Any], message: str) -> None:
    front = passed[40000, 443]
    assert agreement(row(client=views), {**passed, (40000, 443): [replace(front[0], **change)]}).contradictions == (
        message,
    )


@pytest.mark.parametrize(("given", "seen"), [([{"sha256": "x"}], Seen.NO), ([], Seen.YES)])
def test_client_certificate(passed: Captured, given: list[dict[str, str]], seen: Seen) -> None:
    def with_inference(confidence: Confidence) -> Any:
        back = replace(passed[50000, 8443][0], certificate_sent=Inference(seen, confidence, "its size"))
        return agreement(row(server={"client_chain": given}), {**passed, (50000, 8443): [back]})

    (message,) = with_inference(Confidence.HIGH).contradictions
    assert "the packets show the opposite: its size" in message
    assert "client-certificate" not in with_inference(Confidence.MEDIUM).compared


@pytest.fixture
def refused(tmp_path: Path) -> Connection:
    """In TLS 1.2 a server that gets no certificate sends its alert in the clear, before the handshake is done."""
    client, server = (talk.context(tmp_path, who, who is not None) for who in (None, talk.identity("server")))
    client.maximum_version, server.verify_mode = ssl.TLSVersion.TLSv1_2, ssl.CERT_REQUIRED
    return connection(FRONT, talk.Talk(client, server).run())


@pytest.mark.parametrize(
    ("alert", "data", "message"),
    [
        ("handshake_failure", Seen.NO, ""),
        ("unknown_ca", Seen.NO, "the client received the alert unknown_ca, the packets show handshake_failure"),
        ("", Seen.YES, "the client's handshake failed, the packets show application data of both sides"),
    ],
)
def test_a_handshake_that_failed(refused: Connection, alert: str, data: Seen, message: str) -> None:
    client = {**CLIENT, "established": False, "tls_version": None, "alert": alert}
    evidence = {"client": client}
    seen = replace(refused, application_data=data)
    found = agreement(builders.row(path="direct", evidence=evidence), {(40000, 443): [seen]})
    assert found.compared == (("refused", "alert") if alert else ("refused",))
    assert "; ".join(found.contradictions) == message
    unknown = replace(refused, application_data=Seen.UNKNOWN, alerts=())
    found = agreement(builders.row(path="direct", evidence=evidence), {(40000, 443): [unknown]})
    assert found.missing == "live run and packets have no fact in common"


def test_what_cannot_be_compared(passed: Captured) -> None:
    assert agreement(builders.row(evidence={}), passed).missing == "it opens no connection"
    assert agreement(row(), {}).missing == "one of its connections is not in the capture"
    twice = {**passed, (40000, 443): passed[40000, 443] * 2}
    assert agreement(row(), twice).missing == "its ports were used more than once in the run"
    assert pairs(row()["evidence"]) == [(40000, 443), (50000, 8443)]
