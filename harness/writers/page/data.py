"""Rows -> what the page's script reads: an index in columns, and the evidence in compressed blocks.  Knows no HTML.

A run has tens of thousands of rows and a reader looks at a few: the index is all that a browser parses on opening, a
block of evidence is unpacked when one of its cases is opened.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from harness.model.record import Header, Judged, LeftOut, Modes, Row
from harness.model.vocabulary import Outcome, is_file
from harness.writers.page.guide import Guide

BLOCK = 200
WITHHELD, SKIPPED = "withheld", "skipped"
ORDER = (
    *(Outcome.FAIL, Outcome.WRONG_REASON, Outcome.HARNESS_ERROR, Outcome.UNOBSERVED, Outcome.UNSUPPORTED),
    *(Outcome.PASS, WITHHELD, SKIPPED),
)
"""Outcomes and the two ways of not being judged, in the order in which a reader wants them."""

_TABLES = ("area", "requirement", "flow", "posture", "path", "stimulus", "expected", "outcome", "grade", "level")
_TEXTS = (*_TABLES, "basis", "source", "reason", "reason_code")
_PARTS = ("area", "requirement", "flow", "posture", "path", "stimulus")
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&'"}


class Entry(Judged, Modes):
    """A case that the page lists; ``outcome`` is ``withheld`` or ``skipped`` where it was not judged."""

    area: str
    outcome: str


def entries(header: Header, rows: Iterable[Row], guide: Guide) -> list[Entry]:
    """Everything the page lists: each row, and each case that was not judged, the worst first."""
    found = [_judged(row) for row in rows]
    found += [_unjudged(WITHHELD, item, guide) for item in header["withheld"]]
    found += [_unjudged(SKIPPED, item, guide) for item in header["skipped"]]
    rank = {str(name): number for number, name in enumerate(ORDER)}
    return sorted(found, key=lambda row: (rank.get(row["outcome"], -1), row["case"]))


def _judged(row: Row) -> Entry:
    modes: Modes = {"modes": row["modes"]} if "modes" in row else {}
    return {
        **modes,
        "area": row["case"].partition("/")[0],
        "case": row["case"],
        "requirement": row["requirement"],
        "level": row["level"],
        "basis": row["basis"],
        "source": row["source"],
        "flow": row["flow"],
        "posture": row["posture"],
        "path": row["path"],
        "stimulus": row["stimulus"],
        "expected": row["expected"],
        "outcome": row["outcome"],
        "reason": row["reason"],
        "reason_code": row["reason_code"],
        "grade": row["grade"],
        "evidence": row["evidence"],
        "ms": row["ms"],
    }


def _unjudged(kind: str, item: LeftOut, guide: Guide) -> Entry:
    parts = item["case"].split("/", len(_PARTS) - 1)
    area, requirement, flow, posture, path, stimulus = parts + [""] * (len(_PARTS) - len(parts))
    message = guide.requirements.get(requirement, {})
    return {
        "area": area,
        "case": item["case"],
        "requirement": requirement,
        "level": message.get("level", ""),
        "basis": message.get("basis", ""),
        "source": message.get("source", ""),
        "flow": flow,
        "posture": posture,
        "path": path,
        "stimulus": stimulus,
        "expected": "",
        "outcome": kind,
        "reason": item["reason"],
        "reason_code": "",
        "grade": "",
        "evidence": {},
        "ms": 0,
    }


def index(listed: Sequence[Entry], header: Header, guide: Guide, report: str) -> str:
    """The index as JSON that can stand in a script element."""
    tables: dict[str, list[str]] = {}
    columns: dict[str, list[int]] = {}
    for key in _TEXTS:
        numbers: dict[str, int] = {}
        columns[key] = [numbers.setdefault(str(row.get(key, "")), len(numbers)) for row in listed]
        tables[key] = list(numbers)
    target = str(header["target"]) if is_file(str(header["target"])) else ""
    elsewhere = guide.words.get("posture elsewhere")
    return for_script(
        {
            "block": BLOCK,
            "report": report,
            "fault": header.get("fault"),
            "target": target,
            "case": [row["case"] for row in listed],
            "ms": [row["ms"] for row in listed],
            "tables": tables,
            "columns": columns,
            "requirements": {name: guide.requirements.get(name, {}) for name in tables["requirement"]},
            "flows": {name: guide.flows.get(name, {}) for name in tables["flow"]},
            "modes": {row["flow"]: row["modes"] for row in listed if row.get("modes")},
            "words": {**guide.words, **({"posture": elsewhere} if target and elsewhere else {})},
        }
    )


def blocks(listed: Sequence[Entry]) -> Iterator[str]:
    """The evidence of BLOCK entries each: JSON, deflated, in base64."""
    for start in range(0, len(listed), BLOCK):
        packed = json.dumps([row["evidence"] for row in listed[start : start + BLOCK]], separators=(",", ":"))
        yield base64.b64encode(zlib.compress(packed.encode("ascii"), 5)).decode("ascii")


def for_script(value: Any) -> str:
    """*value* as JSON in ASCII without any character that could end, or begin, something in HTML or JavaScript.

    >>> for_script("</script>\\u2028&")
    '"\\\\u003c/script\\\\u003e\\\\u2028\\\\u0026"'
    """
    return json.dumps(value, separators=(",", ":")).translate(_ESCAPES)
