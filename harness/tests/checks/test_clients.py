"""Subsystems under test as clients: what they send, and what they must not; every deviation and what is found then."""

from __future__ import annotations

from typing import Any

import pytest

from harness.judge import judge
from harness.model.exchange import ServerView, TokenView
from harness.model.vocabulary import Outcome
from harness.tests.builders import NOW, ask, case, exchange, passthrough, rejecting, request, server
from harness.tests.checks.support import Found, found

# A subsystem as client


def _token(claims: dict[str, Any] | None) -> TokenView:
    return TokenView("70" * 32, {"alg": "RS256"}, claims)


OK = {"status": 201, "error": ""}


@pytest.mark.parametrize(
    ("act", "seen", "expected"),
    [
        (None, request(), [("unobserved", "not-driven")]),
        ({"status": None, "error": "refused"}, None, [("violation", "not-sent")]),
        (OK, request(token=None), [("violation", "no-token")]),
        (OK, request(token=_token(None)), [("violation", "no-token")]),
        (OK, request(token=_token({})), [("violation", "stale-token")]),
        (OK, request(token=_token({"exp": "soon"})), [("violation", "stale-token")]),
        (OK, request(token=_token({"exp": NOW})), [("violation", "stale-token")]),
        (OK, request(token=_token({"exp": NOW - 1})), [("violation", "stale-token")]),
        ({"status": 401, "error": ""}, request(), [("violation", "not-served")]),
        ({"status": None, "error": "reset"}, request(), [("violation", "not-served")]),
        (OK, request(token=_token({"exp": NOW + 0.5})), []),
    ],
)
def test_token_sent(act: dict[str, Any] | None, seen: Any, expected: Found) -> None:
    message = server(*([seen] if seen else []))
    extra = {"now": NOW, **({"act": act} if act is not None else {})}
    assert found(ask(case("token-sent"), exchange(server_view=message, extra=extra))) == expected


def test_a_request_that_succeeded_unseen_is_not_unsent() -> None:
    question = ask(case("token-sent"), exchange(server_view=None, extra={"act": OK, "now": NOW}))
    assert judge(question).outcome is Outcome.UNOBSERVED


# A subsystem as client of a server it must not trust

SENT = [("violation", "sent")]


@pytest.mark.parametrize(
    ("act", "server_view", "expected"),
    [
        (None, server(), [("unobserved", "not-driven")]),
        ({"status": 201, "error": ""}, server(request()), SENT),
        ({"status": None, "error": "reset"}, server(request(token=None)), SENT),
        ({"status": 201, "error": ""}, server(), SENT),
        ({"status": None, "error": "the certificate does not verify"}, None, [("unobserved", "server-silent")]),
        ({"status": None, "error": ""}, server(), [("unobserved", "no-account")]),
    ],
)
def test_nothing_sent(act: dict[str, Any] | None, server_view: ServerView | None, expected: Found) -> None:
    extra = {"now": NOW, **({"act": act} if act is not None else {})}
    assert found(ask(case("nothing-sent"), exchange(server_view=server_view, extra=extra))) == expected


# A subsystem as client, without a token

NO_TOKEN = request(token=None, authorization_sha256="")


def _found(name: str, act: dict[str, Any] | None, server_view: ServerView | None, **case_and_facts: Any) -> Found:
    effect = case_and_facts.pop("effect", True)
    extra = {"now": NOW, **({"act": act} if act is not None else {})}
    return found(ask(case(name, **case_and_facts), exchange(server_view=server_view, extra=extra, effect=effect)))


@pytest.mark.parametrize("name", ["called", "no-token-sent"])
@pytest.mark.parametrize(
    ("act", "server_view", "expected"),
    [
        (None, server(NO_TOKEN), [("unobserved", "not-driven")]),
        ({"status": 401, "error": ""}, server(NO_TOKEN), [("violation", "not-served")]),
        ({"status": None, "error": "reset"}, None, [("violation", "not-served")]),
        (OK, None, [("unobserved", "server-silent")]),
        (OK, server(), [("unobserved", "server-silent")]),
        (OK, server(NO_TOKEN), []),
    ],
)
def test_called(name: str, act: dict[str, Any] | None, server_view: ServerView | None, expected: Found) -> None:
    assert _found(name, act, server_view) == expected


def test_no_token_sent() -> None:
    assert _found("no-token-sent", OK, server(request())) == [("violation", "token")]
    assert _found("no-token-sent", OK, server(request(token=None))) == [("violation", "token")]
    assert _found("called", OK, server(request())) == []


REFUSED = {"status": 401, "error": ""}
MISSING = rejecting("token-missing")


@pytest.mark.parametrize(
    ("act", "server_view", "effect", "expected"),
    [
        (REFUSED, MISSING, False, []),
        (None, MISSING, False, [("unobserved", "not-driven")]),
        (OK, server(NO_TOKEN), True, [("violation", "accepted")]),
        (REFUSED, MISSING, True, [("wrong-reason", "acted-upon")]),
        (REFUSED, rejecting("token-expired"), False, [("wrong-reason", "other-reason")]),
        (REFUSED, server(NO_TOKEN), False, [("wrong-reason", "other-reason")]),
    ],
)
def test_own_request_refused(
    act: dict[str, Any] | None, server_view: ServerView | None, effect: bool, expected: Found
) -> None:
    assert (
        _found("own-request-refused", act, server_view, effect=effect, acceptable_reasons=["token-missing"]) == expected
    )


def test_a_refusal_that_the_server_did_not_tell_of() -> None:
    extra = {"act": REFUSED, "now": NOW}
    about = case("own-request-refused", acceptable_reasons=["token-missing"])
    assert judge(ask(about, exchange(server_view=None, extra=extra, effect=False))).outcome is Outcome.UNOBSERVED


def test_a_balancer_may_be_what_is_not_trusted() -> None:
    extra = {"act": {"status": None, "error": "the certificate does not verify"}, "now": NOW}
    assert found(ask(case("nothing-sent"), exchange(server_view=None, between=passthrough(), extra=extra))) == []
