"""What captured packets must show of a case.  Reads ``extra["packets"]`` only: what an end of a connection reported of
itself is ignored, so these verdicts and those of the live run share no source."""

from __future__ import annotations

from collections.abc import Sequence

from harness.checks.passage import Passage
from harness.checks.question import Question, unobserved, violation
from harness.model.connection import Content, Seen
from harness.model.observations import OnTheWire, Packets
from harness.model.verdict import Finding

_CLEAR = frozenset({Content.HTTP, Content.HTTP2})


def _captured(question: Question) -> Packets | None:
    """What was captured of the case; None where its own connection was not."""
    packets = question.exchange.extra.get("packets")
    return None if packets is None or packets["missing"] or "client" not in packets else packets


def _no_termination(packets: Packets) -> list[Finding]:
    """What no balancer that terminates TLS may do: pass the handshake through, or leave something in clear text."""
    if packets["passage"] == Passage.PASSED:
        return [violation("passed-through", f"the balancer declared terminating passes TLS through: {packets['why']}")]
    return _exposed([packets["client"], *packets.get("onward", [])])


def passed_through(question: Question) -> list[Finding]:
    """Both sides of the balancer have the same handshake, and with it the client's certificate goes to the server."""
    packets = _captured(question)
    if packets is None:
        return [_missing(question)]
    client = packets["client"]
    if exposed := _exposed([client, *packets.get("onward", [])]):
        return exposed
    if packets["passage"] == Passage.TERMINATED:
        return [violation("terminated", f"TLS is terminated in between: {packets['why']}")]
    if packets["passage"] != Passage.PASSED:
        return [unobserved("passage-unknown", f"{packets['passage']}: {packets['why']}")]
    return _client_proved(client)


def certificate_sent(question: Question) -> list[Finding]:
    """With nothing in between: the server asks for a client certificate, gets one, and data goes both ways."""
    packets = _captured(question)
    if packets is None:
        return [_missing(question)]
    client = packets["client"]
    return _exposed([client]) or _client_proved(client)


def _client_proved(item: OnTheWire) -> list[Finding]:
    if item["data"] == Seen.YES and item["asked"] == Seen.NO and item["sure"]:
        return [
            violation("not-asked", f"data flowed in both directions and no certificate was requested: {item['why']}")
        ]
    if item["data"] != Seen.YES:
        return [_no_data(item)]
    if item["sent"] != Seen.YES or not item["sure"]:
        return [
            unobserved("certificate-unseen", f"it is uncertain whether a client certificate was sent: {item['why']}")
        ]
    return []


def nothing_carried(question: Question) -> list[Finding]:
    """The balancer terminates TLS, and no data reaches the server, with or without a certificate."""
    packets = _captured(question)
    if packets is None:
        return [_missing(question)]
    if broken := _no_termination(packets):
        return broken
    onward = packets.get("onward", [])
    for item in onward:
        if item["data"] == Seen.YES:
            whose = (
                "with a certificate that the balancer holds" if item["sent"] == Seen.YES else "without a certificate"
            )
            return [violation("data-exchanged", f"data reaches the server {whose} ({item['ends']})")]
    unsure = [item for item in onward if item["data"] != Seen.NO]
    return [_no_data(unsure[0])] if unsure else _terminated(question)


def reencrypted(question: Question) -> list[Finding]:
    """The balancer terminates TLS, opens TLS of its own to the server, and data goes both ways on both."""
    packets = _captured(question)
    if packets is None:
        return [_missing(question)]
    if broken := _no_termination(packets):
        return broken
    onward = packets.get("onward", [])
    if not onward:
        return [unobserved("nothing-behind", "no connection of the balancer to the server was captured")]
    quiet = [item for item in (packets["client"], *onward) if item["data"] != Seen.YES]
    return [_no_data(quiet[0])] if quiet else _terminated(question)


def _terminated(question: Question) -> list[Finding]:
    packets = question.exchange.extra["packets"]
    if packets["passage"] in (Passage.TERMINATED, Passage.NEITHER):
        return []
    return [unobserved("passage-unknown", f"{packets['passage']}: {packets['why']}")]


def encrypted(question: Question) -> list[Finding]:
    """Every connection of the case is TLS, data goes both ways, and no bearer token is in clear text."""
    packets = _captured(question)
    if packets is None:
        return [_missing(question)]
    own = [packets["client"], *packets.get("onward", [])]
    if exposed := _exposed(own):
        return exposed
    unread = [item for item in own if item["content"] != Content.TLS]
    if unread:
        return [unobserved("not-read", f"{unread[0]['ends']} is {unread[0]['content']}, so a token could be in it")]
    quiet = [item for item in own if item["data"] != Seen.YES]
    return [_no_data(quiet[0])] if quiet else []


def nothing_sent(question: Question) -> list[Finding]:
    """The client breaks the handshake off with what it meets, and sends no data."""
    packets = _captured(question)
    if packets is None:
        return [_missing(question)]
    return _exposed([packets["client"]]) or _broken_off(packets["client"])


def nothing_passed_on(question: Question) -> list[Finding]:
    """The balancer breaks the handshake off with the server, and sends no data on."""
    packets = _captured(question)
    if packets is None:
        return [_missing(question)]
    onward = packets.get("onward", [])
    if exposed := _exposed([packets["client"], *onward]):
        return exposed
    if not onward:
        return [unobserved("nothing-behind", "no connection of the balancer to the server was captured")]
    return [finding for item in onward for finding in _broken_off(item)]


def _broken_off(last: OnTheWire) -> list[Finding]:
    if last["content"] != Content.TLS:
        return [unobserved("no-handshake", f"{last['ends']} is {last['content']}: not an aborted handshake")]
    if last["data"] == Seen.NO:
        return []
    if last["data"] == Seen.YES:
        return [violation("data-exchanged", f"data flowed in both directions on {last['ends']}")]
    return [_no_data(last)]


def unnamed(question: Question) -> list[Finding]:
    """The balancer names no host in its ClientHello, and data goes both ways all the same."""
    found = reencrypted(question)
    named = [item for item in _onward(question) if item["server_name"]]
    return (
        [violation("named", f"the balancer sends the SNI {named[0]['server_name']}")] if not found and named else found
    )


def certificate_of_balancer(question: Question) -> list[Finding]:
    """The balancer terminates TLS, and sends a client certificate to the server on a handshake of its own."""
    found = reencrypted(question)
    if found:
        return found
    onward = _onward(question)
    return [finding for item in onward for finding in _client_proved(item)]


def _onward(question: Question) -> Sequence[OnTheWire]:
    packets = question.exchange.extra.get("packets")
    return packets.get("onward", []) if packets is not None else []


def _exposed(own: Sequence[OnTheWire]) -> list[Finding]:
    """Clear text where there must be none: a token above all."""
    for item in own:
        if item["tokens"]:
            return [violation("token-in-clear-text", f"a bearer token is in clear text on {item['ends']}")]
    clear = [item for item in own if item["content"] in _CLEAR]
    return [violation("clear-text", f"{clear[0]['ends']} is cleartext HTTP")] if clear else []


def _missing(question: Question) -> Finding:
    packets = question.exchange.extra.get("packets")
    return unobserved("no-packets", (packets and packets["missing"]) or "no packets were captured")


def _no_data(item: OnTheWire) -> Finding:
    if item["data"] == Seen.NO:
        return violation("no-data", f"no data was exchanged on {item['ends']}")
    why = f" ({doubt})" if (doubt := item.get("doubt")) else ""
    return unobserved("data-unseen", f"whether data flowed in both directions on {item['ends']} is not known{why}")
