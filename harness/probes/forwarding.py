"""A request that the server under test passes on, and what arrives at the servers that it calls."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from harness.errors import LabError
from harness.lab import Lab, SeesUpstreams
from harness.model.case import Setup
from harness.model.exchange import ClientView, ServerView
from harness.model.script_facts import Forwarded
from harness.model.token_script import Arrives, Forward


def forwarded(
    lab: Lab, setup: Setup, step: Forward, sent: ClientView, seen: ServerView | None, nonce: str, since: float
) -> tuple[Forwarded, ServerView | None]:
    """What came of *step*, and what the server saw where it arrived.

    *sent* is the client's view, *seen* that of the server in *setup*.
    """
    if not isinstance(lab, SeesUpstreams):
        raise LabError(f"only our own labs can play the step {step}")
    upstreams = lab.upstreams(setup)
    effects = lab.effects([upstreams[name] for name in (step.at, *step.unasked)])
    reached = [upstream.server for upstream, names in effects.items() if nonce in names]
    status = sent.response.status if sent.response else None
    reason = seen.rejected or next((item.reason for item in seen.requests), "") if seen else ""
    facts = Forwarded(status, sent.alert or sent.fault, reason, step.at in reached, ", ".join(reached))
    if isinstance(step.then, Arrives) and facts.effect:
        return facts, lab.arrived(upstreams[step.at], nonce, since)
    return facts, None


def with_token(facts: Forwarded, view: ServerView, sent: str, nonce: str) -> Forwarded:
    """*facts* with what the token says with which the request *nonce* arrived in *view*; *sent* is the client's."""
    found = next((request.token for request in view.requests if request.nonce == nonce), None)
    if found is None:
        return replace(facts, arrived=True)
    claims: Mapping[str, object] = found.claims or {}
    actor = claims.get("act")
    return replace(
        facts,
        arrived=True,
        same_token=found.sha256 == hashlib.sha256(sent.encode()).hexdigest(),
        issuer=str(claims.get("iss", "")),
        audience=str(claims.get("aud", "")),
        subject=str(claims.get("sub", "")),
        actor=str(actor.get("sub", "")) if isinstance(actor, dict) else "",
    )
