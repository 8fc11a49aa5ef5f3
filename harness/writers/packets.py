"""What ``hopproof packets`` prints: connections, passages, outcomes and findings, as text or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from harness.checks.exposure import PacketFinding, described
from harness.checks.packets import EndpointVerdict
from harness.checks.passage import Leg
from harness.model.connection import Connection, Content, Inference, Opened
from harness.model.words import counted

_LISTED = 200


@dataclass(frozen=True)
class PacketReport:
    """All that there is to say of some captures."""

    packets: int
    connections: Sequence[Connection]
    left_out: Mapping[str, int]
    notes: Sequence[str]
    legs: Sequence[Leg]
    verdicts: Sequence[EndpointVerdict]
    findings: Sequence[PacketFinding]
    checked: Mapping[str, int]
    not_checked: Mapping[str, str] = field(default_factory=dict)
    opened: Sequence[Opened] = ()


def as_json(report: PacketReport) -> str:
    """The machine's form: findings as every command writes them, and the connections."""
    return json.dumps(
        {
            "findings": [_finding(finding) for finding in report.findings],
            "checked": report.checked,
            "not_checked": report.not_checked,
            "packets": report.packets,
            "left_out": report.left_out,
            "notes": report.notes,
            "endpoints": [
                {
                    "endpoint": verdict.endpoint,
                    "requirement": verdict.requirement,
                    "outcome": verdict.outcome,
                    "grade": verdict.grade,
                    "reason": verdict.reason,
                    "connections": [described(item) for item in verdict.connections],
                }
                for verdict in report.verdicts
            ],
            "passage": [
                {
                    "before": described(leg.before),
                    "after": [described(item) for item in leg.after],
                    "started": leg.before.started,
                    "passage": leg.passage,
                    "why": leg.why,
                }
                for leg in report.legs
            ],
            "opened": [asdict(item) for item in report.opened],
            "connections": [asdict(item) for item in report.connections],
        },
        indent=1,
    )


def _finding(finding: PacketFinding) -> dict[str, str | None]:
    return {
        "requirement": finding.requirement,
        "severity": finding.severity,
        "file": finding.file,
        "line": None,
        "object": finding.object,
        "path": None,
        "message": finding.message,
        "fix": finding.fix,
    }


def as_text(report: PacketReport) -> str:
    """The form for people.  Text out of the capture is escaped."""
    return "\n".join(escaped(line) for line in _lines(report))


