"""``hopproof packets``: what captured packets show of connections, of a balancer, and of declared endpoints."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.checks.exposure import PacketFinding, Severity, clear_text, described
from harness.checks.packets import Declared, EndpointVerdict, about, judge, path_mismatch
from harness.commands.verb import Arguments, Verbs, verb
from harness.errors import UsageError
from harness.model.connection import Content
from harness.model.vocabulary import Outcome, Posture
from harness.probes.key_log import opened
from harness.probes.packets import Evidence, both_sides, one_place
from harness.targets import file as target_file
from harness.targets.file import Endpoint, TargetFile
from harness.writers.packets import PacketReport, as_json, as_text
from harness.writers.packets_page import as_page

_FIX = {
    "FLW-0": "make the endpoint answer over TLS only",
    "FLW-3": "pass TLS through to the server that verifies the client's certificate, and make it request one",
    "FLW-5": "pass TLS through, or declare path: terminating",
}


def add(verbs: Verbs) -> None:
    """Add ``packets``."""
    packets = verb(verbs, "packets", run, "read packet captures, and report what they prove")
    packets.add_argument("file", nargs="*", metavar="FILE", help="pcap or pcapng, plain or gzip; - is standard input")
    packets.add_argument("--before", metavar="FILE", help="a capture from the clients' side of a balancer")
    packets.add_argument("--after", metavar="FILE", help="a capture from the servers' side")
    packets.add_argument("--balancer", metavar="IP:PORT", help="where the balancer listens, for captures taken on it")
    packets.add_argument("--flows", type=Path, metavar="TARGET", help="a target file: judge its endpoints")
    packets.add_argument(
        "--format", choices=["text", "json", "page"], default="text", help="output format (default text)"
    )
    packets.add_argument("--keys", metavar="FILE", help="a key log (SSLKEYLOGFILE), with which tshark decrypts")


def run(arguments: Arguments) -> int:
    """Read, judge and print; returns the exit status."""
    target = target_file.read(arguments.flows) if arguments.flows else None
    report = _report(_evidence(arguments), target)
    files = arguments.file or [arguments.before, arguments.after]
    if arguments.keys:
        report = replace(report, opened=opened(files, arguments.keys))
    forms = {"json": lambda: as_json(report), "page": lambda: as_page(report, files), "text": lambda: as_text(report)}
    print(forms[arguments.format]())  # noqa: T201
    return 1 if any(finding.severity is Severity.ERROR for finding in report.findings) else 0


def _evidence(arguments: Arguments) -> Evidence:
    sides = (arguments.before, arguments.after)
    if any(sides):
        return _sides(arguments)
    if not arguments.file:
        raise UsageError("which capture?", hint="hopproof packets FILE, or --before FILE --after FILE")
    if len(set(arguments.file)) < len(arguments.file):
        raise UsageError("the same capture is named twice")
    balancer = None if arguments.balancer is None else _address(arguments.balancer)
    return _usable(one_place(arguments.file, balancer))


def _sides(arguments: Arguments) -> Evidence:
    if not (arguments.before and arguments.after):
        raise UsageError("--before and --after must be given together")
    if arguments.file or arguments.balancer:
        raise UsageError("--before and --after replace FILE and --balancer", hint="use one or the other")
    if arguments.before == arguments.after:
        hint = "hopproof packets FILE --balancer IP:PORT reads one capture that has both sides"
        raise UsageError("--before and --after name the same capture", hint=hint)
    return _usable(both_sides(arguments.before, arguments.after))


def _usable(evidence: Evidence) -> Evidence:
    if not evidence.connections:
        reading = evidence.reading
        left_out = ", ".join(f"{number} x {kind}" for kind, number in sorted(reading.left_out.items()))
        notes = "; ".join(reading.notes)
        more = "; ".join(filter(None, (left_out, notes)))
        raise UsageError(f"no TCP connection in {reading.packets} packets{f' ({more})' if more else ''}")
    return evidence


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    try:
        number = int(port)
        address = str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        number, address = 0, ""
    if not 0 < number < 65536:
        raise UsageError(f"--balancer: {text!r} is not an IP address and a port", hint="such as 10.0.0.7:443")
    return address, number


def _report(evidence: Evidence, target: TargetFile | None) -> PacketReport:
    reading = evidence.reading
    findings = clear_text(evidence.connections)
    verdicts: list[EndpointVerdict] = []
    not_checked = _unread(evidence)
    if target is None:
        why = "no endpoint is declared: give a target file with --flows TARGET"
        not_checked.update(dict.fromkeys(("FLW-0", "FLW-3", "FLW-4", "FLW-5"), why))
    else:
        verdicts = _verdicts(evidence, target, findings, not_checked)
    checked: defaultdict[str, int] = defaultdict(int)
    checked["STS-11"] += sum(item.content in (Content.TLS, Content.HTTP) for item in evidence.connections)
    for verdict in verdicts:
        if verdict.requirement != "STS-11" and verdict.outcome is not Outcome.UNOBSERVED:
            checked[verdict.requirement] += 1
    order = list(Severity)
    return PacketReport(
        packets=reading.packets,
        connections=evidence.connections,
        left_out=dict(reading.left_out),
        notes=[*reading.notes, *_limits(evidence)],
        legs=evidence.legs,
        verdicts=verdicts,
        findings=sorted(findings, key=lambda finding: order.index(finding.severity)),
        checked=dict(checked),
        not_checked=not_checked,
    )


def _unread(evidence: Evidence) -> dict[str, str]:
    """What a bearer token could have hidden in."""
    unread = [item for item in evidence.connections if item.content in (Content.OTHER, Content.UNKNOWN, Content.HTTP2)]
    if not unread and not evidence.reading.not_kept:
        return {}
    number = len(unread) + evidence.reading.not_kept
    return {"STS-11": f"{number} connections are neither TLS nor cleartext HTTP/1.1, or were not kept"}


def _limits(evidence: Evidence) -> list[str]:
    reading, notes = evidence.reading, []
    if reading.ended_early:
        notes.append(f"{reading.ended_early} connections were followed only partly: too many were open at once")
    if reading.not_kept:
        notes.append(f"{reading.not_kept} connections are counted, but not listed or judged: too many")
    return notes


def _verdicts(
    evidence: Evidence, target: TargetFile, findings: list[PacketFinding], not_checked: dict[str, str]
) -> list[EndpointVerdict]:
    verdicts: list[EndpointVerdict] = []
    seen = False
    for endpoint in target.endpoints.values():
        declared = _declared(endpoint)
        connections = about(declared, evidence.connections)
        seen = seen or bool(connections)
        verdicts.extend(judge(declared, connections, evidence.legs, evidence.compared))
        if declared.posture is Posture.DEFAULT:
            why = f"{declared.name}: posture: default does not say what to verify; name the posture"
            _add(not_checked, "FLW-1", why)
        mismatch = path_mismatch(declared, evidence.legs, connections)
        if mismatch:
            findings.append(PacketFinding("FLW-4", Severity.WARNING, "", declared.name, mismatch, "correct the path"))
    if not seen:
        hint = "give connect: IP:PORT in the target file if clients send no SNI"
        raise UsageError("no connection to an endpoint of the target file is in the capture", hint=hint)
    findings.extend(_failed(verdict) for verdict in verdicts if _is_own_finding(verdict))
    for verdict in verdicts:
        if verdict.outcome is Outcome.UNOBSERVED:
            _add(not_checked, verdict.requirement, f"{verdict.endpoint}: {verdict.reason}")
    return verdicts


def _add(not_checked: dict[str, str], requirement: str, why: str) -> None:
    not_checked[requirement] = "; ".join(filter(None, (not_checked.get(requirement), why)))


def _is_own_finding(verdict: EndpointVerdict) -> bool:
    """A token in clear text is a finding of its connection already."""
    return verdict.outcome is Outcome.FAIL and verdict.requirement != "STS-11"


def _failed(verdict: EndpointVerdict) -> PacketFinding:
    first = verdict.connections[0]
    return PacketFinding(
        verdict.requirement,
        Severity.ERROR,
        first.files[0] if first.files else "",
        described(first),
        f"{verdict.endpoint}: {verdict.reason}",
        _FIX[verdict.requirement],
    )


def _declared(endpoint: Endpoint) -> Declared:
    places = [endpoint.connect, (endpoint.host, endpoint.port)]
    if endpoint.origin is not None:
        places.append(endpoint.origin)
    ports = frozenset(port for _, port in places)
    return Declared(endpoint.name, endpoint.host, ports, frozenset(_numeric(places)), endpoint.posture, endpoint.path)


def _numeric(places: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    found = []
    for host, port in places:
        for text in ("127.0.0.1", "::1") if host == "localhost" else (host,):
            try:
                found.append((str(ipaddress.ip_address(text)), port))
            except ValueError:
                continue  # a name: known by what clients ask for
    return found
