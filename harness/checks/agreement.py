"""One case, seen twice: by client, balancer and server while it ran, and by captured packets.  Pure.

The two share no source.  The views say what each side's TLS library and HTTP parser reported; the packets are what the
kernel saw, read by our own reader.  Where both observed the same fact they must agree; a contradiction means that one
of the two is wrong, and with it a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.checks.passage import Leg, Passage, Side, compare
from harness.model.connection import Confidence, Connection, Content, Seen
from harness.model.record import Evidence, Row
from harness.model.vocabulary import Grade, Outcome, Path

Pair = tuple[int, int]
"""The client's port and the server's."""

_SURE = frozenset({Confidence.CERTAIN, Confidence.HIGH})


@dataclass(frozen=True)
class Agreement:
    """What the packets show of one case.  ``compared`` are the facts that both observed, ``contradictions`` those on
    which they differ; ``missing`` says why nothing could be compared, '' where something was."""

    case: str
    passage: Passage | None
    why: str
    compared: tuple[str, ...]
    contradictions: tuple[str, ...]
    missing: str = ""


def pairs(evidence: Evidence) -> list[Pair]:
    """The connections that a case's evidence names: from the client, and on from the balancer."""
    client, balancer, server = evidence.get("client", {}), evidence.get("balancer", {}), evidence.get("server", {})
    ends = [
        (client.get("local_port"), client.get("peer_port")),
        (balancer.get("peer_port"), balancer.get("local_port")),
        (balancer.get("upstream_port"), server.get("local_port")),
        (server.get("peer_port"), server.get("local_port")),
    ]
    return list(dict.fromkeys((near, far) for near, far in ends if near and far))


def every_pair(evidence: Evidence) -> list[Pair]:
    """The connections of a case: those of :func:`pairs`, and those of a case that has several."""
    further = [(near, far) for near, far in evidence.get("extra", {}).get("sockets", [])]
    return list(dict.fromkeys([*pairs(evidence), *further]))


def agreement(row: Row, captured: Mapping[Pair, Sequence[Connection]]) -> Agreement:
    """How the packets *captured*, by port pair, compare with what *row* recorded."""
    found = [captured.get(pair, ()) for pair in pairs(row["evidence"])]
    if not found:
        several = every_pair(row["evidence"])
        why = f"it has {len(several)} connections, not one of its own" if several else "it opens no connection"
        return _nothing(row, why)
    if not all(found):
        return _nothing(row, "one of its connections is not in the capture")
    if any(len(connections) > 1 for connections in found):
        return _nothing(row, "its ports were used more than once in the run")
    own = [connections[0] for connections in found]
    leg = _leg(own)
    facts = _facts(row, own, leg)
    return Agreement(
        row["case"],
        leg.passage if leg else None,
        leg.why if leg else "",
        tuple(name for name, _ in facts),
        tuple(message for _, message in facts if message),
        "" if facts else "live run and packets have no fact in common",
    )


def _nothing(row: Row, why: str) -> Agreement:
    return Agreement(row["case"], None, "", (), (), why)


def _leg(own: Sequence[Connection]) -> Leg | None:
    """What became of the client's connection at the balancer; None without one."""
    if len(own) < 2:
        return None
    legs = compare(own[:1], Side(own[1:], None, None))
    return legs[0] if legs else None


def _facts(row: Row, own: Sequence[Connection], leg: Leg | None) -> list[tuple[str, str]]:
    """Every fact that both observed, with the contradiction ('' for none)."""
    evidence, first, last = row["evidence"], own[0], own[-1]
    found = [_end_to_end(evidence, leg), _path(row, leg), _encrypted(evidence, first)]
    found += [_version(evidence, first), _served(evidence, first), _refused(evidence, first), _alert(evidence, first)]
    found += [_certificate(evidence, last), _exposed(row, first)]
    return [fact for fact in found if fact is not None]


