"""Rows as JUnit XML, for CI servers: what makes a run fail is a failure, HARNESS_ERROR an error, the rest is skipped.

A known failure and a recommendation that is not followed leave the exit status 0, so they are skipped with their
reason: a CI server that counts failures says the same as the exit status.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from harness.errors import ReportError
from harness.model.claims import Answer
from harness.model.record import Footer, Row
from harness.model.vocabulary import Outcome
from harness.writers import answer
from harness.writers.findings import is_failure, known_words

NAME = "junit.xml"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(folder: Path, rows: Sequence[Row], footer: Footer, *, strict: bool = False) -> Path:
    """Write ``junit.xml`` into *folder*; raises :class:`ReportError`.

    What makes the run untrustworthy, and each protection that is not shown, is a test case of its own: an error where
    that is the exit status, so that a CI server which reads only this file is not green for nothing.  *strict* says
    that a file names all known failures, so that every other row which does not pass makes the run fail.
    """
    beside = list(_beside(footer))
    kinds = Counter([*(_element(row, strict) for row in rows), *(element for _, element, _ in beside)])
    suite = ET.Element(
        "testsuite",
        name="hopproof",
        tests=str(len(rows) + len(beside)),
        failures=str(kinds["failure"]),
        errors=str(kinds["error"]),
        skipped=str(kinds["skipped"]),
        time=f"{sum(row['ms'] for row in rows) / 1000:.3f}",
    )
    properties = ET.SubElement(suite, "properties")
    ET.SubElement(properties, "property", name="answer", value=str(answer.answer(footer)))
    for name, element, text in beside:
        case = ET.SubElement(suite, "testcase", classname="hopproof.answer", name=_plain(name), time="0.000")
        ET.SubElement(case, element, message=_plain(text), type=str(answer.answer(footer))).text = _plain(text)
    for row in rows:
        classname = f"{row['requirement']}.{row['flow']}"
        case = ET.SubElement(suite, "testcase", classname=classname, name=row["case"], time=f"{row['ms'] / 1000:.3f}")
        if element := _element(row, strict):
            message, text = map(_plain, (_message(row), row["reason"]))
            ET.SubElement(case, element, message=message, type=row["outcome"]).text = f"{row['source']}\n{text}"
    root = ET.Element("testsuites")
    root.append(suite)
    target = folder / NAME
    draft = folder / f".{NAME}.part"
    try:
        ET.ElementTree(root).write(draft, encoding="utf-8", xml_declaration=True)
        draft.replace(target)
    except OSError as error:
        raise ReportError(f"cannot write JUnit: {error.strerror}", where=str(target)) from error
    return target


def _beside(footer: Footer) -> Iterator[tuple[str, str, str]]:
    """Name, element and text of what no row tells."""
    for number, text in enumerate(footer.get("trouble", ()), 1):
        yield f"trustworthy {number}", "error", str(text)
    element = "error" if answer.answer(footer) is Answer.NOT_SHOWN else "skipped"
    for item, (text, give) in zip(footer.get("not_shown", ()), answer.gaps(footer), strict=True):
        name = f"shown: {item['flow']}/{item['posture']}/{item['protection']}"
        yield name, element, f"not shown: {text}. Give {give}."


def _plain(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def _element(row: Row, strict: bool) -> str:
    """Which element tells of *row*, '' for none."""
    write_unexpected = strict and not row.get("as_expected", True)
    if row["outcome"] == Outcome.PASS:
        return "failure" if write_unexpected else ""
    if row.get("known"):
        return "skipped"
    if row["outcome"] == Outcome.HARNESS_ERROR:
        return "error"
    return "failure" if write_unexpected or is_failure(row) else "skipped"


def _message(row: Row) -> str:
    if excuse := row.get("known"):
        return f"{known_words(excuse)}: {row['reason']}"
    if row["outcome"] == Outcome.PASS:
        return "passes now, but is listed as a known failure: remove its entry"
    finding = row.get("finding", "")
    if finding and not is_failure(row):
        return f"recommendation not followed ({row['level']}): {finding}: {row['reason']}"
    return f"{finding}: {row['reason']}" if finding else str(row["reason"])
