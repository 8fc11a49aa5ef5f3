"""Judges what a token service answered to a token exchange (RFC 8693)."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.question import note, unobserved, violation, wrong_reason
from harness.checks.transport import CLEAR_TEXT_REFUSALS
from harness.model.script_facts import Exchanged, Introspected
from harness.model.token_script import Aspect, Exchange, ExchangeRefused, Introspect, Issued, NotAnswered
from harness.model.verdict import Finding

_UNAUTHENTICATED = "invalid_client"
_TOKEN_TYPES = "urn:ietf:params:oauth:token-type:"
_READ_OF_A_JWT = frozenset({Aspect.AUDIENCE, Aspect.SUBJECT, Aspect.ACTOR, Aspect.LIFETIME})
# Somebody between us and the token service may have answered, or asked us to wait.
_UNDECIDED = frozenset({429, 502, 503, 504})


def exchanged(name: str, step: Exchange, facts: Exchanged) -> Iterator[Finding]:
    """What is wrong with the answer to *step*."""
    then = step.then
    if isinstance(then, NotAnswered):
        yield from _in_clear_text(name, facts)
    elif facts.status is None:
        yield unobserved("no-answer", f"{name}: no answer ({facts.ended or 'closed'})")
    elif facts.status in _UNDECIDED or 300 <= facts.status < 400:
        yield unobserved("undecided", f"{name}: answered {facts.status}")
    elif isinstance(then, ExchangeRefused):
        yield from _refused(name, then, facts)
    elif not facts.issued:
        yield violation("not-issued", f"{name}: answered {facts.status} {facts.error}".rstrip())
    else:
        yield from _issued(name, step, then, facts)


def _in_clear_text(name: str, facts: Exchanged) -> Iterator[Finding]:
    """A request in clear text; what a server says of TLS itself is no answer of the application."""
    if facts.status is None:
        if facts.ended:
            yield unobserved("no-answer", f"{name}: {facts.ended}")
    elif facts.issued:
        yield violation("issued", f"{name}: a token was issued")
    elif facts.status in CLEAR_TEXT_REFUSALS and not facts.error:
        yield note("refused-in-clear", f"{name}: answered {facts.status}, which is a refusal")
    else:
        yield violation("clear-text", f"{name}: the application answered {facts.status}")


def _refused(name: str, then: ExchangeRefused, facts: Exchanged) -> Iterator[Finding]:
    if facts.issued:
        audience = "" if facts.opaque else f" for {facts.audience or 'nobody'}"
        yield violation("issued", f"{name}: a token{audience} was issued")
    elif (facts.status or 0) >= 500:
        yield violation("server-error", f"{name}: answered {facts.status}")
    elif then.errors and facts.error not in then.errors:
        yield wrong_reason("other-error", f"{name}: the error is {facts.error or 'missing'}, with {facts.status}")
    elif then.errors and facts.status not in ({400, 401} if facts.error == _UNAUTHENTICATED else {400}):
        yield wrong_reason("other-status", f"{name}: answered {facts.status}")
    elif (facts.status or 0) < 400:
        yield violation("accepted", f"{name}: answered {facts.status} without a token")


def _issued(name: str, step: Exchange, then: Issued, facts: Exchanged) -> Iterator[Finding]:
    if Aspect.ANSWER in then.about:
        yield from _answer(name, facts)
    if facts.opaque:
        if then.about & _READ_OF_A_JWT:
            yield unobserved("opaque", f"{name}: the token is not a JWT, so its claims cannot be read")
        return
    yield from _claims(name, step, then, facts)
    if Aspect.LIFETIME in then.about and not 0 < facts.lifetime <= step.lifetime:
        lives = f"has a lifetime of {facts.lifetime} s" if facts.lifetime else "has no exp"
        yield violation("lifetime", f"{name}: the token {lives}, the limit is {step.lifetime} s")


def _claims(name: str, step: Exchange, then: Issued, facts: Exchanged) -> Iterator[Finding]:
    subject = then.subject or facts.presented_subject
    compared = (
        (Aspect.AUDIENCE, "other-audience", "aud", facts.audience, step.audience),
        (Aspect.SUBJECT, "other-subject", "sub", facts.subject, subject),
        (Aspect.ACTOR, "other-actor", "act.sub", facts.actor, then.actor or facts.actor),
        (Aspect.ACTOR, "other-earlier-actor", "act.act.sub", facts.earlier_actor, then.earlier or facts.earlier_actor),
    )
    for aspect, code, claim, found, expected in compared:
        if aspect in then.about and not expected and claim == "sub":
            yield unobserved("unknown-subject", f"{name}: the subject of the exchanged token is not known")
        elif aspect in then.about and found != expected:
            yield violation(code, f"{name}: {claim} is {found or 'missing'}, expected {expected}")
    if Aspect.ACTOR in then.about and not then.actor:
        yield note("actor", f"{name}: act.sub is {facts.actor or 'missing'}; the expected actor is not given")


def _answer(name: str, facts: Exchanged) -> Iterator[Finding]:
    """RFC 6749 section 5.1 and RFC 8693 section 2.2.1."""
    if facts.status != 200:
        yield violation("other-status", f"{name}: a token was issued with status {facts.status}")
    if not facts.issued_token_type.startswith(_TOKEN_TYPES):
        yield violation("no-issued-type", f"{name}: issued_token_type is {facts.issued_token_type or 'missing'}")
    if facts.token_type.lower() != "bearer":
        yield violation("token-type", f"{name}: token_type is {facts.token_type or 'missing'}")
    if "no-store" not in facts.cache_control.lower():
        yield violation("cacheable", f"{name}: Cache-Control is {facts.cache_control or 'missing'}")


def introspected(name: str, step: Introspect, facts: Introspected) -> Iterator[Finding]:
    """What is wrong with the answer to *step*: an inactive token is not described (RFC 7662 section 2.2)."""
    if facts.status is None:
        yield unobserved("no-answer", f"{name}: no answer ({facts.ended or 'closed'})")
    elif step.then is None:
        if facts.status != 401:
            yield violation("introspected", f"{name}: answered {facts.status}")
    elif facts.status != 200 or facts.active is not step.then:
        said = {True: "active", False: "not active", None: "nothing"}[facts.active]
        yield violation("other-state", f"{name}: answered {facts.status}, {said}")
    elif step.then and facts.subject != step.subject:
        yield violation("other-subject", f"{name}: sub is {facts.subject or 'missing'}, expected {step.subject}")
    elif not step.then and facts.subject:
        yield violation("told", f"{name}: sub is disclosed for a token that is not active")
