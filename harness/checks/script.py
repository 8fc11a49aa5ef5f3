"""Judges a script of steps: what the catalogue says must happen at each, against what did."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.exchange import exchanged
from harness.checks.question import Question, note, unobserved, violation, wrong_reason
from harness.model.script import (
    Act,
    Call,
    CutOff,
    Exchange,
    Fetches,
    MustBeRefused,
    MustBeServed,
    Request,
    Slow,
    Step,
    UnderLoad,
)
from harness.model.script_facts import Answered, AnsweredLate, Exchanged, Facts, Fetched, LoadResult
from harness.model.verdict import Finding, FindingKind


def as_scripted(question: Question) -> list[Finding]:
    """Every step must end as its script says; the first that does not explains the verdict."""
    script, observed = question.case.params.script, question.exchange.steps
    if not script or len(script) != len(observed):
        return [unobserved("not-played", f"{len(observed)} of {len(script)} steps were played")]
    notes: list[Finding] = []
    for number, (step, facts) in enumerate(zip(script, observed, strict=True), start=1):
        findings = list(_step(question, f"step {number} ({step})", step, facts))
        if any(finding.kind is not FindingKind.NOTE for finding in findings):
            return notes + findings
        notes += findings
    return notes


def _step(question: Question, name: str, step: Step, facts: Facts) -> Iterator[Finding]:
    """What is wrong with one step.  Facts of another kind than the step's prove nothing."""
    match step, facts:
        case Fetches(), Fetched():
            if facts.fetches != step.number:
                yield violation("fetches", f"{name}: the keys were fetched {facts.fetches} times")
        case UnderLoad(), LoadResult():
            yield from _outage(name, step, facts)
        case Slow(), AnsweredLate():
            yield from _late(question, name, facts)
        case CutOff(), AnsweredLate():
            yield from _cut_off(name, facts)
        case Exchange(), Exchanged():
            yield from exchanged(name, step, facts)
        case ((Request() | Act() | Call()), Answered()):
            yield from _answered(question, name, step.then, facts)
        case ((Fetches() | UnderLoad() | Slow() | CutOff() | Request() | Act() | Call() | Exchange()), _):
            yield unobserved("other-facts", f"{name}: was not observed")


def _answered(question: Question, name: str, then: MustBeServed | MustBeRefused, facts: Answered) -> Iterator[Finding]:
    if isinstance(then, MustBeRefused):
        yield from _refused(question, name, then, facts)
        return
    yield from (not_served := list(_served(question, name, facts)))
    if not not_served and then.presents and facts.certificate != then.presents:
        yield violation(
            "other-certificate", f"{name}: the client presented its {facts.certificate or 'no'} certificate"
        )


def _served(question: Question, name: str, facts: Answered | AnsweredLate) -> Iterator[Finding]:
    if facts.status != question.case.flow.success:
        reason = facts.reason if isinstance(facts, Answered) else ""
        message = reason or facts.ended or "nothing"
        yield violation("not-served", f"{name}: answered {facts.status}; the server says: {message}")
    elif not facts.effect:
        yield violation("no-effect", f"{name}: answered {facts.status}, but not done: {question.case.flow.effect}")


def _refused(question: Question, name: str, then: MustBeRefused, facts: Answered) -> Iterator[Finding]:
    status = facts.status
    if status is not None and status < 400:
        yield violation("accepted", f"{name}: answered {status}")
    elif facts.effect:
        yield wrong_reason("acted-upon", f"{name}: answered {status}, but acted upon")
    elif status is None:
        yield unobserved("no-answer", f"{name}: no answer ({facts.ended or 'closed'})")
    elif status not in question.dialect.token_statuses | {503}:
        # Keys that cannot be had are the server's trouble: 503 is as honest as 401 (RFC 9110 section 15.6.4).
        yield wrong_reason("other-status", f"{name}: answered {status}")
    elif facts.reason not in then.acceptable_reasons:
        expected = " or ".join(then.acceptable_reasons)
        yield wrong_reason("other-reason", f"{name}: the server says {facts.reason or 'nothing'}, expected {expected}")


def _outage(name: str, step: UnderLoad, facts: LoadResult) -> Iterator[Finding]:
    message = f"{facts.served} requests were served and {facts.lost} lost"
    if facts.outage_s is None:
        yield violation("not-back", f"{name}: the server did not serve again; {message}")
    elif facts.outage_s > step.outage_below:
        yield violation("long-outage", f"{name}: an outage of {facts.outage_s} s; {message}")
    elif step.undisturbed and facts.change is None:
        yield unobserved("no-change-seen", f"{name}: nothing was observed of the change itself; {message}")
    elif step.undisturbed and facts.change and facts.change.restarted:
        yield violation("restarted", f"{name}: the server was restarted; {message}")
    elif step.undisturbed and facts.change and (facts.lost or facts.change.forgotten):
        yield violation(
            "disturbed", f"{name}: not restarted, but {facts.change.forgotten} effects are forgotten; {message}"
        )
    else:
        yield note("outage", f"{name}: an outage of {facts.outage_s} s; {message}")


def _late(question: Question, name: str, facts: AnsweredLate) -> Iterator[Finding]:
    """Who has to wait for the keys may be served late, but not before they are there."""
    if facts.early:
        yield violation("acted-upon", f"{name}: acted upon before the keys had arrived")
    elif facts.early is None:
        yield unobserved("not-looked", f"{name}: it was not checked whether the server acted before the keys arrived")
    elif not facts.in_time:
        yield unobserved("too-soon", f"{name}: the server answered {facts.status} without waiting for keys")
    else:
        yield from _served(question, name, facts)


def _cut_off(name: str, facts: AnsweredLate) -> Iterator[Finding]:
    """A client whose token was not verified has not been served: neither an answer nor an effect."""
    if facts.effect:
        yield violation("acted-upon", f"{name}: acted upon before the token was verified")
    elif facts.status is not None and facts.status < 400:
        yield violation("accepted", f"{name}: answered {facts.status}")
    elif not facts.in_time:
        yield unobserved("too-late", f"{name}: the exchange was over before it could be cut off")
