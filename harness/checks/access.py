"""Who is accepted and who is rejected, for which reason, and what a balancer did to the exchange."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harness.checks.outside import not_the_server, other_credential
from harness.checks.question import Question, note, unobserved, violation, wrong_reason
from harness.model.case import GOOD
from harness.model.catalogue import CataloguedClass
from harness.model.exchange import RequestView
from harness.model.verdict import Finding, FindingKind
from harness.model.vocabulary import Path, Reason

Maker = Callable[[str, str], Finding]
# What an HTTP front end says of a request it will not read (RFC 9110 section 15.5, RFC 6585 section 5).
_UNREADABLE = frozenset({400, 413, 414, 431})
_ABSENT = (frozenset({Reason.TOKEN_MISSING}), frozenset({Reason.CERTIFICATE_MISSING}))


def served(question: Question) -> list[Finding]:
    """The request must succeed, have its effect, and arrive unchanged over whatever lies between."""
    return [*_answered(question), *_named(question), *_forwarding(question, violation), *_privacy(question)]


def certificate_refused(question: Question) -> list[Finding]:
    """The client must be turned away because of its certificate: by a TLS alert, or before anything is acted upon."""
    acceptable_reasons = question.acceptable_reasons("certificate")
    return [
        *_turned_away(question, acceptable_reasons, question.certificate_statuses),
        *_stimulus_arrived(question),
        *other_credential(question, "certificate"),
    ]


def token_refused(question: Question) -> list[Finding]:
    """The request must be answered with the dialect's status for a bad token, because of the token, unacted upon."""
    acceptable_reasons = question.acceptable_reasons("token", "transport")
    findings = [
        *_turned_away(question, acceptable_reasons, question.token_statuses),
        *_stimulus_arrived(question),
        *other_credential(question, "token"),
    ]
    findings += _fetched(question)
    if forms := question.exchange.extra.get("forms"):
        findings.append(note("forms", f"{forms} forms of it were sent"))
    message = [finding for finding in findings if finding.kind is not FindingKind.NOTE]
    if not message and question.status is None:
        findings.append(wrong_reason("no-answer", "the connection ended without an HTTP answer to the bad token"))
    return findings


def _fetched(question: Question) -> Iterator[Finding]:
    """A URL in a token is the attacker's: fetching it is a fault of its own, whatever happens to the token."""
    extra = question.exchange.extra
    if extra.get("fetched"):
        text = f"fetched the URL that the token names, {extra['fetched']} times: the sender of a token chooses the URL"
        yield violation("fetched", text)
    elif extra.get("fetchable") is False:
        text = (
            "refused, but a server on another machine cannot reach the listener on loopback, "
            "so a fetch cannot be observed"
        )
        yield unobserved("out-of-reach", text)


def turned_away(question: Question, acceptable_reasons: frozenset[Reason], statuses: frozenset[int]) -> list[Finding]:
    """The client is answered with one of *statuses*, for one of *acceptable_reasons*, and nothing is acted upon."""
    return [*_turned_away(question, acceptable_reasons, statuses), *_stimulus_arrived(question)]


def refused(question: Question) -> list[Finding]:
    """Certificate and token are both bad: either may be the reason."""
    acceptable_reasons = question.acceptable_reasons("certificate", "token", "transport")
    statuses = question.dialect.certificate_statuses | question.dialect.token_statuses
    return turned_away(question, acceptable_reasons, statuses)


def flow_broken(question: Question) -> list[Finding]:
    """A terminating balancer without the client's key must not get through an mTLS endpoint."""
    balancer, server = question.balancer, question.exchange.server
    if question.accepted:
        holds_key = bool(server and server.client_chain)
        who = (
            "the balancer holds a client key and acts as the client"
            if holds_key
            else "the server asked for no certificate"
        )
        return [violation("flow-works", f"the flow works through a terminating balancer: {who}")]
    if question.exchange.effect:
        return [wrong_reason("acted-upon", "answered with an error, but acted upon nevertheless")]
    if question.client.fault or question.client.timed_out:
        return [unobserved("network", question.client.fault or "no response before the deadline")]
    if about_somebody_else := not_the_server(question):
        return about_somebody_else
    if balancer is None and question.both_sides:
        return [unobserved("balancer-silent", "the balancer logged nothing for this connection")]
    if balancer is not None and balancer.upstream_port is None:
        return [unobserved("not-forwarded", "the balancer never connected to the server")]
    if server is None:
        return (
            [unobserved("server-silent", "the server recorded nothing for this connection")]
            if question.both_sides
            else []
        )
    if question.server_reason != Reason.CERTIFICATE_MISSING:
        message = question.server_reason or "nothing"
        return [
            wrong_reason(
                "other-reason", f"expected the server to report a missing client certificate, it reports: {message}"
            )
        ]
    return []


