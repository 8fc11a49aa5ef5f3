"""Who is let in and who is turned away: every kind of deviation and what is found then."""

from __future__ import annotations

import pytest

from harness.judge import judge
from harness.model.case import Stimulus
from harness.model.exchange import CertificateView, Exchange
from harness.model.vocabulary import Outcome, Path, Posture, Reason
from harness.tests.builders import (
    OTHER_LEAF,
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
from harness.tests.checks.support import CLIENT_ONLY, Found, found, served

ACCEPTED = server(request())
NOT_SERVED = [("violation", "not-served")]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (exchange(client(None, local_port=None, fault="cannot connect")), [("unobserved", "network")]),
        (exchange(client(None, server_refused="Hostname mismatch")), [("violation", "server-untrusted")]),
        (exchange(client(None, timed_out=True), ACCEPTED), [("violation", "no-answer")]),
        (exchange(client(None, alert="unknown_ca"), rejecting(Reason.CERTIFICATE_UNTRUSTED, tls=True)), NOT_SERVED),
        (exchange(client(None, closed=True)), NOT_SERVED),
        (exchange(client(401), rejecting(Reason.TOKEN_EXPIRED)), NOT_SERVED),
        (exchange(client(200), ACCEPTED), NOT_SERVED),
        (exchange(client(302), ACCEPTED), NOT_SERVED),
        (exchange(client(201), ACCEPTED, effect=False), [("violation", "no-effect")]),
    ],
)
def test_served_directly(facts: Exchange, expected: Found) -> None:
    assert found(served(facts)) == expected


def test_the_servers_reason_is_reported() -> None:
    (finding,) = [*_findings(exchange(client(401), rejecting(Reason.TOKEN_EXPIRED)))]
    assert "token-expired" in finding and "401" in finding
    assert _findings(exchange(client(401))) == ["answered 401 instead of 201"]  # it cannot be asked


def _findings(facts: Exchange) -> list[str]:
    return [judge(served(facts)).reason]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (exchange(server_view=ACCEPTED), [("unobserved", "balancer-silent")]),
        (exchange(server_view=ACCEPTED, between=passthrough(established=True)), [("violation", "payload-visible")]),
        (
            exchange(server_view=ACCEPTED, between=passthrough(requests=(request(),))),
            [("violation", "payload-visible")],
        ),
        (
            exchange(
                client(server_chain=(CertificateView("CN=portal.test", "CN=ingress-ca", OTHER_LEAF),)),
                ACCEPTED,
                passthrough(),
            ),
            [("violation", "other-certificate")],
        ),
    ],
)
def test_served_through_a_passthrough(facts: Exchange, expected: Found) -> None:
    assert found(served(facts, path=Path.PASSTHROUGH)) == expected


CHANGED_TOKEN = request(authorization_sha256="c0" * 32)
CHANGED_BODY = request(body_sha256="c0" * 32)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (exchange(server_view=ACCEPTED), [("unobserved", "balancer-silent")]),
        (exchange(server_view=server(), between=terminating()), [("violation", "not-forwarded")]),
        (exchange(server_view=ACCEPTED, between=terminating(CHANGED_TOKEN)), [("violation", "token-changed")]),
        (exchange(server_view=server(CHANGED_TOKEN), between=terminating()), [("violation", "token-changed")]),
        (exchange(server_view=server(CHANGED_BODY), between=terminating()), [("violation", "body-changed")]),
        (
            exchange(server_view=server(request(authorization_sha256="")), between=terminating()),
            [("violation", "token-changed")],
        ),
    ],
)
def test_served_over_a_terminating_balancer(facts: Exchange, expected: Found) -> None:
    assert found(served(facts, path=Path.TERMINATING, posture=Posture.JWT)) == expected


# Turned away

