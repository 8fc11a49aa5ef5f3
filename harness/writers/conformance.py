"""One YAML file about one implementation: what a project publishes of a run.  Counts and reasons, no evidence."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NotRequired, TypedDict

import yaml

from harness.errors import ReportError
from harness.model.claims import Answer
from harness.model.record import Excuse, Footer, Gap, Header, LeftOut, Likeness, Row
from harness.model.vocabulary import BROKEN, Outcome
from harness.writers import answer
from harness.writers.findings import Finding, findings, known
from harness.writers.rows import outcomes

NAME = "conformance.yaml"


class FindingForm(TypedDict):
    """One cause of failures, and the ids of the cases that show it."""

    finding: str
    level: str
    requirement: str
    cases: list[str]


class CaseForm(TypedDict):
    """A case that did not pass."""

    case: str
    outcome: str
    reason: NotRequired[str]


class KnownForm(TypedDict):
    """Failures that are accepted, with the reason."""

    reason: str
    owner: NotRequired[str]
    expires: NotRequired[str]
    cases: list[CaseForm]


class RequirementForm(TypedDict):
    """How the cases of a requirement ended."""

    level: str
    source: str
    counts: dict[str, int]
    not_met: NotRequired[list[CaseForm]]


class ConformanceForm(TypedDict):
    """The whole report."""

    conformance: int
    implementation: str
    target: str
    answer: str
    conforms: bool
    not_shown: list[Gap]
    notes: list[str]
    claims_no_client_authentication: list[str]
    as_expected: bool
    trustworthy: bool
    date: str
    depth: str
    only: list[str]
    grade: list[str]
    counts: dict[str, int]
    does_not_conform: list[FindingForm]
    recommendations_not_followed: list[FindingForm]
    known_failures: list[KnownForm]
    requirements: dict[str, RequirementForm]
    diagnosis: list[Likeness]
    unobserved: dict[str, int]
    unsupported: dict[str, int]
    withheld: dict[str, int]
    skipped: dict[str, int]
    tool: str
    catalogue_sha256: str
    record_sha256: str


def report(header: Header, rows: list[Row], footer: Footer, record: bytes) -> ConformanceForm:
    """The report as plain data; *record* is the file that it sums up, whose digest it carries."""
    by_requirement: defaultdict[str, list[Row]] = defaultdict(list)
    found = findings(rows, header.get("planned", ()))
    for row in rows:
        by_requirement[row["requirement"]].append(row)
    return {
        "conformance": 1,
        "implementation": header["product"],
        "target": header["scope"],
        "answer": str(answer.answer(footer)),
        # Neither a selection nor a run that ended as foreseen, known failures included, says that the target conforms.
        "conforms": _conforms(header, rows, footer),
        "not_shown": list(footer.get("not_shown", ())),
        "notes": list(footer.get("notes", ())),
        "claims_no_client_authentication": answer.unclaimed(header),
        "as_expected": footer["exit_status"] == 0,
        "trustworthy": footer["trustworthy"],
        "date": header["started"],
        "depth": header["depth"],
        "only": list(header.get("only", ())),
        "grade": sorted({row["grade"] for row in rows}),
        "counts": {name: number for name, number in outcomes(rows).items() if number},
        "does_not_conform": [_finding(one) for one in found if one.binding],
        "recommendations_not_followed": [_finding(one) for one in found if not one.binding],
        "known_failures": [_known(excuse, members) for excuse, members in known(rows)],
        "requirements": {name: _requirement(members) for name, members in sorted(by_requirement.items())},
        "diagnosis": list(footer.get("diagnosis", ())),
        "unobserved": _reasons(row for row in rows if row["outcome"] == Outcome.UNOBSERVED),
        "unsupported": _reasons(row for row in rows if row["outcome"] == Outcome.UNSUPPORTED),
        "withheld": _reasons(header["withheld"]),
        "skipped": _reasons(header["skipped"]),
        "tool": header["tool"],
        "catalogue_sha256": header["catalogue_sha256"],
        "record_sha256": hashlib.sha256(record).hexdigest(),
    }


def write(folder: Path, header: Header, rows: list[Row], footer: Footer, record: bytes) -> Path:
    """Write the report into *folder*; raises :class:`ReportError`."""
    file = folder / NAME
    try:
        text = yaml.safe_dump(report(header, rows, footer, record), sort_keys=False, width=110, allow_unicode=True)
        file.write_text(text, "utf-8")
    except OSError as error:
        raise ReportError(f"cannot write: {error.strerror}", where=str(file)) from error
    return file


def _finding(one: Finding) -> FindingForm:
    cases = [row["case"] for row in one.rows]
    return {"finding": one.sentence, "level": one.level, "requirement": one.requirement, "cases": cases}


def _known(excuse: Excuse, rows: list[Row]) -> KnownForm:
    cases: list[CaseForm] = [{"case": row["case"], "outcome": row["outcome"]} for row in rows]
    owner, expires = excuse["owner"] or "", excuse["expires"] or ""
    found: KnownForm = {"reason": excuse["reason"], "owner": owner, "expires": expires, "cases": cases}
    if not owner:
        del found["owner"]
    if not expires:
        del found["expires"]
    return found


def _conforms(header: Header, rows: list[Row], footer: Footer) -> bool:
    broken = any(_broken(row) and row["level"] == "MUST" for row in rows)
    return answer.answer(footer) is Answer.CONFORMS and not broken and not header.get("only")


def _requirement(rows: list[Row]) -> RequirementForm:
    bad: list[CaseForm] = [
        {"case": row["case"], "outcome": row["outcome"], "reason": row["reason"]} for row in rows if _broken(row)
    ]
    counts = {name: number for name, number in outcomes(rows).items() if number}
    found: RequirementForm = {"level": rows[0]["level"], "source": rows[0]["source"], "counts": counts}
    if bad:
        found["not_met"] = bad
    return found


def _broken(row: Row) -> bool:
    return row["outcome"] in BROKEN


def _reasons(rows: Iterable[Row | LeftOut]) -> dict[str, int]:
    """How many for which reason, most first."""
    found: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        found[str(row["reason"])] += 1
    return dict(sorted(found.items(), key=lambda item: -item[1]))
