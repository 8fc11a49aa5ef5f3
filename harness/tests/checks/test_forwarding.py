"""What arrives behind a server that passes requests on is compared with what the script asks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.checks.forwarding import arrived, nothing_reached, obtained
from harness.model.exchange import RequestView, ServerView, TokenView
from harness.model.expectation import MustBeRefused
from harness.model.script_facts import Forwarded, Obtained
from harness.model.token_script import Arrives, Forward, Obtain, Revoke
from harness.model.vocabulary import Reason
from harness.probes.forwarding import with_token

ARRIVES = Arrives("https://sts.test", "op.test", "peter", "edge")
FORWARD = Forward("outer", "op", ARRIVES)
GOOD = Forwarded(201, "", "", True, "op", True, False, "https://sts.test", "op.test", "peter", "edge")


def _codes(facts: Forwarded) -> list[str]:
    return [finding.code for finding in arrived("step 1", FORWARD, ARRIVES, facts, 201)]


def test_the_token_that_was_asked_for_has_no_finding() -> None:
    assert _codes(GOOD) == []


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (replace(GOOD, status=401), "not-served"),
        (replace(GOOD, status=None, ended="closed"), "not-served"),
        (replace(GOOD, effect=False), "not-forwarded"),
        (replace(GOOD, arrived=False), "not-seen"),
        (replace(GOOD, same_token=True), "own-token"),
        (replace(GOOD, issuer="https://login.test"), "other-token"),
        (replace(GOOD, audience="*"), "other-token"),
        (replace(GOOD, subject="mary"), "other-token"),
        (replace(GOOD, actor=""), "other-token"),
    ],
)
def test_what_is_wrong_with_what_arrived_is_found(facts: Forwarded, code: str) -> None:
    assert _codes(facts) == [code]


def test_of_what_is_refused_nobody_behind_may_hear() -> None:
    step = Forward("bad", "op", MustBeRefused((Reason.TOKEN_CLAIMS,)), ("sts",))
    refused = Forwarded(401, "", "token-claims", False)
    assert list(nothing_reached("step 1", step, refused)) == []
    assert [item.code for item in nothing_reached("step 1", step, replace(refused, reached="sts"))] == ["reached"]


@pytest.mark.parametrize(
    ("step", "facts", "fine"),
    [
        (Obtain("t", "idp", "shop", "peter"), Obtained(200, "", issued=True), True),
        (Obtain("t", "idp", "shop", "peter"), Obtained(200, ""), False),
        (Obtain("t", "idp", "shop", "peter"), Obtained(None, "closed"), False),
        (Revoke("t", "idp", "shop"), Obtained(200, ""), True),
        (Revoke("t", "idp", "shop"), Obtained(401, "", error="invalid_client"), False),
    ],
)
def test_a_token_that_could_not_be_had_proves_nothing(step: Obtain | Revoke, facts: Obtained, fine: bool) -> None:
    assert (not list(obtained("step 1", step, facts))) is fine


def test_what_arrived_is_read_from_the_request_with_that_nonce() -> None:
    claims = {"iss": "https://sts.test", "aud": "op.test", "sub": "peter", "act": {"sub": "edge"}}
    other = RequestView("PUT", "/", "fp-0", token=TokenView("other", {}, {"sub": "mary"}))
    mine = RequestView("PUT", "/", "fp-1", token=TokenView("mine", {}, claims))
    view = ServerView("op", 1, 2, requests=(other, mine))
    found = with_token(Forwarded(201, "", "", True, "op"), view, "the token that was sent", "fp-1")
    assert found == GOOD
    assert with_token(Forwarded(201, "", "", True, "op"), view, "x", "fp-2").arrived
