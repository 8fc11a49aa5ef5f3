"""What exported files must say, and that servers do what the files configure.  Reads ``extra["files"]`` only."""

from __future__ import annotations

from collections import defaultdict

from harness.checks.question import Question, note, unobserved, violation
from harness.model.finding import Severity
from harness.model.observations import Configured, Files, Found
from harness.model.verdict import Finding
from harness.model.vocabulary import Level


def files_conform(question: Question) -> list[Finding]:
    """No object breaks the rule; of what is only advice, none departs from it either."""
    files = question.exchange.extra.get("files")
    if files is None:
        return [unobserved("no-files", "no files were read")]
    breaks = {Severity.ERROR} if question.case.requirement.level is Level.MUST else {Severity.ERROR, Severity.WARNING}
    broken = [found for found in files["findings"] if found["severity"] in breaks]
    notes = [note(found["severity"], _where(found)) for found in files["findings"] if found not in broken]
    if broken:
        more = f" ({len(broken) - 1} more)" if len(broken) > 1 else ""
        return [violation("files-break-the-rule", f"{_where(broken[0])}{more}"), *notes]
    return [*_unchecked(files), *notes]


def _where(found: Found) -> str:
    path = f", {found['path']}" if found["path"] else ""
    return f"{found['file']}:{found['line']}: {found['object']}{path}: {found['message']}"


def _unchecked(files: Files) -> list[Finding]:
    if left_open := files.get("undecided"):
        more = f" ({len(left_open) - 1} more)" if len(left_open) > 1 else ""
        return [unobserved("undecided", f"{left_open[0]}{more}")]
    return [] if files["checked"] else [unobserved("not-checked", files["not_checked"] or "nothing in the files")]


def as_configured(question: Question) -> list[Finding]:
    """Each server is protected as some object in the files configures it."""
    files = question.exchange.extra.get("files")
    if files is None or not files.get("configured"):
        why = "" if files is None else files["not_checked"]
        return [unobserved("not-compared", why or "no file configures a server that was tested")]
    by_flow: defaultdict[str, list[Configured]] = defaultdict(list)
    for item in files["configured"]:
        by_flow[item["flow"]].append(item)
    found: list[Finding] = []
    for flow, items in by_flow.items():
        agreeing = [item for item in items if _same(item)]
        if not agreeing:
            found.append(violation("not-as-configured", f"{flow}: {_both(items[0])}"))
        found += [
            violation("not-done", f"{flow}: {_said(item)}, and {done}")
            for item in agreeing[:1]
            if (done := _done(item))
        ]
    if not found and files["not_checked"]:
        return [unobserved("not-compared", files["not_checked"])]
    return found


def _done(item: Configured) -> str:
    """What the server does otherwise than the files say, '' where nothing was seen."""
    if item.get("let_in"):
        return f"{item['let_in']} let a client in without it"
    return item.get("turned_away", "")


def _same(item: Configured) -> bool:
    return (item["certificate"], item["token"]) == (item["said_certificate"], item["said_token"])


def _said(item: Configured) -> str:
    words = protection_words(item["certificate"], item["token"])
    return f"{item['file']}:{item['line']}: {item['object']} configures {words}"


def _both(item: Configured) -> str:
    judged_as = protection_words(item["said_certificate"], item["said_token"])
    return f"{_said(item)}; the server was judged as one with {judged_as}"


def protection_words(certificate: bool, token: bool) -> str:
    """``mTLS and JWT``."""
    return " and ".join(word for word, on in (("mTLS", certificate), ("JWT", token)) if on) or "neither mTLS nor JWT"
