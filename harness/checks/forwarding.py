"""Judges what an identity provider answered, and what arrived of a request that a server passed on."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.question import unobserved, violation
from harness.model.script_facts import Forwarded, Obtained
from harness.model.token_script import Arrives, Forward, Obtain, Revoke
from harness.model.verdict import Finding


def obtained(name: str, step: Obtain | Revoke, facts: Obtained) -> Iterator[Finding]:
    """Without the token nothing can be asked of the server under test: that is no mistake of it."""
    if facts.status != 200 or (isinstance(step, Obtain) and not facts.issued):
        yield unobserved("not-obtained", f"{name}: answered {facts.status} {facts.error or facts.ended}".rstrip())


def nothing_reached(name: str, step: Forward, facts: Forwarded) -> Iterator[Finding]:
    """Nobody behind the server may hear of a request that it refuses."""
    if facts.reached:
        yield violation("reached", f"{name}: answered {facts.status}, and {facts.reached} heard of it")


def arrived(name: str, step: Forward, then: Arrives, facts: Forwarded, success: int) -> Iterator[Finding]:
    """What is wrong with what arrived behind the server."""
    if facts.status != success:
        said = facts.reason or facts.ended or "nothing"
        yield violation("not-served", f"{name}: answered {facts.status}; the server says: {said}")
    elif not facts.effect:
        yield violation("not-forwarded", f"{name}: answered {facts.status}, but {step.at} has acted upon nothing")
    elif not facts.arrived:
        yield unobserved("not-seen", f"{name}: {step.at} reported no such connection")
    elif facts.same_token:
        yield violation("own-token", f"{name}: the token that the client sent arrived at {step.at}")
    else:
        yield from _says(name, then, facts)


def _says(name: str, then: Arrives, facts: Forwarded) -> Iterator[Finding]:
    compared = (
        ("iss", facts.issuer, then.issuer),
        ("aud", facts.audience, then.audience),
        ("sub", facts.subject, then.subject),
        ("act.sub", facts.actor, then.actor),
    )
    for claim, found, expected in compared:
        if found != expected:
            yield violation("other-token", f"{name}: {claim} is {found or 'missing'}, expected {expected}")
