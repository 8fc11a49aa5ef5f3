"""What a server must refuse to start with, and what it has to say then."""

from __future__ import annotations

from harness.checks.question import Question, unobserved, violation, wrong_reason
from harness.model.verdict import Finding

_FIELDS = ("mtlsValidateClient", "jwksUrl")


def start_refused(question: Question) -> list[Finding]:
    """The server must not start, and must name the settings that an operator has to change.

    Reads ``extra["start"]``: ``{"refused": message}`` or ``{"port": number}``.
    """
    start = question.exchange.extra.get("start")
    if not start:
        return [unobserved("not-tried", "the server was not started")]
    message = start.get("refused")
    if message is None:
        return [violation("started", "the server started with both mTLS and JWT off")]
    missing = [name for name in _FIELDS if name not in message]
    if missing:
        return [wrong_reason("unclear-refusal", f"refused to start, but does not name {', '.join(missing)}: {message}")]
    return []
