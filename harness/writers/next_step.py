"""What to do after a run: commands to paste, all of them about something that the run has."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from harness.model.record import Header, Row
from harness.model.vocabulary import AND, EXPORTS, Grade, Outcome, is_file
from harness.writers.counts import of_header, was_interrupted
from harness.writers.findings import findings

_FIRST = "FLW-3"
"""The requirement that explains best what a run is about."""


def command(rows: Sequence[Row], header: Header, report: Path) -> str:
    """A command to paste."""
    found = findings(rows, header["planned"])
    target = str(header["target"])
    if found:
        return _explain(found[0].rows[0]["case"], header)
    if any(map(was_interrupted, rows)):
        return shlex.join(["hopproof", "run", *_again(header), "--report", str(report)])
    if not is_file(target):
        return "hopproof list faults" if header.get("fault") else _explain(_requirement(rows), header)
    servers = AND.join(part for part in target.split(AND) if not part.startswith(EXPORTS))
    if is_file(servers) and any(row["outcome"] == Outcome.HARNESS_ERROR for row in rows):
        return shlex.join(["hopproof", "target", "check", servers])
    if _deeper(header):
        return shlex.join(["hopproof", "run", *_again({**header, "depth": "full"}), "--report", str(report)])
    return shlex.join(["hopproof", "report", str(report), "--format", "conformance"])


def _requirement(rows: Sequence[Row]) -> str:
    """A requirement of this run, one that was judged if there is one."""
    judged = [row["requirement"] for row in rows if row["outcome"] == Outcome.PASS]
    names = judged or [row["requirement"] for row in rows]
    return _FIRST if _FIRST in names or not names else names[0]


def _explain(what: str, header: Header) -> str:
    target = str(header["target"])
    return shlex.join(["hopproof", "explain", what, *(["--target", target] if is_file(target) else [])])


def _again(header: Header) -> list[str]:
    """The flags that make the same run once more."""
    flags = []
    if str(header["target"]) != "embedded":
        flags += ["--target", str(header["target"])]
    if header["depth"] != "quick":
        flags += ["--depth", str(header["depth"])]
    for name in ("fault", "expected"):
        if header.get(name):
            flags += [f"--{name}", str(header[name])]
    return [*flags, *(word for name in header.get("only", ()) for word in ("--only", name))]


def _deeper(header: Header) -> bool:
    """Whether ``--depth full`` would send more."""
    counted = of_header(header)
    return header["depth"] == "quick" and (counted is None or counted.deeper > 0)


def more(rows: Sequence[Row], header: Header, report: Path) -> list[str]:
    """What else there is to look at."""
    entries = report / "unexpected.yaml"
    foreseen = [f"Entries for --expected, ready to edit: {entries}"] if entries.is_file() else []
    if is_file(str(header["target"])):
        lines = [f"The page: {report}/index.html"]
        if any(row["outcome"] == Outcome.UNOBSERVED and row["grade"] != Grade.CONFIG for row in rows):
            lines.append(
                f"More credentials in {header['target']} allow more cases; hopproof target init explains each."
            )
        return [*lines, *foreseen]
    if header.get("fault"):
        return [*foreseen, "hopproof mutants shows which cases catch each fault."]
    return ["hopproof explain describes any requirement or case; hopproof mutants proves that each check can fail."]
