"""Judges a script of steps: what the catalogue says must happen at each, against what did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.checks.question import Question, unobserved, violation, wrong_reason
from harness.model.verdict import Finding


def as_scripted(question: Question) -> list[Finding]:
    """Every step must end as its script says; the first that does not explains the verdict.

    Reads ``params["steps"]`` (the script) and ``extra["steps"]``: per step ``{"status", "reason", "effect", "ended"}``
    for a request, ``{"fetches"}`` for a count of the server's key fetches.
    """
    script, seen = question.case.params.get("steps", ()), question.exchange.extra.get("steps", ())
    if not script or len(script) != len(seen):
        return [unobserved("not-played", f"{len(seen)} of {len(script)} steps were played")]
    for number, (step, facts) in enumerate(zip(script, seen, strict=True), start=1):
        findings = list(_step(question, f"step {number} ({_words(step)})", step, facts))
        if findings:
            return findings
    return []


def _words(step: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in step.items())


def _step(question: Question, name: str, step: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[Finding]:
    if "fetches" in step:
        if facts["fetches"] != step["fetches"]:
            yield violation("fetches", f"{name}: the keys were fetched {facts['fetches']} times")
    elif step.get("then") == "served":
        yield from _served(question, name, step, facts)
    elif step.get("then") == "refused":
        yield from _refused(question, name, step, facts)
    elif "request" in step or "act" in step:
        yield unobserved("no-expectation", f"{name}: the script does not say what must happen")


def _served(question: Question, name: str, step: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[Finding]:
    if facts["status"] != question.case.flow.success:
        told = facts["reason"] or facts["ended"] or "nothing"
        yield violation("not-served", f"{name}: answered {facts['status']}; the server says: {told}")
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
    elif facts["reason"] not in step["because"]:
        yield wrong_reason("other-reason", f"{name}: the server says {facts['reason']}, expected {step['because']}")
