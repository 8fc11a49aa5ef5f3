"""Packets that break what they must show, and packets that show too little."""

from __future__ import annotations

import pytest

from harness.checks.passage import Passage
from harness.judge import Controls, judge
from harness.model.exchange import Exchange
from harness.model.observations import Observations
from harness.model.vocabulary import Grade, Outcome
from harness.tests.builders import ask, case
from harness.tests.checks.packet_facts import captured, wire
from harness.tests.checks.support import found

PASSED, ENDED, NEITHER, UNKNOWN = Passage.PASSED, Passage.TERMINATED, Passage.NEITHER, Passage.UNKNOWN
CLEAR, TOKEN = wire(content="http", data="unknown"), wire(content="http", data="unknown", tokens=1)
LOST: Observations = {"packets": {"missing": "not captured", "passage": "", "why": ""}}


@pytest.mark.parametrize(
    ("check", "extra", "kind", "code"),
    [
        ("tls-passed-through", captured(ENDED, wire(), wire()), "violation", "terminated"),
        ("tls-passed-through", captured(NEITHER, wire()), "unobserved", "passage-unknown"),
        ("tls-passed-through", captured(PASSED, wire(asked="no", sent="no")), "violation", "not-asked"),
        ("tls-passed-through", captured(PASSED, wire(sure=False, sent="no")), "unobserved", "certificate-unseen"),
        ("tls-passed-through", captured(PASSED, wire(sent="no")), "unobserved", "certificate-unseen"),
        ("tls-passed-through", captured(PASSED, wire(data="no")), "violation", "no-data"),
        ("tls-passed-through", captured(PASSED, wire(data="unknown")), "unobserved", "data-unseen"),
        ("tls-passed-through", captured(UNKNOWN, CLEAR), "violation", "clear-text"),
        ("certificate-on-the-wire", captured("", wire(asked="no", sent="no")), "violation", "not-asked"),
        ("certificate-on-the-wire", captured("", wire(sure=False)), "unobserved", "certificate-unseen"),
        ("certificate-on-the-wire", captured("", TOKEN), "violation", "token-in-clear-text"),
        ("nothing-carried-over", captured(PASSED, wire(), wire()), "violation", "passed-through"),
        ("nothing-carried-over", captured(ENDED, wire(), wire()), "violation", "data-exchanged"),
        ("nothing-carried-over", captured(ENDED, wire(), wire(data="unknown")), "unobserved", "data-unseen"),
        ("nothing-carried-over", captured(ENDED, wire(), CLEAR), "violation", "clear-text"),
        ("nothing-carried-over", captured(UNKNOWN, wire()), "unobserved", "passage-unknown"),
        ("tls-reencrypted", captured(PASSED, wire(), wire()), "violation", "passed-through"),
        ("tls-reencrypted", captured(ENDED, wire(), TOKEN), "violation", "token-in-clear-text"),
        ("tls-reencrypted", captured(ENDED, wire(), CLEAR), "violation", "clear-text"),
        ("tls-reencrypted", captured(ENDED, wire()), "unobserved", "nothing-behind"),
        ("tls-reencrypted", captured(ENDED, wire(), wire(data="no")), "violation", "no-data"),
        ("tls-reencrypted", captured(UNKNOWN, wire(), wire()), "unobserved", "passage-unknown"),
        ("token-encrypted", captured("", TOKEN), "violation", "token-in-clear-text"),
        ("token-encrypted", captured("", wire(content="other")), "unobserved", "not-read"),
        ("token-encrypted", captured("", wire(data="unknown")), "unobserved", "data-unseen"),
        ("handshake-broken-off", captured(NEITHER, wire()), "violation", "data-exchanged"),
        ("handshake-broken-off", captured(NEITHER, TOKEN), "violation", "token-in-clear-text"),
        ("handshake-broken-off", captured(NEITHER, wire(data="unknown")), "unobserved", "data-unseen"),
        ("onward-broken-off", captured(ENDED, wire(data="no"), wire()), "violation", "data-exchanged"),
        ("onward-broken-off", captured(ENDED, wire(), wire(data="unknown")), "unobserved", "data-unseen"),
        ("onward-broken-off", captured(ENDED, wire(), TOKEN), "violation", "token-in-clear-text"),
        ("onward-broken-off", captured(ENDED, wire()), "unobserved", "nothing-behind"),
        ("handshake-broken-off", captured("", wire(content="empty")), "unobserved", "no-handshake"),
        ("server-not-named", captured(ENDED, wire(), wire()), "violation", "named"),
        ("server-not-named", captured(PASSED, wire(), wire(server_name="")), "violation", "passed-through"),
        ("certificate-of-balancer", captured(ENDED, wire(), wire(asked="no", sent="no")), "violation", "not-asked"),
        ("certificate-of-balancer", captured(PASSED, wire(), wire()), "violation", "passed-through"),
    ],
)  # fmt: skip
def test_what_packets_show(check: str, extra: Observations, kind: str, code: str) -> None:
    assert found(ask(case(check), Exchange("fp-1", extra=extra), Grade.PACKETS)) == [(kind, code)]


@pytest.mark.parametrize("check", ["tls-passed-through", "nothing-carried-over", "tls-reencrypted", "token-encrypted"])
def test_a_connection_that_was_not_captured_shows_nothing(check: str) -> None:
    verdict = judge(ask(case(check), Exchange("fp-1", extra=LOST), Grade.PACKETS))
    assert (verdict.outcome, verdict.reason) == (Outcome.UNOBSERVED, "not captured")


def test_a_broken_flow_needs_a_twin_that_was_served() -> None:
    """A server that is down carries nothing either."""
    question = ask(case("nothing-carried-over"), Exchange("fp-1", extra=captured(NEITHER, wire())), Grade.PACKETS)
    assert judge(question, Controls()).outcome is Outcome.PASS
    assert judge(question, Controls("answered 503")).outcome is Outcome.UNOBSERVED
