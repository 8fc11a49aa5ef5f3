"""For every check: a conforming exchange passes, over every path and with evidence of one side or both."""

from __future__ import annotations

import pytest

from harness.checks import CHECKS, Question
from harness.checks.passage import Passage
from harness.judge import judge
from harness.model.case import Stimulus
from harness.model.exchange import Exchange, Response
from harness.model.observations import Compared, Configured, Met, Observations
from harness.model.observations import Files as FilesFacts
from harness.model.script_facts import Answered, Done, Fetched
from harness.model.vocabulary import Grade, Outcome, Path, Posture, Reason
from harness.tests.builders import (
    NOW,
    ask,
    case,
    client,
    exchange,
    passthrough,
    rejecting,
    request,
    server,
    terminating,
)
from harness.tests.checks.packet_facts import captured, wire
from harness.tests.checks.support import CLIENT_ONLY, found, tried, ways
from harness.tests.checks.test_load_record import arm, load

NO_TOKEN = request(token=None, authorization_sha256="")
BAD_CERT, BAD_TOKEN, NO_CERT = Stimulus("bad-cert"), Stimulus(token="bad-token"), Stimulus("no-cert")
ACCEPTED = server(request())
UNTRUSTED = Reason.CERTIFICATE_UNTRUSTED
ALERT = client(None, alert="unknown_ca")
MESSAGE = "mtlsValidateClient is false and there is no jwksUrl"
ACT = {"act": {"status": 201, "error": ""}, "now": NOW}
REFUSAL = {"act": {"status": None, "error": "certificate verify failed"}, "now": NOW}
SCRIPT = [
    {"request": "good", "then": "served"},
    {"rotate": "replace"},
    {"request": "former", "then": "refused", "acceptable_reasons": ["token-key"]},
    {"fetches": 2},
]
PLAYED = (
    Answered(201, "", "", effect=True),
    Done(kid="2"),
    Answered(401, "", "token-key", effect=False),
    Fetched(2),
)

READ: FilesFacts = {"judged_as": ["x"], "checked": 1, "not_checked": "", "findings": []}
CONFIGURED: Configured = {
    "flow": "a-to-b",
    "certificate": True,
    "token": False,
    "object": "B ns/b",
    "file": "b.yaml",
    "line": 1,
    "said_certificate": True,
    "said_token": False,
}
OWN: Met = {"leaf": "1e4f", "asked": True, "fault": ""}
TOLD: tuple[tuple[Compared, Grade], ...] = (
    ({"own": "1e4f", "front": OWN}, Grade.BOTH_SIDES),
    ({"own": "", "front": OWN, "direct": OWN}, CLIENT_ONLY),
)

PASSED, ENDED = Passage.PASSED, Passage.TERMINATED


def packets(extra: Observations) -> Exchange:
    return Exchange("fp-1", extra=extra)


BACKEND = client(response=Response(201, (), '{"headers": ["host"]}'))