def _named(question: Question) -> Iterator[Finding]:
    """Where the audience or issuer is what is asked, a token that names another one must not be served."""
    misnamed = question.exchange.extra.get("misnamed")
    if misnamed and question.case.params.compares_audience:
        yield violation("other-audience", f"served nevertheless: {misnamed}")


def _answered(question: Question) -> Iterator[Finding]:
    client, flow = question.client, question.case.flow
    if client.fault:
        yield unobserved("network", client.fault)
    elif client.server_refused:
        yield violation("server-untrusted", f"the client refused the server's certificate: {client.server_refused}")
    elif client.timed_out:
        yield violation("no-answer", "no response before the deadline")
    elif about_somebody_else := not_the_server(question):
        yield from about_somebody_else
    elif client.response is None:
        how = (
            f"the connection ended with alert {client.alert}"
            if client.alert
            else "the connection was closed without a response"
        )
        yield violation("not-served", f"{how}{_server_reason(question)}")
    elif question.marked:
        yield violation("not-served", f"answered {client.response.status}, which dialect.refusal marks as a refusal")
    elif client.response.status != flow.success:
        text = f"answered {client.response.status} instead of {flow.success}{_server_reason(question)}"
        yield violation("not-served", text)
    elif question.exchange.effect is False:
        yield violation("no-effect", f"answered {flow.success}, but not done: {flow.effect}")


def _server_reason(question: Question) -> str:
    """What the server says of it, where it can be asked."""
    server, request = question.exchange.server, question.server_request
    if server is None:
        return ""
    detail = (request.detail if request else "") or server.detail
    parts = (question.server_reason or (request.decision if request else ""), detail)
    return f"; the server reports: {', '.join(filter(None, parts)) or 'nothing'}"


def _turned_away(
    question: Question, acceptable_reasons: frozenset[Reason], statuses: frozenset[int]
) -> Iterator[Finding]:
    client, status = question.client, question.status
    if Reason.BAD_REQUEST in acceptable_reasons:
        statuses |= _UNREADABLE
    if about_somebody_else := not_the_server(question):
        yield from about_somebody_else
    elif question.accepted and status not in statuses:
        yield violation("accepted", f"answered {status}: accepted{_what(question)}")
    elif question.exchange.effect:
        yield wrong_reason("acted-upon", f"answered {status or 'nothing'}, but acted upon: {question.case.flow.effect}")
    elif client.fault or client.server_refused:
        yield unobserved("network", client.fault or f"the client refused the server: {client.server_refused}")
    elif client.timed_out:
        yield unobserved("no-answer", "neither accepted nor rejected before the deadline")
    elif question.answered_by_balancer:
        yield unobserved("not-forwarded", "the balancer answered itself; the stimulus never reached the server")
    elif status is not None and status >= 500:
        yield violation("server-error", f"answered {status}: input from an attacker must not make the server fail")
    elif status is not None and status not in statuses and not question.marked:
        hint = "" if question.both_sides else " (if this is how the product refuses, list it under dialect)"
        yield wrong_reason("other-status", f"answered {status}, expected one of {_numbers(statuses)}{hint}")
    else:
        yield from _for_the_reason(question, acceptable_reasons)


def _for_the_reason(question: Question, acceptable_reasons: frozenset[Reason]) -> Iterator[Finding]:
    reason = question.server_reason
    if reason:
        if reason not in acceptable_reasons:
            expected = " or ".join(sorted(acceptable_reasons)) or "none"
            yield wrong_reason("other-reason", f"the server reports {reason}, expected {expected}")
    elif question.both_sides:
        yield unobserved("server-silent", "rejected, but the server gave no reason for this connection")
    else:
        yield note("reason-unseen", "rejected; only comparison with its positive twin shows why")


def _what(question: Question) -> str:
    """What was presented that ought to have been refused: `` with no token at all``; '' where nothing was wrong."""
    stimulus, form = question.case.stimulus, question.exchange.extra.get("form")
    names = (stimulus.certificate, stimulus.token, stimulus.transport)
    message = [_presented(question.classes[name]) for name in names if name != GOOD]
    return f" with {' and '.join(message)}{f': {form}' if form else ''}" if message else ""


