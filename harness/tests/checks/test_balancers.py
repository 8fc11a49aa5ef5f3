"""What is found where a balancer passes on too much, or tells less than ours does, or less than the truth."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.judge import Controls, judge
from harness.model.case import Stimulus
from harness.model.exchange import Exchange, ServerView
from harness.model.vocabulary import Outcome, Path, Posture, Reason
from harness.tests.builders import ask, case, client, exchange, passthrough, rejecting, request, server, terminating
from harness.tests.checks.support import Found, found, served

ACCEPTED = server(request())


def test_a_token_lost_at_a_balancer_that_tells_no_digests() -> None:
    """What reached it is then what the client sent, over the TLS connection that they have."""
    about = case("token-lost", path=Path.TERMINATING, posture=Posture.JWT)
    between = terminating(request("upstream", authorization_sha256="", body_sha256="", digested=False))
    facts = exchange(client(401), rejecting(Reason.TOKEN_MISSING), between, effect=False)
    assert found(ask(about, facts)) == []
    sent_none = replace(facts, client=client(401, authorization_sha256=""))
    assert found(ask(about, sent_none)) == [("unobserved", "no-token")]


# A balancer that re-encrypts to a server it must not trust


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (exchange(client(201), ACCEPTED, terminating()), ("violation", "passed-on")),
        (exchange(client(502), ACCEPTED, terminating(), effect=False), ("violation", "passed-on")),
        (exchange(client(502), server(), terminating()), ("violation", "passed-on")),
        (exchange(client(201), None, terminating(), effect=False), ("violation", "passed-on")),
        (exchange(client(None, timed_out=True), server(), terminating(), effect=False), ("unobserved", "network")),
        (exchange(client(502), server(), None, effect=False), ("unobserved", "balancer-silent")),
        (
            exchange(client(502), None, terminating(upstream_error="connection refused"), effect=False),
            ("unobserved", "no-account"),
        ),
    ],
)
def test_nothing_passed_on(facts: Exchange, expected: tuple[str, str]) -> None:
    question = ask(case("nothing-passed-on", path=Path.TERMINATING, posture=Posture.JWT), facts)
    assert found(question) == [expected]


@pytest.mark.parametrize(
    ("server_view", "expected"),
    [
        (server(request()), []),
        (server(request(authorization_sha256="")), [("violation", "token-changed")]),
        (server(request(body_sha256="00" * 32)), [("violation", "body-changed")]),
        (server(), [("violation", "not-forwarded")]),
        (None, [("unobserved", "server-silent")]),
    ],
)
def test_where_the_balancer_tells_no_digests_the_servers_count(server_view: ServerView | None, expected: Found) -> None:
    between = terminating(request("upstream", authorization_sha256="", body_sha256="", digested=False))
    question = served(exchange(server_view=server_view, between=between), path=Path.TERMINATING, posture=Posture.JWT)
    assert found(question) == expected


@pytest.mark.parametrize(("theirs", "expected"), [("aa" * 32, []), ("bb" * 32, ["other-connection"]), ("", [])])
def test_a_passthrough_leaves_client_and_server_one_tls_connection(theirs: str, expected: list[str]) -> None:
    sent = client(handshake_sha256="aa" * 32)
    facts = exchange(sent, server(request(), handshake_sha256=theirs), passthrough())
    assert found(served(facts, path=Path.PASSTHROUGH)) == [("violation", code) for code in expected]
    refused = exchange(
        replace(sent, response=None, alert="unknown_ca"),
        server(rejected=str(Reason.CERTIFICATE_UNTRUSTED), established=False, handshake_sha256=theirs),
        passthrough(),
        effect=False,
    )
    question = ask(case("certificate-refused", stimulus=Stimulus("bad-cert"), path=Path.PASSTHROUGH), refused)
    assert found(question) == [("unobserved", code) for code in expected]


def test_what_was_not_passed_on_proves_nothing_where_nothing_ever_is() -> None:
    facts = exchange(client(502), server(established=False), terminating(), effect=False)
    question = ask(case("nothing-passed-on", path=Path.TERMINATING, posture=Posture.JWT), facts)
    assert judge(question, Controls()).outcome is Outcome.PASS
    assert judge(question, Controls(closing="answered 502")).outcome is Outcome.UNOBSERVED
