"""Result -> row: the one form in which a verdict is written, read again, counted and shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from harness.catalogue.combinations import modes_in_words
from harness.decode.redaction import redact
from harness.model.case import Case
from harness.model.catalogue import Requirement
from harness.model.exchange import Exchange
from harness.model.record import Row, Twin
from harness.model.verdict import DISAGREE, KEPT_OUT, LET_IN, Verdict
from harness.model.vocabulary import BROKEN, Grade, Outcome


def row(case: Case, exchange: Exchange, verdict: Verdict, controls: Twin | None, ms: float) -> Row:
    """The row of one case.  Whatever a target said passes through redaction before it gets here."""
    requirement = case.requirement
    evidence = exchange.to_json()
    if exchange.steps and len(exchange.steps) == len(case.params.script):
        played = zip(case.params.script, exchange.steps, strict=True)
        evidence["extra"]["steps"] = [{"step": str(step), **facts.to_json()} for step, facts in played]
    if controls is not None:
        evidence["twin"] = controls
    if verdict.notes:
        evidence["notes"] = list(verdict.notes)
    return {
        "kind": "row",
        "case": case.id,
        "requirement": requirement.id,
        "level": str(requirement.level),
        "basis": str(requirement.basis),
        "source": str(requirement.source),
        "flow": case.flow.name,
        "posture": str(case.posture),
        "modes": modes_in_words(case.flow),
        "path": str(case.path),
        "stimulus": case.stimulus.id,
        "expected": case.expected,
        "outcome": str(verdict.outcome),
        "as_expected": verdict.outcome is Outcome.PASS,
        "known": None,
        "reason": redact(verdict.reason),
        "reason_code": verdict.code,
        "finding": _finding(requirement, verdict),
        "grade": str(verdict.grade),
        "evidence": _redacted(evidence),
        "ms": ms,
    }


def _finding(requirement: Requirement, verdict: Verdict) -> str:
    """What is broken, as a heading without a full stop, or ''.  Rows with the same one have the same cause."""
    if verdict.outcome not in BROKEN:
        return ""
    rule = requirement.text.rstrip(".")
    if verdict.code in LET_IN | DISAGREE:
        return requirement.finding or f"Not met: {rule}"
    if verdict.code in KEPT_OUT:
        return f"Something that must work does not: {rule}"
    if verdict.code == "server-error":
        return f"The server fails on a request that it must refuse: {rule}"
    what = "Refused, but not in the required way" if verdict.outcome is Outcome.WRONG_REASON else "Not met"
    return f"{what}: {rule}"


def _redacted(value: Any) -> Any:
    """*value* with every string in it redacted, however deep: a token can turn up anywhere in what a target says."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redacted(item) for key, item in value.items()}
    return [_redacted(item) for item in value] if isinstance(value, list | tuple) else value


def missing_row(case: Case, grade: Grade, why: str, not_judged: str = "") -> Row:
    """The row of a planned case that never ran; *not_judged* says that this was the target's own doing."""
    if not_judged:
        return row(case, Exchange(""), Verdict(Outcome.UNOBSERVED, "not-judged", not_judged, grade), None, 0.0)
    return row(case, Exchange("", lab_fault=why), Verdict(Outcome.HARNESS_ERROR, "not-run", why, grade), None, 0.0)


def outcomes(rows: Iterable[Row]) -> dict[str, int]:
    """How many rows ended in which outcome; every outcome is named, so that a zero can be seen."""
    counted = Counter(str(item["outcome"]) for item in rows)
    return {str(outcome): counted[str(outcome)] for outcome in Outcome}


def canonical(rows: Iterable[Row]) -> list[tuple[str, ...]]:
    """What two runs with one seed must agree on: sorted case, requirement, expected, outcome, reason code."""
    return sorted(
        (item["case"], item["requirement"], item["expected"], item["outcome"], item["reason_code"]) for item in rows
    )
