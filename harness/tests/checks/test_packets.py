"""Endpoints judged from packets: each outcome, and that nothing is passed that was not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from harness.checks.exposure import Severity, clear_text
from harness.checks.packets import Declared, about, judge, path_mismatch
from harness.checks.passage import Leg, Passage
from harness.model.connection import (
    ClientHello,
    Confidence,
    Connection,
    Content,
    Endpoint,
    HttpRequest,
    Inference,
    Seen,
    ServerHello,
    Traffic,
)
from harness.model.exchange import TokenView
from harness.model.vocabulary import Grade, Outcome, Path, Posture

HOST, PLACE = "orders.example.test", ("10.0.0.2", 443)
HELLO = ClientHello("aa", "", ("TLSv1.3",), (), (), (), HOST, (), "", "")
ANSWER = ServerHello("bb", "TLSv1.3", "TLS_AES_128_GCM_SHA256", "x25519", "", "")
YES, NO = (Inference(seen, Confidence.HIGH, "sizes") for seen in (Seen.YES, Seen.NO))
TLS = Connection(
    Endpoint("10.0.0.1", 40000),
    Endpoint(*PLACE),
    "SYN",
    Content.TLS,
    1.0,
    2.0,
    opening_captured=True,
    closed="closed",
    hello=HELLO,
    answer=ANSWER,
    certificate_requested=YES,
    certificate_sent=YES,
    resumed=NO,
    asked_later=Seen.NO,
    application_data=Seen.YES,
    files=("a.pcap",),
)
UNASKED = replace(TLS, certificate_requested=NO, certificate_sent=NO)
CLEAR = replace(TLS, content=Content.HTTP, hello=None, answer=None, requests=(HttpRequest("GET", "/", HOST),))
TOKEN = HttpRequest("GET", "/", HOST, "bearer", TokenView("ab" * 32, {"alg": "RS256"}, {"sub": "x"}))
EXPOSED = replace(CLEAR, requests=(TOKEN,))


def declared(posture: Posture, path: Path = Path.PASSTHROUGH) -> Declared:
    return Declared("orders", HOST, frozenset({443}), frozenset({PLACE}), posture, path)


def outcomes(
    endpoint: Declared, *connections: Connection, legs: Sequence[Leg] = (), compared: bool = True
) -> dict[str, Outcome]:
    verdicts = judge(endpoint, connections, legs, compared)
    assert all(verdict.reason and verdict.grade is Grade.PACKETS for verdict in verdicts)
    return {verdict.requirement: verdict.outcome for verdict in verdicts}


def leg(before: Connection, passage: Passage, *after: Connection) -> Leg:
    return Leg(before, passage, "why", after)


PASSED, TERMINATED, UNKNOWN = (leg(TLS, kind) for kind in (Passage.PASSED, Passage.TERMINATED, Passage.UNKNOWN))


@pytest.mark.parametrize(
    ("connections", "legs", "expected"),
    [
        ([TLS], [PASSED], Outcome.PASS),
        ([TLS], [], Outcome.UNOBSERVED),
        ([], [], Outcome.UNOBSERVED),
        ([TLS], [UNKNOWN], Outcome.UNOBSERVED),
        ([TLS], [leg(TLS, Passage.NEITHER)], Outcome.UNOBSERVED),
        ([TLS], [TERMINATED], Outcome.FAIL),
        ([TLS, UNASKED], [PASSED], Outcome.FAIL),
        ([UNASKED], [], Outcome.FAIL),
    ],
)
def test_mtls(connections: list[Connection], legs: list[Leg], expected: Outcome) -> None:
    assert outcomes(declared(Posture.MTLS), *connections, legs=legs)["FLW-3"] is expected
    assert outcomes(declared(Posture.BOTH), *connections, legs=legs)["FLW-3"] is expected


@pytest.mark.parametrize(
    "changed",
    [
        {"certificate_requested": Inference(Seen.NO, Confidence.MEDIUM, "")},
        {"certificate_requested": Inference(Seen.UNKNOWN, Confidence.NONE, "")},
        {"application_data": Seen.NO},
        {"application_data": Seen.UNKNOWN},
        {"asked_later": Seen.YES},
        {"asked_later": Seen.UNKNOWN},
        {"resumed": YES},
    ],
)
def test_not_asked_is_only_said_where_it_is_sure(changed: dict[str, Any]) -> None:
    assert outcomes(declared(Posture.MTLS), replace(UNASKED, **changed))["FLW-3"] is Outcome.UNOBSERVED


@pytest.mark.parametrize(
    "changed",
    [
        {"certificate_sent": NO},
        {"certificate_sent": Inference(Seen.YES, Confidence.MEDIUM, "")},
        {"application_data": Seen.NO},
    ],
)
def test_mtls_passes_only_with_a_certificate_and_data(changed: dict[str, Any]) -> None:
    before = replace(TLS, **changed)
    assert outcomes(declared(Posture.MTLS), before, legs=[leg(before, Passage.PASSED)])["FLW-3"] is Outcome.UNOBSERVED


def test_a_passthrough_of_some_is_none_of_all() -> None:
    """In a capture of unknown sides, connections that found no other half may have been terminated."""
    after = replace(TLS, server=Endpoint("10.0.1.2", 8443))
    legs = [leg(TLS, Passage.PASSED, after)]
    alone = replace(TLS, client=Endpoint("10.0.0.1", 41000))
    assert outcomes(declared(Posture.MTLS), TLS, after, legs=legs, compared=False)["FLW-3"] is Outcome.PASS
    assert outcomes(declared(Posture.MTLS), TLS, alone, legs=legs, compared=False)["FLW-3"] is Outcome.UNOBSERVED
    assert outcomes(declared(Posture.MTLS), TLS, legs=[*legs, leg(alone, Passage.TERMINATED)])["FLW-3"] is Outcome.PASS


def test_mtls_over_a_terminating_balancer_is_not_judged() -> None:
    found = outcomes(declared(Posture.MTLS, Path.TERMINATING), UNASKED, legs=[leg(UNASKED, Passage.TERMINATED)])
    assert found["FLW-3"] is Outcome.UNOBSERVED


@pytest.mark.parametrize(
    ("path", "legs", "requirement", "expected"),
    [
        (Path.PASSTHROUGH, [TERMINATED], "FLW-5", Outcome.FAIL),
        (Path.DIRECT, [TERMINATED], "FLW-5", Outcome.FAIL),
        (Path.PASSTHROUGH, [PASSED], "FLW-5", Outcome.UNOBSERVED),
        (Path.PASSTHROUGH, [], "FLW-5", Outcome.UNOBSERVED),
        (Path.TERMINATING, [TERMINATED], "FLW-4", Outcome.UNOBSERVED),
        (Path.TERMINATING, [PASSED], "FLW-4", Outcome.UNOBSERVED),
        (Path.TERMINATING, [], "FLW-4", Outcome.UNOBSERVED),
    ],
)
def test_jwt(path: Path, legs: list[Leg], requirement: str, expected: Outcome) -> None:
    found = outcomes(declared(Posture.JWT, path), TLS, legs=legs)
    assert found[requirement] is expected and "FLW-3" not in found


HTTP2 = replace(CLEAR, content=Content.HTTP2, requests=())
MIDDLE = replace(TLS, hello=None, application_data=Seen.UNKNOWN, opening_captured=False)


@pytest.mark.parametrize(
    ("connections", "expected"),
    [
        ([TLS], Outcome.PASS),
        ([], Outcome.UNOBSERVED),
        ([TLS, EXPOSED], Outcome.FAIL),
        ([TLS, CLEAR], Outcome.PASS),
        ([TLS, HTTP2], Outcome.UNOBSERVED),
        ([TLS, replace(TLS, content=Content.OTHER)], Outcome.UNOBSERVED),
        ([TLS, replace(TLS, content=Content.UNKNOWN)], Outcome.UNOBSERVED),
        ([TLS, MIDDLE], Outcome.UNOBSERVED),
        ([TLS, replace(CLEAR, opening_captured=False)], Outcome.UNOBSERVED),
        ([TLS, replace(CLEAR, sent=Traffic(missing=1))], Outcome.UNOBSERVED),
        ([replace(TLS, application_data=Seen.NO)], Outcome.UNOBSERVED),
        ([CLEAR], Outcome.UNOBSERVED),
    ],
)
def test_tokens_over_tls(connections: list[Connection], expected: Outcome) -> None:
    assert outcomes(declared(Posture.JWT), *connections)["STS-11"] is expected


def test_behind_a_termination_tokens_are_not_seen() -> None:
    assert outcomes(declared(Posture.JWT), TLS, legs=[TERMINATED])["STS-11"] is Outcome.UNOBSERVED
    assert outcomes(declared(Posture.JWT, Path.TERMINATING), TLS)["STS-11"] is Outcome.UNOBSERVED
    assert "STS-11" not in outcomes(declared(Posture.MTLS), TLS)
    assert outcomes(declared(Posture.TLS_ONLY), EXPOSED)["STS-11"] is Outcome.FAIL


@pytest.mark.parametrize(
    ("connections", "expected"),
    [
        ([TLS], Outcome.UNOBSERVED),
        ([], Outcome.UNOBSERVED),
        ([TLS, replace(CLEAR, statuses=(200,))], Outcome.FAIL),
        ([TLS, replace(CLEAR, statuses=(400, 200))], Outcome.FAIL),
        ([TLS, replace(CLEAR, statuses=(401,))], Outcome.FAIL),
        ([replace(TLS, statuses=(200,))], Outcome.FAIL),
        ([TLS, replace(CLEAR, statuses=(400,))], Outcome.PASS),
        ([TLS, replace(CLEAR, statuses=(301,))], Outcome.PASS),
        ([TLS, CLEAR], Outcome.PASS),
        ([TLS, replace(CLEAR, received=Traffic(bytes=7))], Outcome.PASS),
        ([TLS, replace(CLEAR, received=Traffic(bytes=400))], Outcome.UNOBSERVED),
        ([TLS, replace(CLEAR, statuses=(400,)), HTTP2], Outcome.UNOBSERVED),
        ([TLS, replace(CLEAR, closed="")], Outcome.UNOBSERVED),
        ([TLS, replace(CLEAR, received=Traffic(missing=9))], Outcome.UNOBSERVED),
        ([TLS, replace(CLEAR, statuses=(400,)), replace(CLEAR, opening_captured=False)], Outcome.UNOBSERVED),
    ],
)
def test_no_clear_text(connections: list[Connection], expected: Outcome) -> None:
    assert outcomes(declared(Posture.TLS_ONLY), *connections)["FLW-0"] is expected


def test_which_connections_are_an_endpoints() -> None:
    def to(port: int = 443, name: str = HOST, host: str = "10.0.0.2") -> Connection:
        return replace(TLS, server=Endpoint(host, port), hello=replace(HELLO, server_name=name))

    elsewhere = Declared("orders", HOST, frozenset({443}), frozenset(), Posture.JWT, Path.DIRECT)
    mine, other_port, other_name = to(name=HOST.upper()), to(port=8443), to(name="else.example.test")
    nameless, stranger = to(name=""), to(name="", host="10.9.9.9")
    everything = [mine, other_port, other_name, nameless, stranger, CLEAR]
    assert about(elsewhere, everything) == [mine, nameless, CLEAR]
    assert about(elsewhere, [nameless, stranger]) == []
    assert about(declared(Posture.JWT), [nameless, stranger]) == [nameless]
    numbered = replace(elsewhere, host="10.0.0.2", addresses=frozenset({PLACE}))
    assert about(numbered, everything) == [mine, other_name, nameless, CLEAR]
    host = replace(CLEAR, requests=(HttpRequest("GET", "/", "else.example.test:443"),))
    assert about(declared(Posture.JWT), [host]) == []


def test_a_declared_path_that_is_not_so() -> None:
    assert "passed through" in path_mismatch(declared(Posture.JWT, Path.TERMINATING), [PASSED], [TLS])
    assert "terminated" in path_mismatch(declared(Posture.TLS_ONLY), [TERMINATED], [TLS])
    assert path_mismatch(declared(Posture.JWT, Path.TERMINATING), [TERMINATED], [TLS]) == ""
    assert path_mismatch(declared(Posture.TLS_ONLY), [TERMINATED], []) == ""


def test_findings_in_clear_text() -> None:
    (token,) = clear_text([TLS, EXPOSED])
    assert (token.requirement, token.severity, token.file) == ("STS-11", Severity.ERROR, "a.pcap")
    assert token.object == "10.0.0.1:40000 -> 10.0.0.2:443" and "abababab" in token.message and token.fix
    assert [found.severity for found in clear_text([CLEAR, HTTP2])] == [Severity.NOTE, Severity.NOTE]
    assert clear_text([TLS]) == []
