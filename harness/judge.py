"""The only place where an outcome is decided: of one case (:func:`judge`) and of a whole run (:func:`conclude`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from harness.checks import CHECKS, Question
from harness.model.claims import Answer, Gap
from harness.model.record import Row, Twin
from harness.model.verdict import Finding, FindingKind, Verdict
from harness.model.vocabulary import BROKEN, INTERRUPTED, Grade, Level, Outcome, Path
from harness.model.words import counted

# Worst first.  A changed stimulus explains an odd reason, so UNOBSERVED goes before WRONG_REASON.
_PRECEDENCE = (
    (FindingKind.VIOLATION, Outcome.FAIL),
    (FindingKind.UNOBSERVED, Outcome.UNOBSERVED),
    (FindingKind.WRONG_REASON, Outcome.WRONG_REASON),
)
# What a served twin lets us blame on the stimulus; without one it may be anything.
_NOT_SERVED = frozenset({"not-served", "no-answer", "server-error"})
DROPPED = "a first connection was closed without an alert or a response; this is the second try"
UNMADE = "cannot be made here: "
_SETTLED = frozenset({Outcome.HARNESS_ERROR})
_NOT_SEEN = frozenset({Outcome.UNOBSERVED, Outcome.UNSUPPORTED})
STRANGERS = frozenset(
    {"tls-no-cert", "ta-unknown-ca", "ta-selfsigned-leaf", "str-no-token", "sig-wrong-key", "alg-none"}
)
"""Classes that need no credential to be made."""


@dataclass(frozen=True)
class Controls:
    """What the positive twin did before and after the cases it vouches for: '' = served, else what went wrong."""

    opening: str = ""
    closing: str = ""

    @property
    def failed(self) -> str:
        """What went wrong, '' if nothing did."""
        parts = (f"{when} {what}" for when, what in (("before:", self.opening), ("after:", self.closing)) if what)
        return "; ".join(parts)

    @property
    def missing(self) -> bool:
        """Whether there was no good credential to try it with."""
        return self.opening.startswith(UNMADE)

    def to_json(self) -> Twin:
        """As it is written in the evidence of a row."""
        return {"opening": self.opening, "closing": self.closing}


def judge(question: Question, controls: Controls | None = None) -> Verdict:
    """The verdict on one exchange.

    *controls* is None where a case has no positive twin.  A rejection without a served twin proves nothing; an
    acceptance of what must be rejected stands by itself.  A check that raises is a fault of the harness.
    """
    verdict = _not_to_be_judged(question) or _checked(question)
    if verdict.outcome in _SETTLED:
        return verdict
    if verdict.outcome is Outcome.PASS and (unseen := question.exchange.extra.get("effect_unseen")):
        text = f"{_seen(question)}, but whether it was acted upon could not be seen: {unseen}"
        return Verdict(Outcome.UNOBSERVED, "effect-unseen", text, question.grade)
    if question.exchange.extra.get("dropped_before"):
        verdict = replace(verdict, notes=(*verdict.notes, DROPPED))
    if let_in := str(question.exchange.extra.get("everybody_let_in", "")):
        verdict = _among_everybody(question, verdict, let_in)
    return _beside_its_twin(question, verdict, controls)


def _not_to_be_judged(question: Question) -> Verdict | None:
    """What ends the matter before a check is asked; None if nothing does."""
    exchange, expected = question.exchange, question.case.expected
    if exchange.lab_fault:
        return Verdict(Outcome.HARNESS_ERROR, "lab", exchange.lab_fault, question.grade)
    if unmade := exchange.extra.get("unmade"):
        return Verdict(Outcome.UNOBSERVED, "not-made", f"{UNMADE}{unmade}", question.grade)
    if expected not in CHECKS:
        return Verdict(Outcome.HARNESS_ERROR, "no-check", f"no check is called {expected!r}", question.grade)
    start = exchange.extra.get("start")
    if start and "refused" in start and not CHECKS[expected].reads_start:
        text = f"the server refused to start: {start['refused'] or 'it does not say why'}"
        return Verdict(Outcome.FAIL, "refused-to-start", text, question.grade)
    return None


def _checked(question: Question) -> Verdict:
    check = CHECKS[question.case.expected]
    try:
        return _weigh(check.function(question), question.grade)
    except Exception as error:  # fail closed: whatever a check trips over, it is neither a pass nor a fail
        text = f"the check {check.name} raised {type(error).__name__}: {error}"
        return Verdict(Outcome.HARNESS_ERROR, "check-raised", text, question.grade)


def _beside_its_twin(question: Question, verdict: Verdict, controls: Controls | None) -> Verdict:
    """*verdict*, or UNOBSERVED where it needs a twin that was not served."""
    refused_too = str(question.exchange.extra.get("twin_refused", ""))
    if not _needs_twin(question, verdict) or not (refused_too or (controls and controls.failed)):
        return verdict
    if refused_too or controls is None:
        return Verdict(Outcome.UNOBSERVED, "twin-refused", f"{_seen(question)}, but {refused_too}", question.grade)
    if controls.missing:
        no_good = f"no good credential was available to show that the server serves any client ({controls.opening})"
        text = f"{_seen(question)}, but {no_good}"
        return Verdict(Outcome.UNOBSERVED, "no-twin", text, question.grade, verdict.notes)
    text = f"its positive twin was not served, so the rejection proves nothing ({controls.failed})"
    return Verdict(Outcome.UNOBSERVED, "control-failed", text, question.grade, verdict.notes)


def _among_everybody(question: Question, verdict: Verdict, let_in: str) -> Verdict:
    """Where any client is served, clients without a credential and strangers are the finding; the rest adds nothing."""
    about_credentials = CHECKS[question.case.expected].about_credentials
    accepted = verdict.outcome is Outcome.FAIL and verdict.code == "accepted"
    if not about_credentials or not (accepted or verdict.outcome is Outcome.PASS):
        return verdict
    if accepted and set(question.case.stimulus.id.split("+")) <= STRANGERS:
        return replace(verdict, reason=f"{verdict.reason}; every client is let in: {let_in}")
    text = f"{_seen(question)}, which proves nothing: every client is let in ({let_in})"
    return Verdict(Outcome.UNOBSERVED, "everybody-let-in", text, question.grade, verdict.notes)


def _needs_twin(question: Question, verdict: Verdict) -> bool:
    if verdict.outcome in (Outcome.PASS, Outcome.WRONG_REASON):
        return CHECKS[question.case.expected].needs_twin
    # In our own lab a server that serves no client is at fault; elsewhere it may be down, or we may be shut out.
    return not question.both_sides and verdict.outcome is Outcome.FAIL and verdict.code in _NOT_SERVED


def _seen(question: Question) -> str:
    client = question.exchange.client
    if client is None:
        return "nothing was sent"
    if client.response is not None:
        return f"answered {client.response.status}"
    return f"refused with the TLS alert {client.alert}" if client.alert else "not answered"


def _weigh(findings: Iterable[Finding], grade: Grade) -> Verdict:
    found = tuple(findings)
    notes = tuple(finding.text for finding in found if finding.kind is FindingKind.NOTE)
    for kind, outcome in _PRECEDENCE:
        for finding in found:
            if finding.kind is kind:
                return Verdict(outcome, finding.code, finding.text, grade, notes)
    return Verdict(Outcome.PASS, "as-required", "as required", grade, notes)


@dataclass(frozen=True)
class Conclusion:
    """What a whole run says: the answer, its exit status, and what makes it untrustworthy."""

    answer: Answer
    status: int
    trouble: tuple[str, ...] = ()


def conclude(
    rows: Iterable[Row],
    planned: Iterable[str],
    *,
    own_lab: bool,
    gaps: Collection[Gap] = (),
    expected_known: bool = False,
    trouble: Iterable[str] = (),
) -> Conclusion:
    """The answer of a run from its rows, and the exit status (contract): untrustworthy is 3, before broken 1.

    What is not shown of a target's claims (*gaps*) makes 3 of what would be 0, never of 1: what is broken is proven.
    With *expected_known* (a file that names every row which does not pass) any other makes it 1.
    *trouble* is what makes the run untrustworthy besides.
    """
    rows = list(rows)
    if untrusted := (*trouble, *_untrusted(rows, set(planned), own_lab)):
        return Conclusion(Answer.UNTRUSTWORTHY, 3, untrusted)
    broken = [row for row in rows if row["level"] == Level.MUST and row["outcome"] in BROKEN]
    if any(not row["as_expected"] for row in broken):
        return Conclusion(Answer.DOES_NOT_CONFORM, 1)
    surprising = [row for row in rows if expected_known and not row["as_expected"]]
    if surprising and not (gaps and all(row["outcome"] in _NOT_SEEN for row in surprising)):
        return Conclusion(Answer.NOT_AS_EXPECTED, 1)
    if gaps:
        return Conclusion(Answer.NOT_SHOWN, 3)
    return Conclusion(Answer.DOES_NOT_CONFORM if broken else Answer.CONFORMS, 0)


def _untrusted(rows: list[Row], planned: set[str], own_lab: bool) -> list[str]:
    texts = []
    judged = Counter(row["case"] for row in rows)
    missing = planned - set(judged)
    if strangers := {case for case in judged if case not in planned or judged[case] > 1}:
        texts.append(f"an unplanned or duplicate row of {counted(len(strangers), 'case')}, such as {min(strangers)}")
    if not rows:
        texts.append("no case was run")
    if missing:
        texts.append(f"no row of {counted(len(missing), 'planned case')}, such as {min(missing)}")
    # That a run was interrupted is said once, by the run.
    errors = [row for row in rows if row["outcome"] == Outcome.HARNESS_ERROR and row["reason"] != INTERRUPTED]
    texts += _sum_up(errors, "ended in HARNESS_ERROR")
    unproven = [row for row in rows if row["outcome"] == Outcome.UNOBSERVED and not _explained(row, rows)]
    controls = [row for row in unproven if row["reason_code"] == "control-failed"]
    texts += _sum_up(controls, "had a control that failed")
    if own_lab:
        unseen = [row for row in unproven if row["level"] == Level.MUST and row not in controls]
        texts += _sum_up(unseen, "of a MUST ended in UNOBSERVED")
        claimed = [row for row in rows if row["level"] == Level.MUST and row["outcome"] == Outcome.UNSUPPORTED]
        texts += _sum_up(claimed, "of a MUST ended in UNSUPPORTED, which a MUST cannot")
    return texts


def _explained(row: Row, rows: list[Row]) -> bool:
    """An unseen effect needs no explanation where the same flow fails in the same posture or over the same balancer."""
    broken = (other for other in rows if other["outcome"] in BROKEN and other["level"] == Level.MUST)
    return any(other["flow"] == row["flow"] and _beside(row, other) for other in broken)


def _beside(row: Row, other: Row) -> bool:
    balanced = row["path"] != Path.DIRECT and row["path"] == other["path"]
    return balanced or row["posture"] == other["posture"]


def _sum_up(rows: list[Row], what: str) -> list[str]:
    return [f"{counted(len(rows), 'case')} {what}, such as {rows[0]['case']}: {rows[0]['reason']}"] if rows else []
