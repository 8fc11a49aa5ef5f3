"""Rows: what they say, that no token gets into one, and what two runs must agree on."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from harness.model.case import Stimulus
from harness.model.exchange import Exchange, Response, TokenView
from harness.model.record import Row
from harness.model.verdict import Verdict
from harness.model.vocabulary import Grade, Level, Outcome
from harness.tests import builders
from harness.tests.builders import case, client, exchange, passthrough, rejecting, request, requirement, server
from harness.writers.rows import canonical, missing_row, outcomes, row


def _segment(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


SIGNATURE = _segment(b"a signature nobody may see")
TOKEN = ".".join((_segment({"alg": "RS256", "kid": "1"}), _segment({"sub": "n/a", "exp": 1}), SIGNATURE))
PASSED = Verdict(Outcome.PASS, "as-required", "as required", Grade.BOTH_SIDES)


def made(facts: Exchange | None = None, verdict: Verdict = PASSED, **rest: Any) -> Row:
    return row(case(stimulus=Stimulus("bad-cert")), facts or exchange(), verdict, rest.get("controls"), 12.5)


def test_every_member() -> None:
    found = made()
    assert list(found) == list(builders.row())
    assert {key: value for key, value in found.items() if key != "evidence"} == {
        "kind": "row",
        "case": "flows/REQ-1/management-to-portal/mtls/direct/bad-cert",
        "requirement": "REQ-1",
        "level": "MUST",
        "basis": "document",
        "source": "A document, section 1",
        "flow": "management-to-portal",
        "posture": "mtls",
        "modes": "",
        "path": "direct",
        "stimulus": "bad-cert",
        "expected": "served",
        "outcome": "PASS",
        "as_expected": True,
        "known": None,
        "reason": "as required",
        "reason_code": "as-required",
        "finding": "",
        "grade": "both-sides",
        "ms": 12.5,
    }
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize("outcome", Outcome)
def test_only_a_pass_is_as_expected(outcome: Outcome) -> None:
    assert made(verdict=replace(PASSED, outcome=outcome))["as_expected"] is (outcome is Outcome.PASS)


def test_the_evidence_of_all_sides() -> None:
    evidence = made(exchange(server_view=server(request()), between=passthrough()))["evidence"]
    assert evidence["client"]["response"] == {"status": 201}
    assert evidence["server"]["requests"][0]["token"]["claims"] == {"exp": builders.NOW + 900}
    assert evidence["balancer"]["mode"] == "passthrough"
    assert evidence["effect"] is True
    assert "twin" not in evidence and "notes" not in evidence


def test_what_is_false_or_zero_is_evidence_too() -> None:
    evidence = made(exchange(client(None, closed=False, ms=0.0), effect=False))["evidence"]
    assert evidence["effect"] is False
    assert evidence["client"]["closed"] is False and evidence["client"]["ms"] == 0.0
    assert "response" not in evidence["client"]


def test_twin_and_notes() -> None:
    found = made(verdict=replace(PASSED, notes=("seen",)), controls={"opening": "", "closing": "not served"})
    assert found["evidence"]["twin"] == {"opening": "", "closing": "not served"}
    assert found["evidence"]["notes"] == ["seen"]


def test_a_case_that_never_ran() -> None:
    found = missing_row(case(row=requirement("REQ-2", Level.SHOULD)), Grade.BOTH_SIDES, "interrupted")
    assert (found["outcome"], found["reason_code"], found["reason"]) == ("HARNESS_ERROR", "not-run", "interrupted")
    assert found["as_expected"] is False
    assert list(found) == list(builders.row())


@pytest.mark.parametrize(
    ("outcome", "code", "sentence"),
    [
        (Outcome.PASS, "as-required", ""),
        (Outcome.UNOBSERVED, "accepted", ""),
        (Outcome.FAIL, "accepted", "Anybody gets in"),
        (Outcome.WRONG_REASON, "acted-upon", "Anybody gets in"),
        (Outcome.FAIL, "not-served", "Something that must work does not: It holds"),
        (Outcome.FAIL, "server-error", "The server fails on a request that it must refuse: It holds"),
        (Outcome.WRONG_REASON, "other-status", "Refused, but not in the required way: It holds"),
        (Outcome.FAIL, "private-key", "Not met: It holds"),
    ],
)
def test_a_finding_is_one_sentence(outcome: Outcome, code: str, sentence: str) -> None:
    about = case(row=requirement(finding="Anybody gets in"))
    assert row(about, exchange(), Verdict(outcome, code, "r", Grade.BOTH_SIDES), None, 1.0)["finding"] == sentence


def test_without_a_sentence_of_its_own_the_requirement_speaks() -> None:
    accepted = Verdict(Outcome.FAIL, "accepted", "r", Grade.BOTH_SIDES)
    assert row(case(), exchange(), accepted, None, 1.0)["finding"] == "Not met: It holds"


def test_a_token_is_shown_with_all_it_says() -> None:
    claims: dict[str, Any] = {"exp": None, "aud": [], "sub": "", "ext": {"a": None}}
    message = server(request(token=TokenView("70" * 32, {"alg": ""}, claims)))
    assert made(exchange(server_view=message))["evidence"]["server"]["requests"][0]["token"]["claims"] == claims


# Redaction


def hidden(found: Row) -> None:
    assert SIGNATURE not in json.dumps(found)
    assert "sha256:" in json.dumps(found)


def test_a_token_in_the_reason() -> None:
    hidden(made(verdict=replace(PASSED, reason=f"answered 401; the server reports: Bearer {TOKEN}")))


@pytest.mark.parametrize(
    "facts",
    [
        exchange(client(401, response=Response(401, (), f"bad token {TOKEN}"))),
        exchange(client(401, response=Response(401, (("www-authenticate", f'Bearer error="{TOKEN}"'),)))),
        exchange(server_view=server(request(path=f"/things?access_token={TOKEN}"))),
        exchange(server_view=replace(rejecting("token-signature"), detail=f"in {TOKEN}")),
        exchange(lab_fault=f"cannot send {TOKEN}"),
    ],
    ids=["body", "header", "path", "detail", "fault"],
)
def test_a_token_in_the_evidence(facts: Exchange) -> None:
    hidden(made(facts))


def test_the_beginning_of_a_private_key_in_the_evidence() -> None:
    facts = exchange(client(500, response=Response(500, (), "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0")))
    assert "MIIEvQ" not in json.dumps(made(facts))


def test_a_private_key_in_the_evidence() -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ==\n-----END PRIVATE KEY-----\n"
    assert "MIIEvQ" not in json.dumps(made(exchange(client(500, response=Response(500, (), pem)))))


@pytest.mark.parametrize("where", ["twin", "notes"])
def test_a_token_in_what_the_twin_said(where: str) -> None:
    if where == "twin":
        hidden(made(controls={"opening": f"the server says {TOKEN}", "closing": ""}))
    else:
        hidden(made(verdict=replace(PASSED, notes=(f"seen {TOKEN}",))))


# Counting and comparing


def test_every_outcome_is_counted() -> None:
    found = outcomes([builders.row(), builders.row(outcome="FAIL"), builders.row(outcome="FAIL")])
    assert found == {"PASS": 1, "FAIL": 2, "WRONG_REASON": 0, "UNOBSERVED": 0, "UNSUPPORTED": 0, "HARNESS_ERROR": 0}
    assert set(outcomes([])) == set(Outcome)


def test_canonical_is_sorted_and_says_what_counts() -> None:
    rows = [builders.row(f"flows/REQ-{n}/a/mtls/direct/good", ms=n, evidence={"n": n}) for n in (2, 1, 3)]
    found = canonical(rows)
    assert found == canonical(reversed(rows)) == sorted(found)
    assert found[0] == ("flows/REQ-1/a/mtls/direct/good", "REQ-1", "served", "PASS", "as-required")
    again: list[Row] = [{**item, "ms": 99, "evidence": {}, "reason": "other words"} for item in rows]
    assert canonical(again) == found


@pytest.mark.parametrize("key", ["case", "requirement", "expected", "outcome", "reason_code"])
def test_canonical_tells_a_difference(key: str) -> None:
    assert canonical([builders.row(**{key: "other"})]) != canonical([builders.row()])
