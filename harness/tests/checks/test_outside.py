"""What a verdict may say when only the client's side was seen."""

from __future__ import annotations

import pytest

from harness.catalogue.registry import catalogue
from harness.checks.dialect import TOKEN_STATUSES, Dialect, Refusal
from harness.checks.question import Question
from harness.judge import UNMADE, Controls, judge
from harness.model.case import Case, Stimulus
from harness.model.exchange import ClientView, Exchange, Response
from harness.model.observations import Observations
from harness.model.params import Params
from harness.model.vocabulary import Grade, Outcome, Path, Posture

SERVED = Controls()
GONE = Controls("answered 401 instead of 200", "")
NOBODY = Controls(f"{UNMADE}needs a good token", "")


def outcome(
    expected: str,
    stimulus: Stimulus,
    client: ClientView,
    controls: Controls = SERVED,
    *,
    statuses: frozenset[int] | None = None,
    refusal: Refusal | None = None,
    params: Params | None = None,
    extra: Observations | None = None,
    path: Path = Path.DIRECT,
    posture: Posture = Posture.BOTH,
) -> tuple[Outcome, str]:
    known = catalogue()
    row = next(row for row in known.requirements if row.id == "JWT-3")
    case = Case(row, known.flows["management-to-portal"], posture, path, stimulus, expected, params=params or Params())
    exchange = Exchange("n", client, extra=extra or {})
    dialect = Dialect(token_statuses=statuses or TOKEN_STATUSES, refusal=refusal)
    verdict = judge(Question(case, exchange, known.classes, Grade.CLIENT_ONLY, dialect), controls)
    return verdict.outcome, verdict.code


def answered(status: int, body: str = "", **headers: str) -> ClientView:
    fields = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return ClientView(1, 2, established=True, response=Response(status, fields, body))


ALERT = ClientView(1, 2, established=True, alert="certificate_required")
CLOSED = ClientView(1, 2, established=True, closed=True)
NO_TOKEN = Stimulus(token="str-no-token")
NO_CERTIFICATE = Stimulus("tls-no-cert")
NEITHER = Stimulus("tls-no-cert", "str-no-token")


@pytest.mark.parametrize(
    ("client", "server_view"),
    [
        (answered(401), (Outcome.PASS, "as-required")),
        (answered(200), (Outcome.FAIL, "accepted")),
        (answered(500), (Outcome.FAIL, "server-error")),
        (answered(403), (Outcome.WRONG_REASON, "other-status")),
        (answered(404), (Outcome.WRONG_REASON, "other-status")),
        # None of these is the server's word on the token.
        (answered(502), (Outcome.UNOBSERVED, "in-between")),
        (answered(503), (Outcome.UNOBSERVED, "in-between")),
        (answered(429), (Outcome.UNOBSERVED, "in-between")),
        (answered(302), (Outcome.UNOBSERVED, "redirected")),
        (CLOSED, (Outcome.WRONG_REASON, "no-answer")),
        (ClientView(fault="cannot connect"), (Outcome.UNOBSERVED, "network")),
        (ClientView(1, 2, timed_out=True), (Outcome.UNOBSERVED, "no-answer")),
    ],
)
def test_a_refused_token(client: ClientView, server_view: tuple[Outcome, str]) -> None:
    assert outcome("token-refused", NO_TOKEN, client) == server_view


def test_a_dialect_may_say_403_or_redirect() -> None:
    for status in (403, 302):
        message = outcome("token-refused", NO_TOKEN, answered(status), statuses=frozenset({status}))
        assert message == (Outcome.PASS, "as-required")


def test_a_status_of_the_dialect_counts_beside_those_that_the_catalogue_names() -> None:
    cookie, named = Stimulus(token="t-cookie"), Params(statuses=frozenset({400, 401}))
    message = outcome("token-refused", cookie, answered(403), statuses=frozenset({401, 403}), params=named)
    assert message == (Outcome.PASS, "as-required")
    assert outcome("token-refused", cookie, answered(403), params=named) == (Outcome.WRONG_REASON, "other-status")


@pytest.mark.parametrize(
    ("token", "passes"), [("str-no-token", True), ("str-opaque", True), ("t-cookie", True), ("exp-past", False)]
)
def test_a_malformed_request_may_be_called_a_bad_one(token: str, passes: bool) -> None:
    message = outcome("token-refused", Stimulus(token=token), answered(400))
    assert message == ((Outcome.PASS, "as-required") if passes else (Outcome.WRONG_REASON, "other-status"))


DENIED = Refusal(status=200, body='"error"')


@pytest.mark.parametrize(
    ("client", "server_view"),
    [
        (answered(200, '{"error": "no"}'), (Outcome.PASS, "as-required")),
        (answered(200, '{"items": []}'), (Outcome.FAIL, "accepted")),
        (answered(201, '{"error": "no"}'), (Outcome.FAIL, "accepted")),
        (answered(503, '{"error": "no"}'), (Outcome.UNOBSERVED, "in-between")),
        (answered(200, " " * 5000 + '"error"'), (Outcome.FAIL, "accepted")),
    ],
)
def test_a_refusal_may_stand_in_the_body(client: ClientView, server_view: tuple[Outcome, str]) -> None:
    assert outcome("token-refused", Stimulus(token="exp-past"), client, refusal=DENIED) == server_view


