"""What a server must refuse to start with, and what it has to say then."""

from __future__ import annotations

import json

from harness.checks.question import Question, unobserved, violation, wrong_reason
from harness.model.verdict import Finding

_FIELDS = ("mtlsValidateClient", "jwksUrl")
# RFC 7518 sections 6.2.2, 6.3.2 and 6.4.
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def start_refused(question: Question) -> list[Finding]:
    """The server must not start, and must name the settings that an operator has to change (``params.names``).

    Reads ``extra["start"]``: ``{"refused": message}`` or ``{"port": number}``.
    """
    start = question.exchange.extra.get("start")
    if not start:
        return [unobserved("not-tried", "the server was not started")]
    message = start.get("refused")
    if message is None:
        return [violation("started", "the server started with a configuration that leaves it unprotected")]
    missing = [name for name in question.case.params.names or _FIELDS if name not in message]
    if missing:
        return [wrong_reason("unclear-refusal", f"refused to start, but does not name {', '.join(missing)}: {message}")]
    return []


def keys_published(question: Question) -> list[Finding]:
    """The answer must be a JWK set (RFC 7517 section 5) of public keys with key ids, and hold nothing private."""
    client = question.client
    if client.fault or client.timed_out:
        return [unobserved("network", client.fault or "no response before the deadline")]
    response = client.response
    if response is None or response.status != question.case.flow.success:
        return [violation("not-served", f"answered {response.status if response else 'nothing'}")]
    try:
        keys = json.loads(response.body)["keys"]
        private = sorted({name for key in keys for name in key if name in _PRIVATE_MEMBERS})
        nameless = [key for key in keys if not key.get("kid") or not key.get("kty")]
    except (ValueError, TypeError, KeyError, AttributeError):
        return [violation("no-key-set", "the response is not a JWK set")]
    if private:
        return [violation("private-key", f"the key set holds private members: {', '.join(private)}")]
    if not keys or nameless:
        return [violation("no-usable-key", "the key set is empty, or a key has no kid or no kty")]
    return []
