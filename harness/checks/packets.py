"""What captured packets show of the endpoints that a target file declares.  Pure: from connections to outcomes.

Packets are evidence of what happened during the capture.  What is encrypted, was not captured, or did not happen
in the capture is UNOBSERVED; a PASS covers only the connections in the capture.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from harness.checks.passage import Leg, Passage
from harness.checks.transport import CLEAR_TEXT_REFUSALS
from harness.model.connection import Confidence, Connection, Content, Seen
from harness.model.vocabulary import Grade, Outcome, Path, Posture
from harness.model.words import counted

_SURE = frozenset({Confidence.CERTAIN, Confidence.HIGH})
_MTLS = frozenset({Posture.MTLS, Posture.BOTH})
_JWT = frozenset({Posture.JWT, Posture.BOTH})
_NO_PATH = frozenset({Path.DIRECT, Path.PASSTHROUGH})


@dataclass(frozen=True)
class Declared:
    """An endpoint as a target file declares it.

    ``ports`` are those that the file has for it; ``addresses`` are the places that it writes as numbers.
    """

    name: str
    host: str
    ports: frozenset[int]
    addresses: frozenset[tuple[str, int]]
    posture: Posture
    path: Path


@dataclass(frozen=True)
class EndpointVerdict:
    """The outcome of one requirement at one endpoint, as far as the packets show it."""

    endpoint: str
    requirement: str
    outcome: Outcome
    reason: str
    connections: tuple[Connection, ...] = ()
    grade: Grade = Grade.PACKETS


def about(declared: Declared, connections: Sequence[Connection]) -> list[Connection]:
    """The connections to *declared*: to one of its ports, by the name they ask for or by an address of its own.

    An address is its own where the target file writes it as a number, or where a connection that asked for its name
    went there.  A connection that asks for another name is another site's, unless the endpoint itself has no name.
    """
    host = declared.host.lower()
    candidates = [
        item for item in connections if item.server.port in declared.ports and item.content is not Content.EMPTY
    ]
    named = {(item.server.host, item.server.port) for item in candidates if _asked(item) == host}
    own = declared.addresses | named

    def belongs(item: Connection) -> bool:
        asked = _asked(item)
        at_own = (item.server.host, item.server.port) in own
        return asked == host or (at_own and (_numeric_or_none(asked) or _numeric_or_none(host)))

    return [item for item in candidates if belongs(item)]


def judge(
    declared: Declared, connections: Sequence[Connection], legs: Sequence[Leg], compared: bool
) -> list[EndpointVerdict]:
    """What *connections*, which are those to *declared*, show of its declared posture and path.

    *compared*: *legs* are all connections before a balancer, not only those that were found on both its sides.
    """
    legs = _legs_of(connections, legs, compared)
    found = [_no_clear_text(declared, connections)]
    if declared.posture in _MTLS:
        found.append(_passes_through(declared, connections, legs))
    if declared.posture is Posture.JWT:
        over_path = _terminating if declared.path is Path.TERMINATING else _reads_nothing
        found.append(over_path(declared, legs))
    if declared.posture in _JWT or any(request.token for item in connections for request in item.requests):
        found.append(_tokens_over_tls(declared, connections, legs))
    return found


def _legs_of(connections: Sequence[Connection], legs: Sequence[Leg], compared: bool) -> list[Leg]:
    """The legs of *connections*; none where some of the connections have none, and so are on an unknown side."""
    mine = {id(item) for item in connections}
    own = [leg for leg in legs if id(leg.before) in mine]
    covered = {id(item) for leg in own for item in (leg.before, *leg.after)}
    return own if compared or mine <= covered else []


def path_mismatch(declared: Declared, legs: Sequence[Leg], connections: Sequence[Connection]) -> str:
    """A sentence where the packets show another path than a jwt or open endpoint declares; '' elsewhere."""
    mine = {id(item) for item in connections}
    shown = {leg.passage for leg in legs if id(leg.before) in mine}
    if declared.path is Path.TERMINATING and Passage.PASSED in shown:
        return f"{declared.name} is declared terminating, and the packets show TLS passed through"
    if declared.path in _NO_PATH and declared.posture is Posture.TLS_ONLY and Passage.TERMINATED in shown:
        return f"{declared.name} is declared {declared.path}, and the packets show TLS terminated in between"
    return ""


def _asked(connection: Connection) -> str:
    """The name that a client asked for, lower case and without a port; '' where it named none."""
    if connection.hello is not None:
        return connection.hello.server_name.lower()
    host = connection.requests[0].host.lower() if connection.requests else ""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).strip("[]")


def _numeric_or_none(name: str) -> bool:
    try:
        return not name or bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def _no_clear_text(declared: Declared, connections: Sequence[Connection]) -> EndpointVerdict:
    answered = [item for item in connections if set(item.statuses) - CLEAR_TEXT_REFUSALS - _INTERIM]
    if answered:
        status = next(iter(sorted(set(answered[0].statuses) - CLEAR_TEXT_REFUSALS - _INTERIM)))
        return _verdict(declared, "FLW-0", Outcome.FAIL, f"answered {status} in clear text", answered)
    if not connections:
        return _verdict(declared, "FLW-0", Outcome.UNOBSERVED, _NO_CONNECTION)
    unread = [item for item in connections if item.content in (Content.OTHER, Content.UNKNOWN, Content.HTTP2)]
    if unread:
        text = f"{_count(unread)} neither readable as TLS nor as HTTP/1.1"
        return _verdict(declared, "FLW-0", Outcome.UNOBSERVED, text, unread)
    refused = [item for item in connections if item.content is Content.HTTP and _fully(item)]
    unsure = [item for item in connections if item.content is Content.HTTP and not _fully(item)]
    if refused and not unsure:
        text = f"a cleartext request was refused ({_count(refused)}), everything else was TLS"
        return _verdict(declared, "FLW-0", Outcome.PASS, text, refused)
    if unsure:
        return _verdict(declared, "FLW-0", Outcome.UNOBSERVED, "the response to a cleartext request was not captured")
    return _verdict(declared, "FLW-0", Outcome.UNOBSERVED, f"{_count(connections)} TLS; no cleartext request")


_ALERT_RECORD = 7
_INTERIM = frozenset({100, 101, 103})
_NO_CONNECTION = "no connection to it is in the capture"


def _fully(connection: Connection) -> bool:
    """Whether all that a clear-text client was answered was seen: it was closed, and nothing is missing."""
    whole = not connection.sent.missing and not connection.received.missing and bool(connection.closed)
    answered = len(connection.statuses) == 1 or (not connection.statuses and connection.received.bytes <= _ALERT_RECORD)
    return whole and connection.opening_captured and answered


def _passes_through(declared: Declared, connections: Sequence[Connection], legs: Sequence[Leg]) -> EndpointVerdict:
    """FLW-3: on an mTLS flow TLS is passed through, and the server asks for the client's certificate."""
    if not connections:
        return _verdict(declared, "FLW-3", Outcome.UNOBSERVED, _NO_CONNECTION)
    if declared.path is Path.TERMINATING:
        text = "the flow must fail over a terminating balancer, but whether it does is encrypted"
        return _verdict(declared, "FLW-3", Outcome.UNOBSERVED, text)
    terminated = [leg for leg in legs if leg.passage is Passage.TERMINATED]
    if terminated:
        text = f"TLS is terminated in between ({_count(terminated)}): {terminated[0].why}"
        return _verdict(declared, "FLW-3", Outcome.FAIL, text, [leg.before for leg in terminated])
    unasked = [item for item in connections if _not_asked(item)]
    if unasked:
        text = (
            f"data was exchanged although no client certificate was requested ({_count(unasked)}; "
            f"{unasked[0].certificate_requested.confidence}: {unasked[0].certificate_requested.why})"
        )
        return _verdict(declared, "FLW-3", Outcome.FAIL, text, unasked)
    presented = [item for item in connections if _presented(item)]
    passed = [leg for leg in legs if leg.passage is Passage.PASSED]
    proved = [leg.before.certificate_sent for leg in passed if _presented(leg.before)]
    if proved and len(passed) == len(legs):
        text = f"{_count(passed)} passed through unchanged; a client certificate was presented ({proved[0].confidence})"
        return _verdict(declared, "FLW-3", Outcome.PASS, text, [leg.before for leg in passed])
    return _verdict(declared, "FLW-3", Outcome.UNOBSERVED, _what_lacks(presented, legs), presented)