def _end_to_end(evidence: Evidence, leg: Leg | None) -> tuple[str, str] | None:
    """Both ends of one TLS connection have the same Finished message; packets show the same hello on both sides."""
    near = evidence.get("client", {}).get("handshake_sha256")
    far = evidence.get("server", {}).get("handshake_sha256")
    if leg is None or leg.passage not in (Passage.PASSED, Passage.TERMINATED) or not near or not far:
        return None
    wrong = (near == far) != (leg.passage is Passage.PASSED)
    same = "the same" if near == far else "different"
    return "end-to-end", f"{leg.passage} on the wire, but {same} handshakes at both ends" if wrong else ""


def _path(row: Row, leg: Leg | None) -> tuple[str, str] | None:
    """A case that passed did so over the path that it names; one that packets judged says so itself."""
    if row["grade"] == Grade.PACKETS:
        return None
    shown = {Path.PASSTHROUGH: Passage.TERMINATED, Path.TERMINATING: Passage.PASSED}
    if leg is None or row["path"] not in shown or row["outcome"] != Outcome.PASS:
        return None
    wrong = leg.passage is shown[Path(row["path"])]
    return "path", f"PASS over {row['path']}, but the packets show that TLS was {leg.passage}" if wrong else ""


def _encrypted(evidence: Evidence, first: Connection) -> tuple[str, str] | None:
    client = evidence.get("client", {})
    if (not client.get("established") and not client.get("response")) or first.content is Content.UNKNOWN:
        return None
    tls = bool(client.get("established"))
    wrong = tls != (first.content is Content.TLS)
    return (
        "encrypted",
        f"the client spoke {'TLS' if tls else 'clear text'}, the packets show {first.content}" if wrong else "",
    )


def _version(evidence: Evidence, first: Connection) -> tuple[str, str] | None:
    version = evidence.get("client", {}).get("tls_version")
    if not version or first.answer is None:
        return None
    wrong = version != first.answer.version
    return "version", f"the client negotiated {version}, the packets show {first.answer.version}" if wrong else ""


def _served(evidence: Evidence, first: Connection) -> tuple[str, str] | None:
    client = evidence.get("client", {})
    if not client.get("established") or not client.get("response"):
        return None
    wrong = first.application_data is Seen.NO
    return "answered", "the client received a response over TLS, the packets show no application data" if wrong else ""


def _refused(evidence: Evidence, first: Connection) -> tuple[str, str] | None:
    client, data = evidence.get("client", {}), first.application_data
    if client.get("established") is not False or first.content is not Content.TLS or data is Seen.UNKNOWN:
        return None
    wrong = data is Seen.YES
    return "refused", "the client's handshake failed, the packets show application data of both sides" if wrong else ""


def _alert(evidence: Evidence, first: Connection) -> tuple[str, str] | None:
    """The alert that the client received, where the server's fatal one was sent in the clear."""
    received = evidence.get("client", {}).get("alert")
    sent = [alert.name for alert in first.alerts if alert.sender == "server" and alert.level == "fatal"]
    if not received or not sent:
        return None
    wrong = received not in sent
    return "alert", f"the client received the alert {received}, the packets show {', '.join(sent)}" if wrong else ""


def _certificate(evidence: Evidence, last: Connection) -> tuple[str, str] | None:
    """The chain that the server was given, against what the packets to the server show or let infer."""
    server, sent = evidence.get("server"), last.certificate_sent
    if server is None or not server.get("established") or sent.seen is Seen.UNKNOWN or sent.confidence not in _SURE:
        return None
    given = bool(server.get("client_chain"))
    wrong = given != (sent.seen is Seen.YES)
    message = (
        f"the server was given {'a' if given else 'no'} client certificate, the packets show the opposite: {sent.why}"
    )
    return "client-certificate", message if wrong else ""


def _exposed(row: Row, first: Connection) -> tuple[str, str] | None:
    """A token in clear text on a connection on which the client spoke TLS; what a balancer makes of it is a finding."""
    if not row["evidence"].get("client", {}).get("established"):
        return None
    wrong = any(request.token for request in first.requests)
    return "token-encrypted", "the client spoke TLS, but the packets show a bearer token in clear text" if wrong else ""
