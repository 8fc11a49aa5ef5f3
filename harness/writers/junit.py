"""Rows as JUnit XML, for CI servers: FAIL and WRONG_REASON fail, HARNESS_ERROR is an error, the rest is skipped."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from harness.errors import ReportError
from harness.model.vocabulary import BROKEN, Outcome
from harness.writers.rows import Row

NAME = "junit.xml"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(folder: Path, rows: Sequence[Row]) -> Path:
    """Write ``junit.xml`` into *folder*; raises :class:`ReportError`."""
    kinds = Counter(_element(row) for row in rows)
    suite = ET.Element(
        "testsuite",
        name="hopproof",
        tests=str(len(rows)),
        failures=str(kinds["failure"]),
        errors=str(kinds["error"]),
        skipped=str(kinds["skipped"]),
        time=f"{sum(row['ms'] for row in rows) / 1000:.3f}",
    )
    for row in rows:
        classname = f"{row['requirement']}.{row['flow']}"
        case = ET.SubElement(suite, "testcase", classname=classname, name=row["case"], time=f"{row['ms'] / 1000:.3f}")
        if element := _element(row):
            text = _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", row["reason"])
            ET.SubElement(case, element, message=text, type=row["outcome"]).text = f"{row['source']}\n{text}"
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


def _element(row: Row) -> str:
    if row["outcome"] in BROKEN:
        return "failure"
    if row["outcome"] == Outcome.HARNESS_ERROR:
        return "error"
    return "" if row["outcome"] == Outcome.PASS else "skipped"