def _what_lacks(presented: list[Connection], legs: Sequence[Leg]) -> str:
    if not presented:
        return "no connection on which a client certificate was seen and data was exchanged"
    sure = presented[0].certificate_sent.confidence
    text = f"a client certificate was presented and data exchanged ({_count(presented)}, {sure})"
    doubtful = [leg for leg in legs if leg.passage is not Passage.PASSED]
    if doubtful:
        return f"{text}; {doubtful[0].passage}: {doubtful[0].why}"
    return f"{text}; showing that nothing terminates TLS in between takes a capture of both sides (--before, --after)"


def _not_asked(item: Connection) -> bool:
    """Whether application data passed though the server surely asked for no certificate, then or later."""
    asked = item.certificate_requested
    later = item.asked_later is not Seen.NO
    resumed = item.resumed.seen is not Seen.NO
    sure = asked.seen is Seen.NO and asked.confidence in _SURE
    return sure and not later and not resumed and item.application_data is Seen.YES


def _presented(item: Connection) -> bool:
    sent = item.certificate_sent
    return sent.seen is Seen.YES and sent.confidence in _SURE and item.application_data is Seen.YES


def _terminating(declared: Declared, legs: Sequence[Leg]) -> EndpointVerdict:
    """FLW-4: a JWT flow works over a terminating balancer; packets show the termination, not what is inside."""
    terminated = [leg for leg in legs if leg.passage is Passage.TERMINATED]
    text = "takes a capture of both sides of the balancer (--before, --after)"
    if terminated:
        text = (
            f"TLS is terminated ({_count(terminated)}); whether the token arrives unchanged cannot "
            "be seen, since it is encrypted"
        )
    elif legs:
        text = f"{legs[0].passage}: {legs[0].why}"
    return _verdict(declared, "FLW-4", Outcome.UNOBSERVED, text, [leg.before for leg in terminated])


