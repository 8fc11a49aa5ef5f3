"""One YAML file about one implementation: what a project publishes of a run.  Counts and reasons, no evidence."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from harness.errors import ReportError
from harness.model.claims import Answer
from harness.model.record import Excuse, Footer, Header, LeftOut, Row
from harness.model.vocabulary import BROKEN, Outcome
from harness.writers import answer
from harness.writers.findings import Finding, findings, known
from harness.writers.rows import outcomes

NAME = "conformance.yaml"


def report(header: Header, rows: list[Row], footer: Footer, record: bytes) -> dict[str, Any]:
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


def _finding(one: Finding) -> dict[str, Any]:
    cases = [row["case"] for row in one.rows]
    return {"finding": one.sentence, "level": one.level, "requirement": one.requirement, "cases": cases}


def _known(excuse: Excuse, rows: list[Row]) -> dict[str, Any]:
    message = {name: value for name, value in excuse.items() if value}
    return {**message, "cases": [{"case": row["case"], "outcome": row["outcome"]} for row in rows]}


def _conforms(header: Header, rows: list[Row], footer: Footer) -> bool:
    broken = any(_broken(row) and row["level"] == "MUST" for row in rows)
    return answer.answer(footer) is Answer.CONFORMS and not broken and not header.get("only")


def _requirement(rows: list[Row]) -> dict[str, Any]:
    bad = [{"case": row["case"], "outcome": row["outcome"], "reason": row["reason"]} for row in rows if _broken(row)]
    counts = {name: number for name, number in outcomes(rows).items() if number}
    found = {"level": rows[0]["level"], "source": rows[0]["source"], "counts": counts}
    return {**found, "not_met": bad} if bad else found


def _broken(row: Row) -> bool:
    return row["outcome"] in BROKEN


def _reasons(rows: Iterable[Row | LeftOut]) -> dict[str, int]:
    """How many for which reason, most first."""
    found: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        found[str(row["reason"])] += 1
    return dict(sorted(found.items(), key=lambda item: -item[1]))
