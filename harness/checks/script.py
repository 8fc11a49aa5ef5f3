"""Judges a script of steps: what the catalogue says must happen at each, against what did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.checks.exchange import exchanged, introspected
from harness.checks.forwarding import arrived, nothing_reached, obtained
from harness.checks.question import Question, note, unobserved, violation, wrong_reason
from harness.model.expectation import MustBeRefused, MustBeServed
from harness.model.script import (
    Act,
    CutOff,
    Fetches,
    Request,
    Slow,
    Step,
    UnderLoad,
)
from harness.model.script_facts import (
    Answered,
    AnsweredLate,
    EvidenceSeen,
    Exchanged,
    Facts,
    Fetched,
    Forwarded,
    Introspected,
    LoadResult,
    Obtained,
)
from harness.model.token_script import (
    Call,
    Evidence,
    Exchange,
    ExchangeRefused,
    Forward,
    Introspect,
    Kept,
    NotAnswered,
    Obtain,
    Revoke,
)
from harness.model.verdict import Finding, FindingKind

_WORST = (FindingKind.VIOLATION, FindingKind.UNOBSERVED, FindingKind.WRONG_REASON, FindingKind.NOTE)
# What a proxy may have answered in the server's place.
_PROXYS_OWN = frozenset({429, 502, 503, 504})
# A good token with another audience may be answered 403 too.
_NOT_ALLOWED = frozenset({403})


# Steps of which something is observed; facts of another kind than theirs prove nothing.
_OBSERVED = (
    *(Fetches, UnderLoad, Slow, CutOff, Request, Act),
    *(Call, Exchange, Evidence, Introspect, Obtain, Revoke, Forward),
)


def as_scripted(question: Question) -> list[Finding]:
    """Every step must end as its script says; the first that does not explains the verdict.

    What must be refused changes nothing for the steps after it, so those are looked at as well.
    """
    script, observed = question.case.params.script, question.exchange.steps
    if not script or len(script) != len(observed):
        return [unobserved("not-played", f"{len(observed)} of {len(script)} steps were executed")]
    notes: list[Finding] = []
    found: list[Finding] = []
    for number, (step, facts) in enumerate(zip(script, observed, strict=True), start=1):
        findings = list(_step(question, f"step {number} ({step})", step, facts))
        if any(finding.kind is not FindingKind.NOTE for finding in findings):
            found += findings
            if not _stands_alone(step, facts):
                break
        else:
            notes += findings
    if len(found) > 1:
        worst = min(found, key=lambda finding: _WORST.index(finding.kind))
        others = "; ".join(finding.text for finding in found if finding is not worst)
        found = [replace(worst, text=f"{worst.text}; also {others}")]
    return [*notes, *found]


def _stands_alone(step: Step, facts: Facts) -> bool:
    """Whether what came of *step* leaves the next ones as they are: a refusal, or a token in spite of an odd answer."""
    if isinstance(step, Exchange) and isinstance(facts, Exchanged):
        return facts.issued or isinstance(step.then, ExchangeRefused | NotAnswered)
    if isinstance(step, Call | Forward):
        return isinstance(step.then, MustBeRefused)
    return isinstance(step, Evidence | Introspect)


def _step(question: Question, name: str, step: Step, facts: Facts) -> Iterator[Finding]:
    """What is wrong with one step.  Facts of another kind than the step's prove nothing."""
    match step, facts:
        case Fetches(), Fetched():
            yield from _fetches(name, step, facts)
        case UnderLoad(), LoadResult():
            yield from _outage(name, step, facts)
        case Slow(), AnsweredLate():
            yield from _late(question, name, facts)
        case CutOff(), AnsweredLate():
            yield from _cut_off(name, facts)
        case ((Request() | Act()), Answered()):
            yield from _answered(question, name, step.then, facts)
        case _:
            yield from _token_step(question, name, step, facts)


def _token_step(question: Question, name: str, step: Step, facts: Facts) -> Iterator[Finding]:
    """What is wrong with one step in which tokens are exchanged, presented or looked at."""
    match step, facts:
        case Exchange(), Exchanged():
            yield from exchanged(name, step, facts)
        case Evidence(), EvidenceSeen():
            yield from _evidence(name, step, facts)
        case Introspect(), Introspected():
            yield from introspected(name, step, facts)
        case Call(), Answered():
            yield from _called(question, name, step, facts)
        case ((Obtain() | Revoke()), Obtained()):
            yield from obtained(name, step, facts)
        case Forward(), Forwarded():
            yield from _forwarded(question, name, step, facts)
        case _ if isinstance(step, _OBSERVED):
            yield unobserved("other-facts", f"{name}: was not observed")


def _forwarded(question: Question, name: str, step: Forward, facts: Forwarded) -> Iterator[Finding]:
    if isinstance(step.then, MustBeRefused):
        answered = Answered(facts.status, facts.ended, facts.reason, facts.effect)
        yield from (refusal := list(_refused(question, name, step.then, answered)))
        if not any(finding.kind is FindingKind.VIOLATION for finding in refusal):
            yield from nothing_reached(name, step, facts)
        return
    yield from arrived(name, step, step.then, facts, question.case.flow.success)


