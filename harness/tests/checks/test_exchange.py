"""What a token service answers is compared with what RFC 8693 and the script ask."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.checks.exchange import exchanged, introspected
from harness.model.script_facts import Exchanged, Introspected
from harness.model.token_script import Aspect, Exchange, ExchangeRefused, Introspect, Issued, NotAnswered

ISSUED = Exchange("iv", "sts", "op", "token", "iv.test", Issued("peter", "op"))
REFUSED = replace(ISSUED, then=ExchangeRefused(("invalid_request",)))
GOOD = Exchanged(
    200,
    "",
    issued_token_type="urn:ietf:params:oauth:token-type:jwt",
    token_type="Bearer",
    cache_control="no-store",
    issued=True,
    audience="iv.test",
    subject="peter",
    actor="op",
    lifetime=300,
)
CLEAR = replace(ISSUED, then=NotAnswered())
BAD_REQUEST = Exchanged(400, "", error="invalid_request")


def _codes(step: Exchange, facts: Exchanged) -> list[str]:
    return [finding.code for finding in exchanged("step 1", step, facts)]


def test_an_answer_in_which_everything_holds_has_no_finding() -> None:
    assert _codes(ISSUED, GOOD) == []
    assert _codes(REFUSED, BAD_REQUEST) == []


@pytest.mark.parametrize(
    ("facts", "codes"),
    [
        (Exchanged(None, ""), []),
        (Exchanged(None, "cannot connect to 127.0.0.1:1"), ["no-answer"]),
        (Exchanged(400, ""), ["refused-in-clear"]),
        (Exchanged(302, ""), ["refused-in-clear"]),
        (BAD_REQUEST, ["clear-text"]),
        (Exchanged(401, "", error="invalid_client"), ["clear-text"]),
        (Exchanged(404, ""), ["clear-text"]),
        (GOOD, ["issued"]),
    ],
)
def test_a_token_endpoint_answers_nothing_in_clear_text(facts: Exchanged, codes: list[str]) -> None:
    assert _codes(CLEAR, facts) == codes


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (replace(GOOD, audience="op.test"), "other-audience"),
        (replace(GOOD, audience='["iv.test", "op.test"]'), "other-audience"),
        (replace(GOOD, subject="op"), "other-subject"),
        (replace(GOOD, actor=""), "other-actor"),
        (replace(GOOD, lifetime=601), "lifetime"),
        (replace(GOOD, lifetime=0), "lifetime"),
        (replace(GOOD, status=201), "other-status"),
        (replace(GOOD, issued_token_type=""), "no-issued-type"),
        (replace(GOOD, token_type=""), "token-type"),
        (replace(GOOD, cache_control=""), "cacheable"),
        (BAD_REQUEST, "not-issued"),
        (Exchanged(None, "closed"), "no-answer"),
    ],
)
def test_what_is_wrong_with_a_token_is_found(facts: Exchanged, code: str) -> None:
    assert _codes(ISSUED, facts) == [code]


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (GOOD, "issued"),
        (Exchanged(400, "", error="invalid_grant"), "other-error"),
        (Exchanged(500, "", error="invalid_request"), "server-error"),
        (Exchanged(403, "", error="invalid_request"), "other-status"),
        (Exchanged(503, "", error="invalid_request"), "undecided"),
        (Exchanged(200, ""), "other-error"),
        (Exchanged(None, "reset"), "no-answer"),
    ],
)
def test_a_refusal_counts_only_with_its_error(facts: Exchanged, code: str) -> None:
    assert _codes(REFUSED, facts) == [code]


@pytest.mark.parametrize(
    ("about", "facts", "code"),
    [
        ({Aspect.AUDIENCE}, replace(GOOD, subject="op", lifetime=9999, cache_control=""), None),
        ({Aspect.ANSWER}, replace(GOOD, audience="op.test"), None),
        ({Aspect.ANSWER}, Exchanged(200, "", issued=True, opaque=True), "no-issued-type"),
        ({Aspect.AUDIENCE}, Exchanged(200, "", issued=True, opaque=True), "opaque"),
        (set(), Exchanged(200, "", issued=True, opaque=True), None),
    ],
)
def test_only_what_a_step_is_about_is_judged(about: set[Aspect], facts: Exchanged, code: str | None) -> None:
    step = replace(ISSUED, then=Issued("peter", "op", frozenset(about)))
    found = _codes(step, facts)
    assert found[:1] == ([code] if code else [])


def test_the_user_is_whoever_the_exchanged_token_names() -> None:
    step = replace(ISSUED, then=Issued("", "op"))
    assert _codes(step, replace(GOOD, presented_subject="peter")) == []
    assert _codes(step, replace(GOOD, presented_subject="mary")) == ["other-subject"]
    assert _codes(step, GOOD) == ["unknown-subject"]


def test_any_refusal_will_do_where_no_error_is_named() -> None:
    step = replace(REFUSED, then=ExchangeRefused(()))
    assert _codes(step, Exchanged(403, "", error="access_denied")) == []
    assert _codes(step, Exchanged(401, "")) == []
    assert _codes(step, Exchanged(200, "")) == ["accepted"]
    assert _codes(step, Exchanged(302, "")) == ["undecided"]


@pytest.mark.parametrize(
    ("then", "facts", "code"),
    [
        (True, Introspected(200, "", True, "peter"), None),
        (True, Introspected(200, "", True, "mary"), "other-subject"),
        (True, Introspected(200, "", False), "other-state"),
        (False, Introspected(200, "", False), None),
        (False, Introspected(200, "", True, "peter"), "other-state"),
        (False, Introspected(200, "", False, "peter"), "told"),
        (False, Introspected(200, ""), "other-state"),
        (None, Introspected(401, "", error="invalid_client"), None),
        (None, Introspected(200, "", False), "introspected"),
        (True, Introspected(None, "reset"), "no-answer"),
    ],
)
def test_what_is_said_of_a_token_is_compared(then: bool | None, facts: Introspected, code: str | None) -> None:
    step = Introspect("token", "sts", "op", then, "peter")
    assert [finding.code for finding in introspected("step 1", step, facts)] == ([code] if code else [])
