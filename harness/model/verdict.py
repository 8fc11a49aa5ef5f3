"""Finding and Verdict: what a check found, what the judge made of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.model.vocabulary import Grade, Outcome


class FindingKind(StrEnum):
    """What a finding does to the outcome; the judge maps it."""

    VIOLATION = "violation"
    WRONG_REASON = "wrong-reason"
    UNOBSERVED = "unobserved"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One thing a check saw: ``code`` is stable and machine-readable, ``text`` is for people."""

    kind: FindingKind
    code: str
    text: str


@dataclass(frozen=True)
class Verdict:
    """The outcome of one case with its reason and the grade of its evidence."""

    outcome: Outcome
    code: str
    reason: str
    grade: Grade
    notes: tuple[str, ...] = ()


LET_IN = frozenset({"accepted", "acted-upon", "flow-works", "clear-text", "passed-on", "sent", "bypassed", "started"})
"""Codes of findings that say: what must be kept out got in."""
DISAGREE = frozenset({"not-as-configured", "not-done"})
"""Codes of findings that say: what files configure is not what servers do."""
KEPT_OUT = frozenset({"not-served", "no-answer", "no-effect", "not-sent", "server-untrusted", "refused-to-start"})
"""Codes of findings that say: what must work does not."""