def escaped(line: str) -> str:
    """*line* with what cannot be printed written out."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in line
    )


def _lines(report: PacketReport) -> Iterator[str]:
    yield f"{counted(report.packets, 'packet')}, {counted(len(report.connections), 'TCP connection')}"
    for kind, number in sorted(report.left_out.items()):
        yield f"  skipped: {number} x {kind}"
    for note in report.notes:
        yield f"  note: {note}"
    first = report.connections[0].started if report.connections else 0.0
    for connection in report.connections[:_LISTED]:
        yield ""
        yield from _connection(connection, first)
    if len(report.connections) > _LISTED:
        yield ""
        yield f"{counted(len(report.connections) - _LISTED, 'more connection')}: --format json lists all"
    yield from _inside(report)
    yield from _judged(report)


def _inside(report: PacketReport) -> Iterator[str]:
    if report.opened:
        yield from ("", "Decrypted with the key log:")
    for inside in report.opened[:_LISTED]:
        yield f"  {inside.ends}  {inside.text}"
    if len(report.opened) > _LISTED:
        yield f"  {len(report.opened) - _LISTED} more: --format json lists all"


def _judged(report: PacketReport) -> Iterator[str]:
    if report.legs:
        yield from ("", "Between the two sides:")
    for leg in report.legs[:_LISTED]:
        other = " | ".join(described(item) for item in leg.after) or "nothing"
        yield f"  {described(leg.before)}  =>  {leg.passage}  =>  {other}"
        yield f"    {leg.why}"
    if report.verdicts:
        yield from ("", "Endpoints, from the packets alone:")
    for verdict in report.verdicts:
        yield f"  {verdict.endpoint:20} {verdict.requirement:7} {verdict.outcome:11} {verdict.reason}"
    yield ""
    for finding in report.findings:
        yield f"{finding.severity}: {finding.requirement}: {finding.object}: {finding.message}"
        yield f"  fix: {finding.fix}"
    reasons: dict[str, list[str]] = {}
    for requirement, why in report.not_checked.items():
        reasons.setdefault(why, []).append(requirement)
    for why, requirements in reasons.items():
        yield f"not checked: {', '.join(requirements)}: {why}"
    errors = sum(finding.severity == "error" for finding in report.findings)
    yield f"{counted(errors, 'error')}, {counted(len(report.findings) - errors, 'other finding')}"


def _connection(item: Connection, first: float) -> Iterator[str]:
    yield f"{described(item)}  {kind_of(item)}{f', {item.closed}' if item.closed else ''}"
    if item.hello is not None:
        hello = item.hello
        yield (
            f"  SNI {hello.server_name or 'none'}, ALPN {_list(hello.alpn)}, versions {_list(hello.versions)}, "
            f"groups {_list(hello.groups)}"
        )
        yield f"  JA4 {hello.ja4}, {len(hello.ciphers)} cipher suites"
    for whose, chain in (("server", item.server_chain), ("client", item.client_chain)):
        if chain:
            yield f"  {whose} chain: {' < '.join(view.subject or '(no subject)' for view in chain)}"
    if item.content is Content.TLS:
        yield f"  client certificate: requested {_inferred(item.certificate_requested)}"
        yield f"  client certificate: sent {_inferred(item.certificate_sent)}"
        renegotiated = ", renegotiated" if item.renegotiated else ""
        yield (
            f"  resumed {item.resumed.seen}, 0-RTT {item.early_data.seen}, application data both ways "
            f"{item.application_data}{renegotiated}"
        )
        alerts = [f"{alert.sender}: {alert.name} ({alert.level})" for alert in item.alerts]
        if alerts:
            yield f"  alerts: {', '.join(alerts)}"
    yield from _requests(item)
    yield _amounts(item, first)
    for note in item.notes:
        yield f"  note: {note}"


def kind_of(item: Connection) -> str:
    """What it is, in a few words."""
    if item.answer is not None:
        parts = (item.answer.version, item.answer.cipher, item.answer.group, item.answer.alpn)
        return ", ".join(filter(None, parts))
    words = {
        Content.TLS: "TLS, no ServerHello seen",
        Content.HTTP: "cleartext HTTP",
        Content.HTTP2: "cleartext HTTP/2",
        Content.OTHER: "neither TLS nor HTTP",
        Content.EMPTY: "no data",
        Content.UNKNOWN: "unknown: its beginning was not captured",
    }
    return words[item.content]


def _requests(item: Connection) -> Iterator[str]:
    for request in item.requests[:5]:
        with_token = f", {request.scheme} authorization" if request.scheme else ", without Authorization"
        status = f" answered {request.status}" if request.status else ""
        yield f"  {request.method} {request.path} of {request.host or 'no host'}{with_token}{status}"
    more = len(item.requests) - 5 + item.requests_left_out
    if more > 0:
        yield f"  and {more} more requests"


def _amounts(item: Connection, first: float) -> str:
    missing = item.sent.missing + item.received.missing
    answer = (
        f", first answer after {item.first_answer_after * 1000:.1f} ms" if item.first_answer_after is not None else ""
    )
    return (
        f"  at {item.started - first:.3f} s for {max(item.ended - item.started, 0):.3f} s{answer}; "
        f"{item.sent.bytes} bytes sent, {item.received.bytes} received"
        + (f", {missing} of them not captured" if missing else "")
        + (f"; client identified by {item.client_by}" if item.client_by != "SYN" else "")
    )


def _inferred(inference: Inference) -> str:
    why = f": {inference.why}" if inference.why else ""
    return f"{inference.seen} ({inference.confidence}{why})"


def _list(names: Iterable[str]) -> str:
    return " ".join(names) or "none"
