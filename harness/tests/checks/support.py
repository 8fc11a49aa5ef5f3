"""How a table of deviations reads: a change to a conforming question, and what a check must find then."""

from __future__ import annotations

from typing import Any

from harness.checks import CHECKS, Question
from harness.model.exchange import Exchange
from harness.model.vocabulary import Grade
from harness.tests import builders

Found = list[tuple[str, str]]
CLIENT_ONLY = Grade.CLIENT_ONLY


def found(question: Question) -> Found:
    """Kind and code of everything the question's check finds."""
    findings = CHECKS[question.case.expected].function(question)
    assert all(item.text for item in findings)
    return [(str(item.kind), item.code) for item in findings]


def tried(how: str = "HEAD", status: int | None = None, body: str = "", **facts: Any) -> dict[str, Any]:
    """What came of one try of another way."""
    message = {"how": how, "status": status, "served": status is not None and status < 300, "allow": False}
    return {**message, "body_sha256": body, "body_characters": len(body), **facts}


def ways(*tries: dict[str, Any], closed: str = "", **beside: dict[str, Any]) -> dict[str, Any]:
    """The tries of a case, as its exchange carries them."""
    return {"ways": {"tries": list(tries), "closed": closed, **beside}}


def served(facts: Exchange | None = None, grade: Grade = Grade.BOTH_SIDES, **case: Any) -> Question:
    """The question about a request that was served directly, unless *facts* say otherwise."""
    facts = facts or builders.exchange(server_view=builders.server(builders.request()))
    return builders.ask(builders.case("served", **case), facts, grade)