def _reads_nothing(declared: Declared, legs: Sequence[Leg]) -> EndpointVerdict:
    """FLW-5: a passthrough reads nothing."""
    terminated = [leg for leg in legs if leg.passage is Passage.TERMINATED]
    if terminated:
        text = f"declared {declared.path}, and TLS is terminated in between ({_count(terminated)}): {terminated[0].why}"
        return _verdict(declared, "FLW-5", Outcome.FAIL, text, [leg.before for leg in terminated])
    passed = [leg for leg in legs if leg.passage is Passage.PASSED]
    if passed:
        text = (
            f"{_count(passed)} passed through unchanged; whether the flow works cannot be seen, since it is encrypted"
        )
        return _verdict(declared, "FLW-5", Outcome.UNOBSERVED, text, [leg.before for leg in passed])
    text = "takes a capture of both sides of the balancer (--before, --after)"
    return _verdict(declared, "FLW-5", Outcome.UNOBSERVED, text)


def _tokens_over_tls(declared: Declared, connections: Sequence[Connection], legs: Sequence[Leg]) -> EndpointVerdict:
    """STS-11: bearer tokens travel only over TLS."""
    exposed = [item for item in connections if any(request.token for request in item.requests)]
    if exposed:
        text = f"a bearer token travels in clear text ({_count(exposed)})"
        return _verdict(declared, "STS-11", Outcome.FAIL, text, exposed)
    if not connections:
        return _verdict(declared, "STS-11", Outcome.UNOBSERVED, _NO_CONNECTION)
    if declared.path is Path.TERMINATING or any(leg.passage is Passage.TERMINATED for leg in legs):
        text = "TLS is terminated in between, and the token travels on over another connection"
        return _verdict(declared, "STS-11", Outcome.UNOBSERVED, text)
    unread = [item for item in connections if not _token_free(item)]
    if unread:
        text = f"{_count(unread)} not read completely, so a token there might have been missed"
        return _verdict(declared, "STS-11", Outcome.UNOBSERVED, text, unread)
    carried = [item for item in connections if item.content is Content.TLS and item.application_data is Seen.YES]
    if not carried:
        return _verdict(declared, "STS-11", Outcome.UNOBSERVED, "no connection over TLS on which data was exchanged")
    text = f"no token in clear text in this capture: {_count(carried)} over TLS"
    return _verdict(declared, "STS-11", Outcome.PASS, text, carried)


def _token_free(item: Connection) -> bool:
    """Whether no token can have been missed in clear text: it is TLS, or HTTP/1.1 that was read whole."""
    if item.content is Content.TLS:
        return item.hello is not None or item.application_data is Seen.YES
    whole = item.opening_captured and not item.sent.missing and not item.requests_left_out
    return item.content is Content.HTTP and whole


def _verdict(
    declared: Declared, requirement: str, outcome: Outcome, reason: str, connections: Sequence[Connection] = ()
) -> EndpointVerdict:
    return EndpointVerdict(declared.name, requirement, outcome, reason, tuple(connections))


def _count(items: Sequence[object]) -> str:
    return counted(len(items), "connection")