CERTIFICATE, TOKEN = Stimulus("bad-cert"), Stimulus(token="bad-token")
UNTRUSTED, SIGNATURE = Reason.CERTIFICATE_UNTRUSTED, Reason.TOKEN_SIGNATURE
SAME_FOR_ALL = [
    (exchange(client(201), ACCEPTED), [("violation", "accepted")]),
    (exchange(client(302), ACCEPTED, effect=False), [("violation", "accepted")]),
    (exchange(client(500), ACCEPTED, effect=False), [("violation", "server-error")]),
    (exchange(client(None, local_port=None, fault="refused"), effect=False), [("unobserved", "network")]),
    (exchange(client(None, server_refused="self-signed"), effect=False), [("unobserved", "network")]),
    (exchange(client(None, timed_out=True), effect=False), [("unobserved", "no-answer")]),
    (exchange(client(404), rejecting(UNTRUSTED), effect=False), [("wrong-reason", "other-status")]),
    (exchange(client(401), ACCEPTED, effect=False), [("unobserved", "server-silent")]),
    (exchange(client(401), effect=False), [("unobserved", "server-silent")]),
    (exchange(client(401), rejecting(Reason.BAD_REQUEST), effect=False), [("wrong-reason", "other-reason")]),
]


@pytest.mark.parametrize("name", ["certificate-refused", "token-refused", "refused"])
@pytest.mark.parametrize(("facts", "expected"), SAME_FOR_ALL)
def test_turned_away(name: str, facts: Exchange, expected: Found) -> None:
    stimulus = {"certificate-refused": CERTIFICATE, "token-refused": TOKEN}.get(name, Stimulus("bad-cert", "bad-token"))
    assert found(ask(case(name, stimulus=stimulus), facts)) == expected


@pytest.mark.parametrize(
    ("name", "stimulus", "facts", "expected"),
    [
        # Rejected, and done all the same.
        ("certificate-refused", CERTIFICATE, exchange(client(403), rejecting(UNTRUSTED)), "acted-upon"),
        ("token-refused", TOKEN, exchange(client(401), rejecting(SIGNATURE)), "acted-upon"),
        ("token-refused", TOKEN, exchange(client(500), rejecting(SIGNATURE)), "acted-upon"),
        ("certificate-refused", CERTIFICATE, exchange(client(None, timed_out=True)), "acted-upon"),
        # The other credential was to blame.
        ("certificate-refused", CERTIFICATE, exchange(client(401), rejecting(SIGNATURE), effect=False), "other-reason"),
        ("token-refused", TOKEN, exchange(client(401), rejecting(UNTRUSTED), effect=False), "other-reason"),
        # A bad token must get an HTTP answer, with its own status.
        (
            "token-refused",
            TOKEN,
            exchange(client(None, closed=True), rejecting(SIGNATURE), effect=False),
            "no-answer",
        ),
        ("token-refused", TOKEN, exchange(client(403), rejecting(SIGNATURE), effect=False), "other-status"),
        # Nothing in the catalogue allows a rejection of a class that is good.
        (
            "certificate-refused",
            Stimulus("odd-cert"),
            exchange(client(403), rejecting(UNTRUSTED), effect=False),
            "other-reason",
        ),
    ],
)
def test_for_the_wrong_reason(name: str, stimulus: Stimulus, facts: Exchange, expected: str) -> None:
    question = ask(case(name, stimulus=stimulus), facts)
    assert found(question) == [("wrong-reason", expected)]
    assert judge(question).outcome is Outcome.WRONG_REASON


def test_statuses_of_the_case_replace_the_dialects() -> None:
    question = ask(
        case("token-refused", stimulus=TOKEN, statuses=[400]), exchange(client(401), rejecting(SIGNATURE), effect=False)
    )
    assert found(question) == [("wrong-reason", "other-status")]


@pytest.mark.parametrize(
    ("path", "facts", "expected"),
    [
        (Path.PASSTHROUGH, exchange(client(401), rejecting(SIGNATURE), effect=False), "balancer-silent"),
        (
            Path.TERMINATING,
            exchange(client(401), rejecting(SIGNATURE), terminating(CHANGED_TOKEN), effect=False),
            "token-changed",
        ),
        (
            Path.TERMINATING,
            exchange(client(401), rejecting(SIGNATURE), terminating(CHANGED_BODY), effect=False),
            "body-changed",
        ),
        (
            Path.TERMINATING,
            exchange(client(401), rejecting(SIGNATURE), terminating(request("balancer")), effect=False),
            "not-forwarded",
        ),
        (
            Path.TERMINATING,
            exchange(client(401), server(rejected=str(SIGNATURE)), terminating(), effect=False),
            "not-forwarded",
        ),
    ],
)
def test_a_rejection_counts_only_if_the_stimulus_arrived(path: Path, facts: Exchange, expected: str) -> None:
    question = ask(case("token-refused", stimulus=TOKEN, path=path, posture=Posture.JWT), facts)
    assert found(question) == [("unobserved", expected)]
    assert judge(question).outcome is Outcome.UNOBSERVED


