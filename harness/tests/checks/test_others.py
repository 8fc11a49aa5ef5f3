"""Clear text, refusals to start, published keys and scripts: every kind of deviation and what is found then."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from harness.judge import judge
from harness.model.exchange import ClientView, Response
from harness.model.script_facts import Answered, EvidenceSeen, Facts, Fetched
from harness.model.vocabulary import Grade, Outcome, Posture
from harness.tests.builders import ask, case, client, exchange
from harness.tests.checks.support import Found, found

# Clear text


@pytest.mark.parametrize(
    ("seen", "effect", "expected"),
    [
        (client(201), True, [("violation", "acted-upon")]),
        (client(None, closed=True), True, [("violation", "acted-upon")]),
        (client(200), False, [("violation", "clear-text")]),
        (client(401), False, [("violation", "clear-text")]),
        (client(404), None, [("violation", "clear-text")]),
        (client(500), False, [("violation", "clear-text")]),
        (client(400), False, [("note", "refused-in-clear")]),
        (client(301), False, [("note", "refused-in-clear")]),
        (client(None, timed_out=True), False, [("note", "silent")]),
        (client(None, closed=True), False, []),
        (client(None, local_port=None, fault="cannot connect"), False, [("unobserved", "network")]),
    ],
)
def test_no_clear_text(seen: ClientView, effect: bool | None, expected: Found) -> None:
    assert found(ask(case("no-clear-text"), exchange(seen, effect=effect))) == expected


# Refusing to start


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({}, [("unobserved", "not-tried")]),
        ({"start": {"port": 4443}}, [("violation", "started")]),
        ({"start": {"refused": "no"}}, [("wrong-reason", "unclear-refusal")]),
        ({"start": {"refused": "mtlsValidateClient is false"}}, [("wrong-reason", "unclear-refusal")]),
        ({"start": {"refused": ""}}, [("wrong-reason", "unclear-refusal")]),
        ({"start": {"refused": "mtlsValidateClient is false, jwksUrl is not set"}}, []),
    ],
)
def test_start_refused(extra: dict[str, Any], expected: Found) -> None:
    assert found(ask(case("start-refused", posture=Posture.TLS_ONLY), exchange(extra=extra))) == expected


# Published keys

KEY = {"kty": "RSA", "kid": "1", "n": "AQAB", "e": "AQAB", "use": "sig", "alg": "RS256"}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (201, json.dumps({"keys": [KEY]}), []),
        (201, json.dumps({"keys": [KEY, {**KEY, "kid": "2"}]}), []),
        (404, json.dumps({"keys": [KEY]}), [("violation", "not-served")]),
        (201, "no JSON", [("violation", "no-key-set")]),
        (201, "", [("violation", "no-key-set")]),
        (201, "[]", [("violation", "no-key-set")]),
        (201, "null", [("violation", "no-key-set")]),
        (201, '{"keys": null}', [("violation", "no-key-set")]),
        (201, '{"keys": ["RSA"]}', [("violation", "no-key-set")]),
        (201, '{"keys": []}', [("violation", "no-usable-key")]),
        (201, json.dumps({"keys": [{**KEY, "kid": ""}]}), [("violation", "no-usable-key")]),
        (201, json.dumps({"keys": [KEY, {"kid": "2"}]}), [("violation", "no-usable-key")]),
        (201, json.dumps({"keys": [{**KEY, "d": "AQAB"}]}), [("violation", "private-key")]),
        (201, json.dumps({"keys": [{"kty": "oct", "kid": "1", "k": "AQAB"}]}), [("violation", "private-key")]),
    ],
)
def test_keys_published(status: int, body: str, expected: Found) -> None:
    observed = client(status, response=Response(status, (), body))
    assert found(ask(case("keys-published"), exchange(observed, effect=None))) == expected


@pytest.mark.parametrize("seen", [client(None, local_port=None, fault="cannot connect"), client(None, timed_out=True)])
def test_keys_that_cannot_be_asked_for(seen: ClientView) -> None:
    assert judge(ask(case("keys-published"), exchange(seen, effect=None))).outcome is Outcome.UNOBSERVED


# Scripts

SERVED = Answered(201, "", "", effect=True)
TURNED_AWAY = Answered(401, "", "token-key", effect=False)
REFUSE = {"request": "former", "then": "refused", "acceptable_reasons": ["token-key"]}
SERVE = {"request": "good", "then": "served"}

KEPT = {"evidence": "auditor", "call_with": "order", "then": "signed"}
FORGED = {"evidence": "auditor", "of": "forged", "then": "not-signed"}
REFUSE_CALL = {"call": "bad", "then": "refused", "acceptable_reasons": ["token-key"]}
SEALED = {"call": "sealed", "then": "served", "sealed": True}


@pytest.mark.parametrize(
    ("step", "facts", "expected"),
    [
        (SERVE, replace(SERVED, status=401, reason="token-key"), ("violation", "not-served")),
        (SERVE, replace(SERVED, status=None, ended="timed out"), ("violation", "not-served")),
        (SERVE, replace(SERVED, effect=False), ("violation", "no-effect")),
        (REFUSE, SERVED, ("violation", "accepted")),
        (REFUSE, replace(TURNED_AWAY, effect=True), ("wrong-reason", "acted-upon")),
        (REFUSE, replace(TURNED_AWAY, status=None, ended="timed out"), ("unobserved", "no-answer")),
        (REFUSE, replace(TURNED_AWAY, status=404), ("wrong-reason", "other-status")),
        (REFUSE, replace(TURNED_AWAY, status=500), ("wrong-reason", "other-status")),
        (REFUSE, replace(TURNED_AWAY, reason="token-expired"), ("wrong-reason", "other-reason")),
        (REFUSE, replace(TURNED_AWAY, reason=""), ("wrong-reason", "other-reason")),
        ({"fetches": 1}, Fetched(2), ("violation", "fetches")),
        (KEPT, EvidenceSeen(200, "", same=False, signed=True), ("violation", "other-evidence")),
        (KEPT, EvidenceSeen(200, "", same=True, signed=False), ("violation", "evidence")),
        (KEPT, EvidenceSeen(404, "", same=False, signed=False), ("violation", "no-evidence")),
        (KEPT, EvidenceSeen(None, "reset"), ("unobserved", "no-answer")),
        (FORGED, EvidenceSeen(200, "", signed=True), ("violation", "evidence")),
        (FORGED, EvidenceSeen(200, ""), ("violation", "evidence")),
        (SEALED, replace(SERVED, read_on_the_way="claims"), ("violation", "readable")),
        (KEPT, SERVED, ("unobserved", "other-facts")),
    ],
)
def test_as_scripted(step: dict[str, Any], facts: Facts, expected: tuple[str, str]) -> None:
    about = case("as-scripted", steps=[SERVE, step, SERVE])
    assert found(ask(about, exchange(steps=(SERVED, facts, SERVED)))) == [expected]


def test_what_does_not_spoil_the_next_steps_is_told_beside_the_first() -> None:
    steps = [SERVE, {**REFUSE_CALL, "call": "one"}, {**REFUSE_CALL, "call": "two"}, SERVE]
    about = case("as-scripted", steps=steps)
    verdict = judge(ask(about, exchange(steps=(SERVED, SERVED, replace(TURNED_AWAY, status=404), SERVED))))
    assert (verdict.outcome, verdict.code) == ("FAIL", "accepted")
    assert "step 2" in verdict.reason
    assert "also step 3" in verdict.reason


def test_outside_the_status_alone_tells() -> None:
    about = case("as-scripted", steps=[REFUSE_CALL])

    def outcome(facts: Answered) -> str:
        return judge(replace(ask(about, exchange(steps=(facts,))), grade=Grade.CLIENT_ONLY)).outcome

    answered = Answered(401, "", "", effect=None)
    assert outcome(answered) == "PASS"
    assert outcome(replace(answered, status=403)) == "PASS"
    assert outcome(replace(answered, status=200, marked=True)) == "PASS"
    assert outcome(replace(answered, status=200)) == "FAIL"
    assert outcome(replace(answered, status=500)) == "FAIL"
    assert outcome(replace(answered, status=404)) == "WRONG_REASON"
    assert outcome(replace(answered, status=502)) == outcome(replace(answered, status=302)) == "UNOBSERVED"


def test_a_script_says_at_which_step() -> None:
    about = case("as-scripted", steps=[SERVE, REFUSE])
    assert "step 2" in judge(ask(about, exchange(steps=(SERVED, SERVED)))).reason


def test_keys_that_cannot_be_had_may_be_the_servers_trouble() -> None:
    facts = replace(TURNED_AWAY, status=503, reason="keys-unavailable")
    about = case("as-scripted", steps=[{**REFUSE, "acceptable_reasons": ["keys-unavailable"]}])
    assert found(ask(about, exchange(steps=(facts,)))) == []


@pytest.mark.parametrize("played", [[], [SERVED], [SERVED, SERVED, SERVED]])
def test_a_script_that_was_not_played_is_not_judged(played: list[Facts]) -> None:
    about = case("as-scripted", steps=[SERVE, SERVE])
    assert found(ask(about, exchange(steps=tuple(played)))) == [("unobserved", "not-played")]
    assert found(ask(case("as-scripted"), exchange(steps=tuple(played)))) == [("unobserved", "not-played")]


def test_facts_of_another_kind_are_no_evidence() -> None:
    question = ask(case("as-scripted", steps=[SERVE]), exchange(steps=(Fetched(1),)))
    assert found(question) == [("unobserved", "other-facts")]