def _fetches(name: str, step: Fetches, facts: Fetched) -> Iterator[Finding]:
    if facts.fetches != step.number:
        yield violation("fetches", f"{name}: the keys were fetched {facts.fetches} times")


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
    undecided = not question.both_sides and (facts.status is None or facts.status in _PROXYS_OWN)
    if undecided:
        yield unobserved("undecided", f"{name}: {_ending(facts)}")
    elif facts.status != question.case.flow.success or _marked(facts):
        reason = facts.reason if isinstance(facts, Answered) else ""
        reported = f"; the server reports: {reason or facts.ended or 'nothing'}" if question.both_sides else ""
        yield violation("not-served", f"{name}: answered {facts.status}{reported}")
    elif facts.effect is False or (facts.effect is None and question.both_sides):
        yield violation("no-effect", f"{name}: answered {facts.status}, but not done: {question.case.flow.effect}")


def _refused(question: Question, name: str, then: MustBeRefused, facts: Answered) -> Iterator[Finding]:
    status = facts.status
    served = status is not None and (status < 300 if not question.both_sides else status < 400)
    if served and not facts.marked:
        yield violation("accepted", f"{name}: answered {status}")
    elif facts.effect:
        yield wrong_reason("acted-upon", f"{name}: answered {status}, but acted upon")
    elif status is None:
        yield unobserved("no-answer", f"{name}: no answer ({facts.ended or 'closed'})")
    elif not question.both_sides:
        yield from _refused_elsewhere(question, name, facts, status)
    elif status not in question.dialect.token_statuses | {503}:
        # Keys that cannot be had are the server's trouble: 503 is as honest as 401 (RFC 9110 section 15.6.4).
        yield wrong_reason("other-status", f"{name}: answered {status}")
    elif facts.reason not in then.acceptable_reasons:
        expected = " or ".join(then.acceptable_reasons)
        yield wrong_reason(
            "other-reason", f"{name}: the server reports {facts.reason or 'nothing'}, expected {expected}"
        )


def _refused_elsewhere(question: Question, name: str, facts: Answered, status: int) -> Iterator[Finding]:
    """The answer of a server that is not ours, which does not say why: one of a proxy's own decides nothing."""
    if facts.marked:
        return
    if status in _PROXYS_OWN or status < 400:
        yield unobserved("undecided", f"{name}: answered {status}")
    elif status >= 500:
        yield violation("server-error", f"{name}: answered {status}")
    elif status not in question.dialect.token_statuses | _NOT_ALLOWED:
        yield wrong_reason("other-status", f"{name}: answered {status}")


def _called(question: Question, name: str, step: Call, facts: Answered) -> Iterator[Finding]:
    yield from _answered(question, name, step.then, facts)
    if step.sealed and facts.read_on_the_way == "claims":
        yield violation("readable", f"{name}: the token could be read in transit")


def _evidence(name: str, step: Evidence, facts: EvidenceSeen) -> Iterator[Finding]:
    """Evidence is the very token that was sent: only then can anybody else verify who has signed it."""
    if facts.status is None:
        yield unobserved("no-answer", f"{name}: no answer ({facts.ended or 'closed'})")
    elif facts.status != 200:
        yield violation("no-evidence", f"{name}: answered {facts.status}")
    elif facts.same is False:
        yield violation("other-evidence", f"{name}: the stored evidence is not the token that was sent")
    elif facts.signed is not (step.then is Kept.SIGNED):
        found = {True: "signed", False: "not signed", None: "nothing"}[facts.signed]
        yield violation("evidence", f"{name}: the verdict on the evidence is {found}")


def _marked(facts: Answered | AnsweredLate) -> bool:
    """Whether the answer is marked as a refusal, whatever its status."""
    return isinstance(facts, Answered) and facts.marked


def _ending(facts: Answered | AnsweredLate) -> str:
    return f"no answer ({facts.ended or 'closed'})" if facts.status is None else f"answered {facts.status}"


def _outage(name: str, step: UnderLoad, facts: LoadResult) -> Iterator[Finding]:
    message = f"{facts.served} requests were served and {facts.lost} lost"
    if facts.outage_s is None:
        yield violation("not-back", f"{name}: the server did not recover; {message}")
    elif facts.outage_s > step.outage_below:
        yield violation("long-outage", f"{name}: an outage of {facts.outage_s} s; {message}")
    elif step.undisturbed and facts.change is None:
        yield unobserved("no-change-seen", f"{name}: the change itself was not observed; {message}")
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
        yield unobserved("not-looked", f"{name}: whether the server acted before the keys arrived was not checked")
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
        yield unobserved("too-late", f"{name}: the exchange ended before it could be interrupted")
