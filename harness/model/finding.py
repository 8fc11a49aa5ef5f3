"""What the judgement of files says: findings, with the place and the remedy.  Standard library only, no I/O."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from harness.model.patch import Patch


class Severity(StrEnum):
    """How much a finding matters: a broken rule or flow, a departure from a default, or something to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: ``object`` is the resource, ``path`` the field in it, ``fix`` what to write instead.

    ``patch`` is the same as a change that can be applied; None where somebody has to decide on the value first.
    """

    requirement: str
    severity: Severity
    file: str
    line: int
    object: str
    path: str
    message: str
    fix: str
    patch: Patch | None = None


@dataclass
class Judgement:
    """Findings, how many objects each requirement was checked on, and why a requirement was not checked.

    ``undecided`` has, by requirement, what is in the files and could not be decided; a requirement in ``not_checked``
    alone is about what the files do not have.
    ``release`` and ``platform`` are what the objects were judged as, ``heading`` says so in words, ``remarks`` are what
    a reader must know of the judgement itself.
    """

    release: str = ""
    platform: str = ""
    heading: str = ""
    findings: list[Finding] = field(default_factory=list)
    checked: Counter[str] = field(default_factory=Counter)
    not_checked: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    undecided: dict[str, list[str]] = field(default_factory=dict)

    def leave_open(self, requirement: str, why: str) -> None:
        """Take note of something that *requirement* is about and that could not be decided."""
        self.undecided.setdefault(requirement, []).append(why)

    def worst(self, severity: Severity) -> int:
        """How many findings are of *severity*."""
        return sum(finding.severity is severity for finding in self.findings)

    def sorted(self) -> list[Finding]:
        """The findings: the serious first, then by place."""
        return sorted(
            self.findings, key=lambda item: (RANK[item.severity], item.file, item.line, item.requirement, item.path)
        )
