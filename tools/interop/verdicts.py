"""What the right verdict on a server is, and how a run of ours differs from it.  Pure: tables and records to words."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

MOST_UNOBSERVED = 3
"""What a right server may leave unobserved when every credential is at hand."""
MOST_SECONDS = 100.0
"""How long a full run on one fast endpoint may take."""
_MOST_EXPLAINED, _MOST_CHARACTERS = 8, 600
_BAD = frozenset({"FAIL", "WRONG_REASON"})
_NEVER_SAID = ("Traceback (most recent call last)", "internal error")


@dataclass(frozen=True)
class Verdict:
    """What is right.  Patterns are of ``REQUIREMENT`` or ``REQUIREMENT/STIMULUS``; ``|`` separates alternatives."""

    exit: tuple[int, ...]
    fails: tuple[str, ...] = ()
    """Each must match a row that fails at level MUST."""
    spares: tuple[str, ...] = ()
    """None may match a row that fails."""
    known: Mapping[str, str] = field(default_factory=dict)
    """What fails on a right server, truly, with the reason; nothing else may, and each must."""
    unobserved: int | None = None
    says: tuple[str, ...] = ()
    """Each must be printed, upper and lower case alike."""

    @property
    def right(self) -> bool:
        """Whether it is a server without a fault: then everything that does not pass is explained."""
        return bool(self.known) or self.exit == (0,)


@dataclass(frozen=True)
class Run:
    """One run: a case in a mode, with a PKI of a shape, at a depth."""

    case: str
    mode: str
    shape: str
    depth: str
    verdict: Verdict
    target: str
    changes: Mapping[str, Any]
    servers: tuple[Mapping[str, str], ...]
    environment: Mapping[str, str]
    directives: str
    needs: Mapping[str, str]

    @property
    def name(self) -> str:
        """How it is named on the command line and in the table."""
        return f"{self.case}:{self.mode}:{self.shape}:{self.depth}"


@dataclass(frozen=True)
class RunResult:
    """What the product said of a server."""

    exit: int
    rows: tuple[Mapping[str, Any], ...]
    seconds: float
    text: str

    def failing(self) -> Iterator[Mapping[str, Any]]:
        """The rows that say that a requirement is broken, or should not be."""
        return (row for row in self.rows if row["outcome"] in _BAD)

    def count(self, outcome: str) -> int:
        """How many rows have *outcome*."""
        return sum(row["outcome"] == outcome for row in self.rows)

    def summary(self) -> str:
        """In a few words."""
        must = Counter(str(row["requirement"]) for row in self.failing() if row["level"] == "MUST")
        counts = [f"{self.count(name)} {name}" for name in ("PASS", "UNOBSERVED", "HARNESS_ERROR") if self.count(name)]
        broken = [f"{requirement} {number}" for requirement, number in sorted(must.items())]
        return ", ".join([f"exit {self.exit}", *broken, *counts])

    def explained(self) -> Iterator[str]:
        """Rows that did not pass, each with its reason and what the server answered; the first few of many."""
        rows = [row for row in self.rows if row["outcome"] != "PASS"]
        for row in rows[:_MOST_EXPLAINED]:
            answer = json.dumps(row.get("evidence", {}).get("client", {}))[:_MOST_CHARACTERS]
            yield f"{row['outcome']} {row['case']}: {row.get('reason', '')}: {answer}"
        if not self.rows:
            yield f"no record; printed: {self.text[-_MOST_CHARACTERS:]}"


def runs(table: Mapping[str, Mapping[str, Any]]) -> Iterator[Run]:
    """Every run that *table*, an expected.yaml, asks for."""
    for case, row in table.items():
        for mode, words in row["modes"].items():
            both = {**{key: value for key, value in row.items() if key != "modes"}, **words}
            for shape, depth in itertools.product(both.get("shapes", ["cert-manager"]), both.get("depths", ["full"])):
                yield _run(case, str(mode), shape, depth, both)


def _run(case: str, mode: str, shape: str, depth: str, words: Mapping[str, Any]) -> Run:
    statuses = words["exit"]
    return Run(
        case=case,
        mode=mode,
        shape=shape,
        depth=depth,
        verdict=Verdict(
            exit=tuple(statuses) if isinstance(statuses, list) else (statuses,),
            fails=tuple(words.get("fails", ())),
            spares=tuple(words.get("spares", ())),
            known=words.get("known", {}),
            unobserved=words.get("unobserved"),
            says=tuple(words.get("says", ())),
        ),
        target=words["target"],
        changes=words.get("changes", {}),
        servers=tuple(words.get("servers", ({"python": "server.py"},))),
        environment={key: str(value) for key, value in words.get("env", {}).items()},
        directives=words.get("directives", ""),
        needs=words.get("needs", {}),
    )


def differences(right: Verdict, result: RunResult) -> list[str]:
    """How *result* differs from what is *right*; nothing where it does not."""
    found = []
    if result.exit not in right.exit:
        found.append(f"exit {result.exit}, not {' or '.join(map(str, right.exit))}")
    must = [row for row in result.failing() if row["level"] == "MUST"]
    found += [f"{pattern} does not fail" for pattern in right.fails if not _any(pattern, must)]
    found += [
        f"{pattern} fails: {_named(pattern, result.failing())}"
        for pattern in right.spares
        if _any(pattern, result.failing())
    ]
    found += [f"does not say {text!r}" for text in right.says if text.lower() not in result.text.lower()]
    found += [f"says {text!r}" for text in _NEVER_SAID if text.lower() in result.text.lower()]
    if result.count("HARNESS_ERROR"):
        found.append(f"{result.count('HARNESS_ERROR')} HARNESS_ERROR")
    return found + (list(_on_a_right_server(right, result)) if right.right else [])


def _on_a_right_server(right: Verdict, result: RunResult) -> Iterator[str]:
    unexplained = [row for row in result.failing() if not any(_any(pattern, [row]) for pattern in right.known)]
    if unexplained:
        yield f"fails without a reason: {_named('*', unexplained)}"
    for pattern in right.known:
        if not _any(pattern, result.failing()):
            yield f"{pattern} no longer fails"
    most = MOST_UNOBSERVED if right.unobserved is None else right.unobserved
    if result.count("UNOBSERVED") > most:
        yield f"{result.count('UNOBSERVED')} UNOBSERVED, not {most} at most"
    if result.seconds > MOST_SECONDS:
        yield f"took {result.seconds:.0f} s, not {MOST_SECONDS:.0f} at most"


def _any(patterns: str, rows: Iterable[Mapping[str, Any]]) -> bool:
    return any(_fits(pattern, row) for row in rows for pattern in patterns.split("|"))


def _fits(pattern: str, row: Mapping[str, Any]) -> bool:
    requirement, _, stimulus = pattern.partition("/")
    return fnmatchcase(row["requirement"], requirement) and fnmatchcase(row["stimulus"], stimulus or "*")


def _named(patterns: str, rows: Iterable[Mapping[str, Any]]) -> str:
    names = sorted({f"{row['requirement']}/{row['stimulus']}" for row in rows if _any(patterns, [row])})
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(names[:6]) + more