def _presented(presented: CataloguedClass) -> str:
    if presented.acceptable_reasons in _ABSENT:
        return presented.summary or f"no {presented.kind}"
    words = f" ({presented.summary})" if presented.summary else ""
    return f"the {presented.kind} {presented.name}{words}"


def _numbers(values: frozenset[int]) -> str:
    return ", ".join(str(value) for value in sorted(values))


def _stimulus_arrived(question: Question) -> Iterator[Finding]:
    """Through a balancer a rejection counts only if the balancer forwarded the stimulus unchanged."""
    yield from _forwarding(question, unobserved)


def _forwarding(question: Question, make: Maker) -> Iterator[Finding]:
    """Whether what the server saw is what the client sent; *make* makes the finding where it is not."""
    if question.case.path is Path.DIRECT:
        return
    if question.balancer is None:
        if question.both_sides:
            yield unobserved("balancer-silent", "the balancer logged nothing for this connection")
        return
    if question.case.path is Path.PASSTHROUGH:
        yield from _one_connection(question, make)
    if question.case.path is Path.TERMINATING:
        for who, observed in (("balancer", question.balancer_request), ("server", question.server_request)):
            yield from _differences(question, who, observed, make)


def _one_connection(question: Question, make: Maker) -> Iterator[Finding]:
    """Through a passthrough client and server have one TLS connection, whatever the balancer says of itself."""
    server = question.exchange.server
    theirs = server.handshake_sha256 if server else ""
    if theirs and theirs != question.client.handshake_sha256:
        yield make(
            "other-connection", "the server's TLS connection is not the client's: something in between terminated it"
        )


def _differences(question: Question, who: str, seen: RequestView | None, make: Maker) -> Iterator[Finding]:
    client = question.client
    if who == "server" and question.exchange.server is None:
        if question.both_sides and client.response is not None:
            yield unobserved("server-silent", "the server recorded nothing for this connection")
    elif seen is None:
        if question.both_sides and client.response is not None:
            yield make("not-forwarded", f"the {who} saw no request")
    elif not seen.digested:
        return  # what the server saw tells as much: that is asked for besides
    elif seen.authorization_sha256 != client.authorization_sha256:
        yield make("token-changed", f"the Authorization header the {who} saw is not the one the client sent")
    elif seen.body_sha256 != client.body_sha256:
        yield make("body-changed", f"the payload the {who} saw is not the one the client sent")


def _privacy(question: Question) -> Iterator[Finding]:
    """A passthrough must see nothing: no handshake of its own, no request, and the server's own certificate arrives."""
    balancer = question.balancer
    if question.case.path is not Path.PASSTHROUGH or balancer is None:
        return
    if balancer.established or balancer.requests:
        yield violation("payload-visible", "the passthrough balancer terminated TLS and could read the payload")
    own = question.exchange.extra.get("server_leaf_sha256", "")
    observed = question.client.server_chain[0].sha256 if question.client.server_chain else ""
    if own and observed and own != observed:
        yield violation("other-certificate", "the client saw a certificate other than the server's own")


def nothing_passed_on(question: Question) -> list[Finding]:
    """A balancer that re-encrypts must not send the request on to a server that it must not trust.

    That the server received nothing is reported by the server, or by a balancer that blames the certificate.
    """
    balancer, observed, client = question.balancer, question.server_request, question.client
    if observed is not None or question.exchange.effect or question.accepted:
        token = " with its JWT" if client.authorization_sha256 else ""
        return [violation("passed-on", f"the balancer forwarded the request{token} to a server that it must not trust")]
    if client.fault or client.server_refused or client.timed_out:
        return [unobserved("network", client.fault or client.server_refused or "no response before the deadline")]
    if balancer is None:
        return [unobserved("balancer-silent", "the balancer logged nothing for this connection")]
    if question.exchange.server is None and "certificate" not in balancer.upstream_error.lower():
        message = balancer.upstream_error or "nothing"
        return [
            unobserved(
                "no-account", f"the server recorded nothing, and the balancer does not blame the certificate: {message}"
            )
        ]
    return []


def token_lost(question: Question) -> list[Finding]:
    """A good token that the balancer drops must leave the request refused for want of a token, and not acted upon."""
    observed = question.balancer_request
    if observed is None:
        return [unobserved("balancer-silent", "the balancer logged nothing for this request")]
    reached = observed.authorization_sha256 if observed.digested else question.client.authorization_sha256
    if not reached:
        return [unobserved("no-token", "no token reached the balancer")]
    return list(_turned_away(question, frozenset({Reason.TOKEN_MISSING}), question.dialect.token_statuses))
