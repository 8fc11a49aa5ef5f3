"""The patches of findings as a folder: a JSON file for each, and a script that applies them.  Executes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.decode.redaction import redact
from harness.errors import UsageError
from harness.model.finding import Finding, Judgement
from harness.model.patch import Patch

_CONTROL = re.compile(r"[^\x20-\x7e\u00a0-\u2027\u202f-\u2065\u206a-\ufffd]")
_IN_NAMES = re.compile(r"[^A-Za-z0-9.]+")
_LONGEST_NAME = 100
SCRIPT = "apply.sh"


def client_of(platform: str) -> str:
    """The command line client of *platform*."""
    return "oc" if platform in ("openshift", "cp4i") else "kubectl"


@dataclass
class _Change:
    """One patch, what it is for, and the file before it that changes the same field ('' without one)."""

    patch: Patch
    reasons: list[Finding] = field(default_factory=list)
    rival: str = ""


def write(folder: Path, judgement: Judgement) -> str:
    """Write the patches into *folder*; returns what to say of it.  Raises :class:`UsageError`."""
    changes = _changes(judgement.sorted())
    without = sum(finding.patch is None for finding in judgement.findings)
    left = f"; findings without one: {without}, whose fix says what to decide or to do" if without else ""
    if not changes:
        return f"No patches, nothing written to {folder}{left}."
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, change in changes.items():
            (folder / name).write_text(f"{json.dumps(change.patch.document(), indent=1)}\n", "utf-8")
        (folder / SCRIPT).write_text(_script(changes, client_of(judgement.platform)), "utf-8")
    except OSError as problem:
        raise UsageError(f"cannot be written: {problem.strerror}", where=str(folder)) from problem
    return f"Patches in {folder}: {len(changes)}, applied by {SCRIPT}{left}."


def refuse(folder: Path, paths: Iterable[str]) -> None:
    """Raise :class:`UsageError` where *folder* is neither new nor empty, or lies in one of *paths*."""
    read = [Path(path).resolve() for path in paths if path != "-"]
    whole = folder.resolve()
    if any(each == whole or each in whole.parents for each in read):
        raise UsageError("lies in what is judged", where=str(folder), hint="name a folder elsewhere for the patches")
    try:
        used = folder.exists() and any(True for _ in folder.iterdir())
    except OSError as problem:
        raise UsageError(f"cannot be written: {problem.strerror}", where=str(folder)) from problem
    if used:
        raise UsageError(
            "is not empty", where=str(folder), hint="name a new folder: former patches would mix with these"
        )


def _changes(findings: Sequence[Finding]) -> dict[str, _Change]:
    """The distinct patches by the name of their file, the most serious first."""
    found: dict[tuple[str, ...], tuple[str, _Change]] = {}
    fields: dict[tuple[str, ...], str] = {}
    for finding in findings:
        if finding.patch is None:
            continue
        each = finding.patch.resource
        # The same name in two files is another cluster's object perhaps, and kubectl acts on one.
        whose = (each.group, each.kind, each.namespace, each.name, *((each.file,) if not each.kind else ()))
        key = (each.file, *whose, finding.patch.text())
        if key not in found:
            name = _file_name(len(found) + 1, finding)
            change = _Change(finding.patch)
            for path in finding.patch.fields():
                rival = fields.setdefault((*whose, path), name)
                change.rival = change.rival or (rival if rival != name else "")
            found[key] = name, change
        found[key][1].reasons.append(finding)
    return dict(found.values())


def _file_name(number: int, finding: Finding) -> str:
    assert finding.patch is not None
    each = finding.patch.resource
    words = (finding.requirement, each.kind.lower() or Path(each.file).stem, each.namespace, each.name)
    text = "-".join(_IN_NAMES.sub("-", word) for word in words if word)
    return f"{number:03}-{text[:_LONGEST_NAME]}.json"


def _script(changes: dict[str, _Change], client: str) -> str:
    lines = [
        "#!/bin/sh",
        "# Written by hopproof lint. Read it before you run it.",
        f"# It acts on the cluster of {client}'s present context.",
        "set -eu",
        'cd "$(dirname "$0")"',
    ]
    for name, change in changes.items():
        lines.append("")
        lines += [
            _comment(f"{each.requirement} {each.severity}, {each.file}:{each.line}: {each.object}: {each.message}")
            for each in change.reasons
        ]
        target = change.patch.target(client)
        line = f"{target} --patch-file={name}"
        if change.rival:
            lines += [f"# It changes what {change.rival} changes: apply one of the two.", f"# {line}"]
        elif target:
            lines.append(line)
        else:
            lines.append(_comment(f"{name} is for {change.patch.resource.file}: {client} cannot name this object."))
    return "\n".join([*lines, ""])


def _comment(text: str) -> str:
    return f"# {_CONTROL.sub('�', redact(text))}"
