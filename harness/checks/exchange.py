"""Judges what a token service answered to a token exchange (RFC 8693)."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.question import unobserved, violation, wrong_reason
from harness.model.script import Exchange, ExchangeRefused
from harness.model.script_facts import Exchanged
from harness.model.verdict import Finding

_UNAUTHENTICATED = "invalid_client"


def exchanged(name: str, step: Exchange, facts: Exchanged) -> Iterator[Finding]:
    """What is wrong with the answer to *step*."""
    if facts.status is None:
        yield unobserved("no-answer", f"{name}: no answer ({facts.ended or 'closed'})")
    elif isinstance(step.then, ExchangeRefused):
        yield from _refused(name, step.then, facts)
    elif not facts.issued:
        yield violation("not-issued", f"{name}: answered {facts.status} {facts.error}")
    else:
        yield from _issued(name, step, facts)


def _refused(name: str, then: ExchangeRefused, facts: Exchanged) -> Iterator[Finding]:
    if facts.issued:
        yield violation("issued", f"{name}: a token for {facts.audience or 'nobody'} was issued")
    elif facts.error not in then.errors:
        yield wrong_reason("other-error", f"{name}: the error is {facts.error or 'missing'}, with {facts.status}")
    elif facts.status not in ({400, 401} if facts.error == _UNAUTHENTICATED else {400}):
        yield wrong_reason("other-status", f"{name}: answered {facts.status}")


def _issued(name: str, step: Exchange, facts: Exchanged) -> Iterator[Finding]:
    then = step.then
    assert not isinstance(then, ExchangeRefused)
    compared = (
        ("other-audience", "aud", facts.audience, step.audience),
        ("other-subject", "sub", facts.subject, then.subject),
        ("other-actor", "act.sub", facts.actor, then.actor),
    )
    for code, claim, found, expected in compared:
        if found != expected:
            yield violation(code, f"{name}: {claim} is {found or 'missing'}, expected {expected}")
    if not 0 < facts.lifetime <= step.lifetime:
        yield violation("lifetime", f"{name}: the token lives {facts.lifetime} s, the limit is {step.lifetime} s")
    if facts.status != 200:
        yield violation("other-status", f"{name}: a token was issued with status {facts.status}")
    if not facts.issued_token_type.startswith("urn:ietf:params:oauth:token-type:"):
        yield violation("no-issued-type", f"{name}: issued_token_type is {facts.issued_token_type or 'missing'}")
    if facts.token_type.lower() != "bearer":
        yield violation("token-type", f"{name}: token_type is {facts.token_type or 'missing'}")
    if "no-store" not in facts.cache_control:
        yield violation("cacheable", f"{name}: Cache-Control is {facts.cache_control or 'missing'}")
