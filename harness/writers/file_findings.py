"""Findings on files as text, JSON, SARIF 2.1.0 and JUnit XML.  Decides nothing; text from files is escaped."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias
from urllib.parse import quote
from xml.etree import ElementTree as ET

from harness import __version__
from harness.decode.redaction import redact
from harness.model.edit import Edit
from harness.model.finding import Finding, Judgement, Severity
from harness.model.patch import Patch
from harness.model.resource import Files, Unread
from harness.model.words import counted
from harness.writers.file_edits import file_edits
from harness.writers.patches import client_of

Json: TypeAlias = "Sequence[Json] | Mapping[str, Json] | str | int | bool | None"
Sources = Mapping[str, tuple[str, str]]
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}
_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"
_MARK = {Severity.ERROR: "✗ error", Severity.WARNING: "! warning", Severity.NOTE: "· note"}


def plain(text: str) -> str:
    """*text* for a terminal: no control characters, no keys and no tokens."""
    return _CONTROL.sub("�", redact(text))


def text(judgement: Judgement, files: Files, unread: Sequence[Unread]) -> str:
    """For a person: what was judged, the findings with their remedies, what was not checked."""
    objects = sum(bool(resource.kind) for resource in files.resources)
    client = client_of(judgement.platform)
    amount = f"{counted(objects, 'object')} and {counted(len(files.pem), 'PEM file')} in {counted(files.read, 'file')}"
    lines = [f"{plain(judgement.heading)}; {amount}."]
    lines += [f"Note: {plain(remark)}" for remark in judgement.remarks]
    for finding in judgement.sorted():
        lines += ["", f"{finding.file}:{finding.line}: {_MARK[finding.severity]} {finding.requirement}"]
        lines += [f"  {plain(finding.object)}{f', {plain(finding.path)}' if finding.path else ''}"]
        lines += [f"  {plain(finding.message)}", f"  fix: {plain(finding.fix)}"]
        if finding.patch is not None:
            lines.append(f"  patch: {plain(finding.patch.command(client) or finding.patch.text())}")
    if unread:
        lines += ["", "Not read:", *map(_placed, unread)]
    if files.again:
        lines += ["", "Duplicates in the same folder:", *map(_placed, files.again)]
    lines += [
        "",
        f"Checked: {', '.join(f'{name} ({number})' for name, number in judgement.checked.items()) or 'nothing'}.",
    ]
    if judgement.not_checked:
        absent = {name: why for name, why in judgement.not_checked.items() if name not in judgement.undecided}
        lines += ["Not checked:", *(f"  {name}: {why}" for name, why in absent.items())]
    if judgement.undecided:
        lines += ["Could not be decided:"]
        lines += [f"  {name}: {plain(why)}" for name, found in judgement.undecided.items() for why in found]
    counts = [counted(judgement.worst(severity), str(severity)) for severity in Severity]
    return "\n".join([*lines, f"{', '.join(counts)}."])


def _placed(item: Unread) -> str:
    return f"  {item.file}:{item.line}: {plain(item.message)}"


def as_json(judgement: Judgement, files: Files, unread: Sequence[Unread]) -> str:
    """The contract's JSON."""
    content: Json = {
        "release": judgement.release,
        "platform": judgement.platform,
        "heading": judgement.heading,
        "remarks": judgement.remarks,
        "findings": [_finding(finding, client_of(judgement.platform)) for finding in judgement.sorted()],
        "checked": dict(judgement.checked),
        "not_checked": judgement.not_checked,
        "undecided": {name: [redact(why) for why in found] for name, found in judgement.undecided.items()},
        "unread": [_located(item) for item in unread],
        "again": [_located(item, differs=item.matters) for item in files.again],
        "objects": len(files.resources),
    }
    return json.dumps(content, indent=1)


def _located(item: Unread, **more: bool) -> Json:
    return {"file": item.file, "line": item.line, "message": item.message, **more}


def _finding(finding: Finding, client: str) -> Json:
    return {
        "requirement": finding.requirement,
        "severity": str(finding.severity),
        "file": finding.file,
        "line": finding.line,
        "object": redact(finding.object),
        "path": redact(finding.path),
        "message": redact(finding.message),
        "fix": redact(finding.fix),
        "patch": _patch(finding.patch, client) if finding.patch is not None else None,
    }


def _patch(patch: Patch, client: str) -> Json:
    each = patch.resource
    return {
        "kind": each.kind,
        "group": each.group,
        "name": each.name,
        "namespace": each.namespace,
        "file": each.file,
        "operations": patch.document(),
        "command": patch.command(client),
    }


