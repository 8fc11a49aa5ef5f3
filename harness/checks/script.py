"""Judges a script of steps: what the catalogue says must happen at each, against what did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.checks.question import Question, note, unobserved, violation, wrong_reason
from harness.model.verdict import Finding, FindingKind


def as_scripted(question: Question) -> list[Finding]:
    """Every step must end as its script says; the first that does not explains the verdict.

    Reads ``params["steps"]`` (the script) and ``extra["steps"]``: per step ``{"status", "reason", "effect", "ended"}``
    for a request (with ``{"early", "in_time"}`` for a slow one), ``{"fetches"}`` for a count of the server's key
    fetches, ``{"served", "lost", "outage_s"}`` for what was done under load (``outage_s`` None: not served again), with
    ``{"restarted", "forgotten"}`` for a moved jwksUrl.
    """
    script, observed = question.case.params.get("steps", ()), question.exchange.extra.get("steps", ())
    if not script or len(script) != len(observed):
        return [unobserved("not-played", f"{len(observed)} of {len(script)} steps were played")]
    notes: list[Finding] = []
    for number, (step, facts) in enumerate(zip(script, observed, strict=True), start=1):
        findings = list(_step(question, f"step {number} ({_words(step)})", step, facts))
        if any(finding.kind is not FindingKind.NOTE for finding in findings):
            return notes + findings
        notes += findings
    return notes


def _words(step: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in step.items())


def _step(question: Question, name: str, step: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[Finding]:
    if "fetches" in step:
        if facts["fetches"] != step["fetches"]:
            yield violation("fetches", f"{name}: the keys were fetched {facts['fetches']} times")
    elif "under_load" in step:
        yield from _outage(name, step, facts)
    elif "slow" in step:
        yield from _late(question, name, step, facts)
    elif step.get("then") == "cut-off":
        yield from _cut_off(name, facts)
    elif step.get("then") == "served":
        yield from _served(question, name, step, facts)
    elif step.get("then") == "refused":
        yield from _refused(question, name, step, facts)
    elif "request" in step or "act" in step:
        yield unobserved("no-expectation", f"{name}: the script does not say what must happen")


def _served(question: Question, name: str, step: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[Finding]:
    if facts["status"] != question.case.flow.success:
        message = facts["reason"] or facts["ended"] or "nothing"
        yield violation("not-served", f"{name}: answered {facts['status']}; the server says: {message}")
    elif not facts["effect"]:
        yield violation("no-effect", f"{name}: answered {facts['status']}, but not done: {question.case.flow.effect}")
    elif step.get("presents", facts.get("certificate")) != facts.get("certificate"):
        yield violation(
            "other-certificate", f"{name}: the client presented its {facts['certificate'] or 'no'} certificate"
        )


def _refused(question: Question, name: str, step: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[Finding]:
    status = facts["status"]
    if status is not None and status < 400:
        yield violation("accepted", f"{name}: answered {status}")
    elif facts["effect"]:
        yield wrong_reason("acted-upon", f"{name}: answered {status}, but acted upon")
    elif status is None:
        yield unobserved("no-answer", f"{name}: no answer ({facts['ended'] or 'closed'})")
    elif status not in question.dialect.token_statuses | {503}:
        # Keys that cannot be had are the server's trouble: 503 is as honest as 401 (RFC 9110 section 15.6.4).
        yield wrong_reason("other-status", f"{name}: answered {status}")
    elif facts["reason"] not in step["acceptable_reasons"]:
        yield wrong_reason(
            "other-reason", f"{name}: the server says {facts['reason']}, expected {step['acceptable_reasons']}"
        )


def _outage(name: str, step: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[Finding]:
    message = f"{facts['served']} requests were served and {facts['lost']} lost"
    if facts["outage_s"] is None:
        yield violation("not-back", f"{name}: the server did not serve again; {message}")
    elif facts["outage_s"] > step["outage_below"]:
        yield violation("long-outage", f"{name}: an outage of {facts['outage_s']} s; {message}")
    elif step.get("restarts") is False and facts["restarted"]:
        yield violation("restarted", f"{name}: the server was restarted; {message}")
    elif step.get("restarts") is False and (facts["lost"] or facts["forgotten"]):
        yield violation(
            "disturbed", f"{name}: not restarted, but {facts['forgotten']} effects are forgotten; {message}"
        )
    else:
        yield note("outage", f"{name}: an outage of {facts['outage_s']} s; {message}")


def _late(question: Question, name: str, step: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[Finding]:
    """Who has to wait for the keys may be served late, but not before they are there."""
    if facts["early"]:
        yield violation("acted-upon", f"{name}: acted upon before the keys had arrived")
    elif not facts["in_time"]:
        yield unobserved("too-soon", f"{name}: the server answered {facts['status']} without waiting for keys")
    else:
        yield from _served(question, name, step, facts)


def _cut_off(name: str, facts: Mapping[str, Any]) -> Iterator[Finding]:
    """Whoever had no token verified for it has not been served: neither an answer nor an effect."""
    if facts["effect"]:
        yield violation("acted-upon", f"{name}: acted upon before the token was verified")
    elif facts["status"] is not None and facts["status"] < 400:
        yield violation("accepted", f"{name}: answered {facts['status']}")
    elif not facts["in_time"]:
        yield unobserved("too-late", f"{name}: the exchange was over before it could be cut off")
