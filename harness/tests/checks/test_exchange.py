"""What a token service answers is compared with what RFC 8693 and the script ask."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.checks.exchange import exchanged
from harness.model.script_facts import Exchanged
from harness.model.token_script import Exchange, ExchangeRefused, Issued

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
BAD_REQUEST = Exchanged(400, "", error="invalid_request")


def _codes(step: Exchange, facts: Exchanged) -> list[str]:
    return [finding.code for finding in exchanged("step 1", step, facts)]


def test_an_answer_in_which_everything_holds_has_no_finding() -> None:
    assert _codes(ISSUED, GOOD) == []
    assert _codes(REFUSED, BAD_REQUEST) == []


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