CONFORMING: dict[str, list[Question]] = {
    "own-certificate": [
        ask(case("own-certificate", path=Path.PASSTHROUGH), Exchange("", extra={"compared": server_view}), grade)
        for server_view, grade in TOLD
    ],
    "served": [
        ask(case(), exchange(server_view=ACCEPTED)),
        ask(case(path=Path.PASSTHROUGH), exchange(server_view=ACCEPTED, between=passthrough())),
        ask(case(path=Path.TERMINATING, posture=Posture.JWT), exchange(server_view=ACCEPTED, between=terminating())),
        ask(case(stimulus=Stimulus("odd-cert")), exchange(server_view=ACCEPTED)),
        ask(case(), exchange(effect=None), CLIENT_ONLY),
        ask(case(path=Path.TERMINATING), exchange(effect=None), CLIENT_ONLY),
    ],
    "certificate-refused": [
        ask(
            case("certificate-refused", stimulus=BAD_CERT),
            exchange(ALERT, rejecting(UNTRUSTED, tls=True), effect=False),
        ),
        ask(
            case("certificate-refused", stimulus=BAD_CERT),
            exchange(client(None, closed=True), rejecting(UNTRUSTED, tls=True), effect=False),
        ),
        ask(case("certificate-refused", stimulus=BAD_CERT), exchange(client(403), rejecting(UNTRUSTED), effect=False)),
        ask(
            case("certificate-refused", stimulus=BAD_CERT, path=Path.PASSTHROUGH),
            exchange(ALERT, rejecting(UNTRUSTED, tls=True), passthrough(), effect=False),
        ),
        ask(
            case("certificate-refused", stimulus=BAD_CERT, statuses=[418]),
            exchange(client(418), rejecting(UNTRUSTED), effect=False),
        ),
    ],
    "not-let-in": [
        ask(
            case("not-let-in", stimulus=NO_CERT),
            exchange(ALERT, rejecting(Reason.CERTIFICATE_MISSING, tls=True), effect=False, extra=ways(tried())),
        ),
        ask(
            case("not-let-in", stimulus=NO_CERT),
            exchange(client(404), effect=None, extra=ways(tried(status=404))),
            CLIENT_ONLY,
        ),
    ],
    "token-refused": [
        ask(
            case("token-refused", stimulus=BAD_TOKEN),
            exchange(client(401), rejecting(Reason.TOKEN_SIGNATURE), effect=False),
        ),
        ask(
            case("token-refused", stimulus=Stimulus(transport="no-keys")),
            exchange(client(401), rejecting(Reason.KEYS_UNAVAILABLE), effect=False),
        ),
        ask(
            case("token-refused", stimulus=BAD_TOKEN, path=Path.TERMINATING),
            exchange(client(401), rejecting(Reason.TOKEN_SIGNATURE), terminating(), effect=False),
        ),
        ask(
            case("token-refused", stimulus=BAD_TOKEN, statuses=[400, 401]),
            exchange(client(400), rejecting(Reason.TOKEN_SIGNATURE), effect=False),
        ),
    ],
    "refused": [
        ask(
            case("refused", stimulus=Stimulus("bad-cert", "bad-token")),
            exchange(ALERT, rejecting(UNTRUSTED, tls=True), effect=False),
        ),
        ask(
            case("refused", stimulus=Stimulus("bad-cert", "bad-token")),
            exchange(client(401), rejecting(Reason.TOKEN_SIGNATURE), effect=False),
        ),
        ask(
            case("refused", stimulus=Stimulus("bad-cert", "bad-token")),
            exchange(client(403), rejecting(UNTRUSTED), effect=False),
        ),
    ],
    "flow-broken": [
        ask(
            case("flow-broken", path=Path.TERMINATING),
            exchange(client(502), rejecting(Reason.CERTIFICATE_MISSING, tls=True), terminating(), effect=False),
        ),
        # A 502 would be the balancer's word, for whatever reason; 400 is how nginx misses a certificate.
        ask(case("flow-broken", path=Path.TERMINATING), exchange(client(400), effect=None), CLIENT_ONLY),
    ],
    "start-refused": [
        ask(case("start-refused", posture=Posture.TLS_ONLY), exchange(extra={"start": {"refused": MESSAGE}})),
    ],
    "no-clear-text": [
        ask(case("no-clear-text"), exchange(client(None, closed=True), effect=False)),
        ask(case("no-clear-text"), exchange(client(None, closed=True, fault="the response is not HTTP"), effect=False)),
    ],
    "token-sent": [
        ask(case("token-sent"), exchange(server_view=ACCEPTED, extra=ACT)),
        ask(case("token-sent", path=Path.TERMINATING), exchange(server_view=ACCEPTED, extra=ACT)),
    ],
    "nothing-sent": [
        ask(case("nothing-sent"), exchange(server_view=server(), extra=REFUSAL)),
        ask(case("nothing-sent"), exchange(server_view=rejecting(Reason.TLS_HANDSHAKE, tls=True), extra=REFUSAL)),
        ask(case("nothing-sent"), exchange(extra=REFUSAL), CLIENT_ONLY),
    ],
    "called": [
        ask(case("called"), exchange(server_view=ACCEPTED, extra=ACT)),
        ask(case("called"), exchange(extra=ACT), CLIENT_ONLY),
    ],
    "no-token-sent": [ask(case("no-token-sent"), exchange(server_view=server(NO_TOKEN), extra=ACT))],
    "own-request-refused": [
        ask(
            case("own-request-refused", acceptable_reasons=["token-missing"]),
            exchange(server_view=rejecting(Reason.TOKEN_MISSING), extra={"act": {"status": 401}}, effect=False),
        ),
    ],
    "keys-published": [
        ask(
            case("keys-published"),
            exchange(client(response=Response(201, (), '{"keys": [{"kty": "RSA", "kid": "1"}]}')), effect=None),
        ),
    ],
    "token-lost": [
        ask(
            case("token-lost", path=Path.TERMINATING),
            exchange(client(401), rejecting(Reason.TOKEN_MISSING), terminating(), effect=False),
        ),
    ],
    "nothing-passed-on": [
        ask(
            case("nothing-passed-on", path=Path.TERMINATING),
            exchange(client(502), server(established=False), terminating(), effect=False),
        ),
        ask(
            case("nothing-passed-on", path=Path.TERMINATING),
            exchange(
                client(503),
                None,
                terminating(upstream_port=None, upstream_error="CERTIFICATE_VERIFY_FAILED"),
                effect=False,
            ),
        ),
    ],
    "not-bypassed": [
        ask(
            case("not-bypassed", path=Path.TERMINATING),
            exchange(extra={**ACT, "past": [{"status": None, "error": "no route", "local_port": None}]}, effect=False),
        ),
    ],
    "unauthenticated": [
        ask(
            case("unauthenticated", stimulus=BAD_TOKEN),
            exchange(client(401), rejecting("token-signature"), effect=False),
        ),
    ],
    "header-withheld": [ask(case("header-withheld", withheld_header="X-Cert"), exchange(BACKEND, ACCEPTED))],
    "header-handed-on": [ask(case("header-handed-on", withheld_header="Host"), exchange(BACKEND, ACCEPTED))],
    "files-conform": [ask(case("files-conform"), exchange(extra={"files": READ}))],
    "as-configured": [ask(case("as-configured"), exchange(extra={"files": {**READ, "configured": [CONFIGURED]}}))],
    "compared-under-load": [ask(case("compared-under-load"), packets({"load": load(arm("mtls"), arm("jwt"))}))],
    "tls-passed-through": [ask(case("tls-passed-through"), packets(captured(PASSED, wire(), wire())))],
    "certificate-on-the-wire": [ask(case("certificate-on-the-wire"), packets(captured("", wire())))],
    "nothing-carried-over": [
        ask(case("nothing-carried-over"), packets(captured(ENDED, wire(asked="no", sent="no"), wire(data="no")))),
        ask(case("nothing-carried-over"), packets(captured(Passage.NEITHER, wire(asked="no", sent="no")))),
    ],
    "tls-reencrypted": [ask(case("tls-reencrypted"), packets(captured(ENDED, wire(), wire())))],
    "token-encrypted": [
        ask(case("token-encrypted"), packets(captured("", wire()))),
        ask(case("token-encrypted"), packets(captured(ENDED, wire(), wire()))),
    ],
    "handshake-broken-off": [
        ask(case("handshake-broken-off"), packets(captured(Passage.NEITHER, wire(data="no")))),
    ],
    "onward-broken-off": [ask(case("onward-broken-off"), packets(captured(ENDED, wire(), wire(data="no"))))],
    "server-not-named": [ask(case("server-not-named"), packets(captured(ENDED, wire(), wire(server_name=""))))],
    "certificate-of-balancer": [ask(case("certificate-of-balancer"), packets(captured(ENDED, wire(), wire())))],
    "as-scripted": [ask(case("as-scripted", steps=SCRIPT), exchange(steps=PLAYED))],
}
QUESTIONS = [(name, number) for name, questions in CONFORMING.items() for number in range(len(questions))]


@pytest.mark.parametrize(("name", "number"), QUESTIONS)
def test_conforming(name: str, number: int) -> None:
    question = CONFORMING[name][number]
    assert question.case.expected == name
    assert [item for item in found(question) if item[0] != "note"] == []
    assert judge(question).outcome is Outcome.PASS


def test_every_check_is_here() -> None:
    assert set(CONFORMING) == set(CHECKS)


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_without_any_facts_nothing_passes(name: str) -> None:
    assert judge(ask(case(name), Exchange("fp-1"))).outcome in (Outcome.HARNESS_ERROR, Outcome.UNOBSERVED)


def test_a_rejection_seen_from_one_side_says_so() -> None:
    for name in ("certificate-refused", "refused"):
        question = ask(case(name, stimulus=BAD_CERT), exchange(ALERT, effect=None), CLIENT_ONLY)
        assert found(question) == [("note", "reason-unseen")]
        assert judge(question).grade is Grade.CLIENT_ONLY