def sarif(judgement: Judgement, sources: Sources, unread: Sequence[Unread], text_of: Callable[[str], str]) -> str:
    """SARIF 2.1.0, which code hosts show beside the lines; *text_of* gives the text of a file, '' where it cannot."""
    rules: list[Json] = [
        {"id": name, "shortDescription": {"text": words}, "help": {"text": source}}
        for name, (words, source) in sources.items()
    ]
    results: list[Json] = [
        {
            "ruleId": finding.requirement,
            "level": _LEVEL[finding.severity],
            "message": {"text": f"{redact(finding.message)} Fix: {redact(finding.fix)}"},
            "locations": [_location(finding.file, finding.line, redact(finding.object), redact(finding.path))],
            **_fixes(finding, text_of),
        }
        for finding in judgement.sorted()
    ]
    problems: list[Json] = [
        {
            "level": "error" if item.matters else "note",
            "message": {"text": redact(item.message)},
            "locations": [_location(item.file, item.line)],
        }
        for item in unread
    ]
    readable = not any(item.matters for item in unread)
    run: Json = {
        "tool": {"driver": {"name": "hopproof", "version": __version__, "rules": rules}},
        "results": results,
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": readable, "toolExecutionNotifications": problems}],
    }
    return json.dumps({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}, indent=1)


def _fixes(finding: Finding, text_of: Callable[[str], str]) -> Mapping[str, Json]:
    """The patch as a change of the file, where there is one."""
    patch = finding.patch
    if patch is None or patch.resource.file == "-":
        return {}
    made = file_edits(patch, text_of(patch.resource.file))
    if not made:
        return {}
    replacements: list[Json] = [_replacement(each) for each in made]
    change: Json = {"artifactLocation": {"uri": _uri(patch.resource.file)}, "replacements": replacements}
    return {"fixes": [{"description": {"text": redact(finding.fix)}, "artifactChanges": [change]}]}


def _replacement(edit: Edit) -> Json:
    region: dict[str, Json] = {"startLine": edit.line, "startColumn": edit.column, "endColumn": edit.end}
    if edit.last > edit.line:
        region["endLine"] = edit.last
    return {"deletedRegion": region, "insertedContent": {"text": edit.text}}


def _location(file: str, line: int, name: str = "", path: str = "") -> Json:
    place: Json = {"artifactLocation": {"uri": _uri(file)}, "region": {"startLine": line}}
    if not name:
        return {"physicalLocation": place}
    return {"physicalLocation": place, "logicalLocations": [{"fullyQualifiedName": f"{name} {path}".strip()}]}


def _uri(file: str) -> str:
    if file == "-":
        return "stdin"
    return f"{'file://' if file.startswith('/') else ''}{quote(file)}"


def junit(judgement: Judgement, sources: Sources, unread: Sequence[Unread], fail_on: Severity) -> str:
    """JUnit XML: a test case for each requirement; what *fail_on* counts is a failure, what was not read an error."""
    counted = {Severity.ERROR} if fail_on is Severity.ERROR else {Severity.ERROR, Severity.WARNING}
    suite = ET.Element("testsuite", name="hopproof lint")
    failures = skipped = 0
    for name, (words, _) in sources.items():
        case = ET.SubElement(suite, "testcase", classname="hopproof.lint", name=_xml(f"{name} {words}"), time="0.000")
        found = [
            finding for finding in judgement.sorted() if finding.requirement == name and finding.severity in counted
        ]
        if found:
            failures += 1
            body = "\n\n".join(
                f"{item.file}:{item.line} {item.object}\n{item.message}\nfix: {item.fix}" for item in found
            )
            ET.SubElement(case, "failure", message=_xml(found[0].message), type=str(found[0].severity)).text = _xml(
                body
            )
        elif name in judgement.not_checked:
            skipped += 1
            ET.SubElement(case, "skipped", message=_xml(judgement.not_checked[name]))
    errors = [item for item in unread if item.matters]
    for item in errors:
        case = ET.SubElement(suite, "testcase", classname="hopproof.lint", name=_xml(f"read {item.file}"), time="0.000")
        ET.SubElement(case, "error", message=_xml(f"{item.file}:{item.line}: {item.message}"), type="unread")
    for key, number in (
        ("tests", len(sources) + len(errors)),
        ("failures", failures),
        ("errors", len(errors)),
        ("skipped", skipped),
    ):
        suite.set(key, str(number))
    root = ET.Element("testsuites")
    root.append(suite)
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


def _xml(text: str) -> str:
    return _NOT_XML.sub("�", redact(text))