def test_what_is_marked_as_a_refusal_is_not_served() -> None:
    client = answered(200, '{"error": "no"}')
    assert outcome("served", Stimulus(), client, refusal=DENIED) == (Outcome.FAIL, "not-served")
    assert outcome("certificate-refused", NO_CERTIFICATE, client, refusal=DENIED) == (Outcome.PASS, "as-required")


@pytest.mark.parametrize(
    ("pattern", "value", "fits"),
    [
        ("denied", "denied", True),
        ("denied", "denied!", False),
        ("denied*", "denied: no token", True),
        ("*denied", "access denied", True),
        ("a*c*e", "abcde", True),
        ("a*c*e", "abde", False),
        ("ab*b", "ab", False),
        ("*" * 200, "a" * 2000, True),
    ],
)
def test_a_pattern_for_a_header_fits_all_of_it(pattern: str, value: str, fits: bool) -> None:
    assert Refusal(header="X-Result", value=pattern).marks(Response(200, (("x-result", value),))) is fits


def test_a_refusal_needs_all_that_is_given() -> None:
    refusal = Refusal(status=200, header="x-result", value="*", body="a*b")
    assert refusal.marks(Response(200, (("x-result", ""),), "..a..b.."))
    assert not refusal.marks(Response(200, (), "a b"))
    assert not refusal.marks(Response(200, (("x-result", ""),), "b a"))


@pytest.mark.parametrize("client", [ALERT, CLOSED, answered(400), answered(403), answered(496)])
def test_honest_servers_refuse_a_certificate_in_many_ways(client: ClientView) -> None:
    assert outcome("certificate-refused", NO_CERTIFICATE, client) == (Outcome.PASS, "as-required")


@pytest.mark.parametrize(
    ("expected", "client", "server_view"),
    [
        # 401 may be for the missing token: nothing is known of the certificate.
        ("certificate-refused", answered(401), (Outcome.UNOBSERVED, "ambiguous")),
        ("certificate-refused", answered(400, WWW_Authenticate="Bearer"), (Outcome.UNOBSERVED, "ambiguous")),
        ("certificate-refused", answered(400), (Outcome.PASS, "as-required")),
        ("certificate-refused", ALERT, (Outcome.PASS, "as-required")),
        ("token-refused", answered(401), (Outcome.UNOBSERVED, "ambiguous")),
        ("token-refused", answered(401, WWW_Authenticate="Bearer realm=x"), (Outcome.PASS, "as-required")),
        ("refused", answered(401), (Outcome.PASS, "as-required")),
    ],
)
def test_two_bad_credentials(expected: str, client: ClientView, server_view: tuple[Outcome, str]) -> None:
    assert outcome(expected, NEITHER, client) == server_view


@pytest.mark.parametrize(
    ("client", "server_view"),
    [
        (answered(401), (Outcome.PASS, "as-required")),
        (answered(401, WWW_Authenticate="Bearer"), (Outcome.UNOBSERVED, "ambiguous")),
    ],
)
def test_where_no_token_is_asked_for_401_is_about_the_certificate(
    client: ClientView, server_view: tuple[Outcome, str]
) -> None:
    assert outcome("certificate-refused", NEITHER, client, posture=Posture.MTLS) == server_view


@pytest.mark.parametrize(
    ("expected", "stimulus"), [("token-refused", NO_TOKEN), ("certificate-refused", NO_CERTIFICATE)]
)
def test_no_served_twin_no_pass(expected: str, stimulus: Stimulus) -> None:
    refused = answered(401) if expected == "token-refused" else ALERT
    assert outcome(expected, stimulus, refused, GONE) == (Outcome.UNOBSERVED, "control-failed")
    assert outcome(expected, stimulus, refused, NOBODY) == (Outcome.UNOBSERVED, "no-twin")
    near: Observations = {"twin_refused": "its twin via-intermediate is not served either"}
    assert outcome(expected, stimulus, refused, extra=near) == (Outcome.UNOBSERVED, "twin-refused")


@pytest.mark.parametrize("controls", [SERVED, GONE, NOBODY])
def test_an_acceptance_stands_by_itself(controls: Controls) -> None:
    assert outcome("token-refused", NO_TOKEN, answered(200), controls) == (Outcome.FAIL, "accepted")


def test_a_server_that_went_away_is_not_at_fault() -> None:
    tolerated = Stimulus(token="claim-unknown")
    assert outcome("served", tolerated, answered(401), GONE) == (Outcome.UNOBSERVED, "control-failed")
    assert outcome("served", tolerated, answered(401)) == (Outcome.FAIL, "not-served")
    assert outcome("served", tolerated, answered(502)) == (Outcome.UNOBSERVED, "in-between")


def test_what_cannot_be_made_is_unobserved() -> None:
    message = outcome("token-refused", NO_TOKEN, answered(200), extra={"unmade": "needs the key"})
    assert message == (Outcome.UNOBSERVED, "not-made")


def test_a_balancer_that_fails_does_not_show_a_broken_flow() -> None:
    message = outcome("flow-broken", Stimulus(), answered(502), path=Path.TERMINATING)
    assert message == (Outcome.UNOBSERVED, "in-between")
    assert outcome("flow-broken", Stimulus(), answered(201), path=Path.TERMINATING) == (Outcome.FAIL, "flow-works")