def test_an_acceptance_stands_whatever_the_balancer_did() -> None:
    facts = exchange(client(201), ACCEPTED, terminating(CHANGED_TOKEN))
    question = ask(case("token-refused", stimulus=TOKEN, path=Path.TERMINATING, posture=Posture.JWT), facts)
    assert judge(question).outcome is Outcome.FAIL


def test_an_error_the_balancer_made_is_not_the_servers() -> None:
    facts = exchange(client(502), None, terminating(request("balancer", status=502)), effect=False)
    question = ask(case("token-refused", stimulus=TOKEN, path=Path.TERMINATING, posture=Posture.JWT), facts)
    assert judge(question).outcome is Outcome.UNOBSERVED


def test_a_server_that_logged_nothing_is_no_violation() -> None:
    question = served(exchange(server_view=None, between=terminating()), path=Path.TERMINATING, posture=Posture.JWT)
    assert judge(question).outcome is Outcome.UNOBSERVED


# A terminating balancer before an mTLS endpoint

MISSING = rejecting(Reason.CERTIFICATE_MISSING, tls=True)
HOLDER = (CertificateView("CN=client", "CN=ingress-ca", OTHER_LEAF),)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (exchange(client(201), ACCEPTED, terminating()), ("violation", "flow-works")),
        (exchange(client(201), server(request(), client_chain=HOLDER), terminating()), ("violation", "flow-works")),
        (exchange(client(502), MISSING, terminating()), ("wrong-reason", "acted-upon")),
        (exchange(client(502), MISSING, None, effect=False), ("unobserved", "balancer-silent")),
        (exchange(client(502), None, terminating(upstream_port=None), effect=False), ("unobserved", "not-forwarded")),
        (exchange(client(502), None, terminating(), effect=False), ("unobserved", "server-silent")),
        (
            exchange(client(502), rejecting(Reason.CERTIFICATE_UNTRUSTED, tls=True), terminating(), effect=False),
            ("wrong-reason", "other-reason"),
        ),
        (exchange(client(502), server(), terminating(), effect=False), ("wrong-reason", "other-reason")),
    ],
)
def test_flow_broken(facts: Exchange, expected: tuple[str, str]) -> None:
    assert found(ask(case("flow-broken", path=Path.TERMINATING), facts)) == [expected]


def test_who_is_to_blame_for_a_flow_that_works() -> None:
    about = case("flow-broken", path=Path.TERMINATING)
    holds = judge(ask(about, exchange(client(201), server(request(), client_chain=HOLDER), terminating())))
    open_ = judge(ask(about, exchange(client(201), ACCEPTED, terminating())))
    assert "holds a client key" in holds.reason
    assert "asked for no certificate" in open_.reason


def test_an_unreachable_balancer_breaks_nothing() -> None:
    facts = exchange(client(None, local_port=None, fault="cannot connect: refused"), effect=None)
    question = ask(case("flow-broken", path=Path.TERMINATING), facts, CLIENT_ONLY)
    assert judge(question).outcome is Outcome.UNOBSERVED


# A balancer that drops the token


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (exchange(client(201), ACCEPTED, terminating()), ("violation", "accepted")),
        (exchange(client(401), rejecting(Reason.TOKEN_MISSING), terminating()), ("wrong-reason", "acted-upon")),
        (exchange(client(401), rejecting(SIGNATURE), terminating(), effect=False), ("wrong-reason", "other-reason")),
        (
            exchange(client(403), rejecting(Reason.TOKEN_MISSING), terminating(), effect=False),
            ("wrong-reason", "other-status"),
        ),
        (exchange(client(401), rejecting(Reason.TOKEN_MISSING), None, effect=False), ("unobserved", "balancer-silent")),
        (
            exchange(
                client(401),
                rejecting(Reason.TOKEN_MISSING),
                terminating(request("upstream", authorization_sha256="")),
                effect=False,
            ),
            ("unobserved", "no-token"),
        ),
    ],
)
def test_token_lost(facts: Exchange, expected: tuple[str, str]) -> None:
    assert found(ask(case("token-lost", path=Path.TERMINATING, posture=Posture.JWT), facts)) == [expected]
