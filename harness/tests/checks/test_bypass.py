"""What an answer without a credential means, by another way: the protected one, somebody else's, or nobody's."""

from __future__ import annotations

from typing import Any

import pytest

from harness.judge import judge
from harness.model.case import Stimulus
from harness.model.vocabulary import Outcome, Reason
from harness.tests.builders import ask, case, client, exchange, rejecting
from harness.tests.checks.support import CLIENT_ONLY, found, tried, ways

PAGE = "the protected page, of which there is one only"
OTHER = "welcome to another site at the same address"
STRANGE: dict[str, Any] = {"how": "connected as localhost, for the protected host", "judged_elsewhere": False}


def outcome(status: int | None, extra: dict[str, Any], **changes: Any) -> tuple[Outcome, str]:
    facts = exchange(client(status, **changes), effect=None, extra=extra)
    verdict = judge(ask(case("not-let-in", stimulus=Stimulus("no-cert")), facts, CLIENT_ONLY))
    return verdict.outcome, verdict.code


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        (ways(tried("HEAD", 200)), (Outcome.FAIL, "accepted")),
        (ways(tried("HEAD", 403), tried("POST", 204)), (Outcome.FAIL, "accepted")),
        # OPTIONS tells what is possible; only the protected answer is a way in.
        (ways(tried("OPTIONS", 200, PAGE), good=tried(status=200, body=PAGE)), (Outcome.FAIL, "accepted")),
        (ways(tried("OPTIONS", 204, allow=True), good=tried(status=200)), (Outcome.PASS, "as-required")),
        (ways(tried("OPTIONS", 204), good=tried(status=200, body=PAGE)), (Outcome.PASS, "as-required")),
        (ways(tried("OPTIONS", 200), good=tried(status=200)), (Outcome.UNOBSERVED, "options-empty")),
        # What is answered to whatever is asked for is not the protected answer, unless it is that word for word.
        (
            ways(tried(status=200, body=PAGE, aside=tried(status=421), **STRANGE), good=tried(status=200, body=PAGE)),
            (Outcome.FAIL, "accepted"),
        ),
        (
            ways(
                tried(status=200, body=OTHER, aside=tried(status=200, body=OTHER), **STRANGE),
                good=tried(status=200, body=PAGE),
            ),
            (Outcome.PASS, "as-required"),
        ),
        (
            ways(
                tried(status=200, body=PAGE, aside=tried(status=200, body=PAGE), **STRANGE),
                good=tried(status=200, body=PAGE),
            ),
            (Outcome.FAIL, "accepted"),
        ),
        (
            ways(
                tried(status=200, body="ok", aside=tried(status=200, body="ok"), **STRANGE),
                good=tried(status=200, body="ok"),
            ),
            (Outcome.UNOBSERVED, "same-for-all"),
        ),
        # A page that is open on purpose hides none that is not.
        (
            ways(
                tried(status=200, body=OTHER, aside=tried(status=200, body=OTHER), **STRANGE),
                tried(status=200, body=PAGE, aside=tried(status=200, body=OTHER), **STRANGE),
                good=tried(status=200, body=PAGE),
            ),
            (Outcome.FAIL, "accepted"),
        ),
        # A TLS 1.2 session is one of the name it began with.
        (
            ways(
                tried("with a session", 200, "ok", aside=tried(status=200, body="ok"), judged_elsewhere=True),
                good=tried(status=200, body="ok"),
            ),
            (Outcome.PASS, "as-required"),
        ),
    ],
)
def test_served_without_a_credential(extra: dict[str, Any], expected: tuple[Outcome, str]) -> None:
    assert outcome(200, extra) == expected


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 421, 501])
def test_refused(status: int) -> None:
    assert outcome(status, ways(tried(status=status))) == (Outcome.PASS, "as-required")


@pytest.mark.parametrize("status", [409, 415, 422, 500])
def test_what_may_come_from_within_shows_nothing(status: int) -> None:
    assert outcome(status, ways(tried(status=status))) == (Outcome.UNOBSERVED, "from-within")
    assert outcome(403, ways(tried(status=status), tried(status=403))) == (Outcome.UNOBSERVED, "from-within")


def test_nothing_is_shown_by_a_way_that_is_closed_to_all_or_by_silence() -> None:
    assert outcome(None, ways(tried(), closed="the server does not offer TLS 1.2")) == (
        Outcome.UNOBSERVED,
        "way-closed",
    )
    assert outcome(None, ways(tried()), timed_out=True) == (Outcome.UNOBSERVED, "network")
    assert outcome(503, ways(tried(status=503))) == (Outcome.UNOBSERVED, "in-between")


def test_the_server_says_why() -> None:
    question = ask(
        case("not-let-in", stimulus=Stimulus("no-cert")),
        exchange(client(404), rejecting(Reason.NOT_FOUND), effect=False, extra=ways(tried(status=404))),
    )
    assert found(question) == [("wrong-reason", "other-reason")]
    acted = ask(question.case, exchange(client(404), rejecting(Reason.NOT_FOUND), extra=ways(tried(status=404))))
    assert found(acted) == [("violation", "acted-upon")]
