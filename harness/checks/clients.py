"""What a subsystem under test must do when it is the *client*."""

from __future__ import annotations

from harness.checks.question import Question, unobserved, violation, wrong_reason
from harness.model.verdict import Finding


def nothing_sent(question: Question) -> list[Finding]:
    """The client under test must refuse the server's certificate; no request, so no token, may reach that server."""
    act, observed = question.exchange.extra.get("act"), question.server_request
    if act is None:
        return [unobserved("not-driven", "the client under test could not be driven")]
    if observed is not None:
        token = " with its JWT" if observed.token else ""
        return [violation("sent", f"{question.case.flow.client} sent its request{token} to a server it must not trust")]
    if act.get("status") is not None:
        return [violation("sent", f"{question.case.flow.client} was answered by a server it must not trust")]
    if question.exchange.server is None and question.exchange.balancer is None and question.both_sides:
        return [unobserved("server-silent", "neither server nor balancer recorded this connection")]
    if "certificate" not in (act.get("error") or ""):
        message = act.get("error") or "nothing"
        return [
            unobserved(
                "no-account", f"{question.case.flow.client} does not blame the certificate, it reports: {message}"
            )
        ]
    return []


def token_sent(question: Question) -> list[Finding]:
    """The client under test must carry a JWT that is valid now and reach its peer with it.

    Reads ``extra["act"]`` (the client's account: ``status``, ``error``) and ``extra["now"]`` (the lab's clock).
    """
    act = question.exchange.extra.get("act")
    observed = question.server_request
    if act is None:
        return [unobserved("not-driven", "the client under test could not be driven")]
    if observed is None and act.get("status") is not None:
        return [unobserved("server-silent", "answered, but the server recorded nothing for this request")]
    if observed is None:
        message = act.get("error") or "no request was seen"
        return [violation("not-sent", f"{question.case.flow.client} could not reach the server: {message}")]
    if observed.token is None or observed.token.claims is None:
        return [violation("no-token", f"{question.case.flow.client} sent no JWT")]
    expiry, start = observed.token.claims.get("exp"), observed.token.claims.get("nbf", 0)
    now = question.exchange.extra["now"]
    if not isinstance(expiry, int | float) or not isinstance(start, int | float) or not start <= now < expiry:
        return [violation("stale-token", f"{question.case.flow.client} sent a JWT that is no longer valid")]
    if act.get("status") != question.case.flow.success:
        message = act.get("error") or f"answered {act.get('status')}"
        return [violation("not-served", f"{question.case.flow.client}'s own request did not succeed: {message}")]
    return []


def not_bypassed(question: Question) -> list[Finding]:
    """Past the balancer the client under test must find no server to talk to, at any of its addresses.

    Reads ``extra["past"]``: the client's account of each try; with the balancer, it is served all the same.
    """
    tries, act = question.exchange.extra.get("past", ()), question.exchange.extra.get("act")
    if not tries or act is None:
        return [unobserved("not-tried", "no attempt was made to bypass the balancer")]
    reached = [item for item in tries if item.get("status") is not None or item.get("local_port") is not None]
    if reached or question.exchange.effect:
        return [violation("bypassed", f"{question.case.flow.client} reached the server without its balancer")]
    if act.get("status") != question.case.flow.success:
        message = act.get("error") or f"answered {act.get('status')}"
        return [unobserved("no-twin", f"with the balancer the request did not succeed either: {message}")]
    return []


def called(question: Question) -> list[Finding]:
    """The client under test must get through with its own request."""
    act = question.exchange.extra.get("act")
    if act is None:
        return [unobserved("not-driven", "the client under test could not be driven")]
    if act.get("status") != question.case.flow.success:
        message = act.get("error") or f"answered {act.get('status')}"
        return [violation("not-served", f"{question.case.flow.client}'s own request did not succeed: {message}")]
    if question.server_request is None and question.both_sides:
        return [unobserved("server-silent", "the server recorded nothing for this request")]
    return []


def no_token_sent(question: Question) -> list[Finding]:
    """The client under test must get through, and send no JWT: the product has none on this flow."""
    findings = called(question)
    observed = question.server_request
    if not findings and observed is not None and observed.authorization_sha256:
        return [
            violation(
                "token", f"{question.case.flow.client} sent a token, although the documents say that it never does"
            )
        ]
    return findings


def own_request_refused(question: Question) -> list[Finding]:
    """The client under test must be turned away, for the reasons in ``params["acceptable_reasons"]``."""
    act, observed = question.exchange.extra.get("act"), question.server_request
    if act is None:
        return [unobserved("not-driven", "the client under test could not be driven")]
    status = act.get("status")
    if status is not None and status < 400:
        return [violation("accepted", f"answered {status}, although {question.case.flow.client} sends no token")]
    if question.exchange.effect:
        return [wrong_reason("acted-upon", f"answered {act.get('status')}, but acted upon nevertheless")]
    acceptable_reasons = question.case.params.acceptable_reasons
    if question.exchange.server is None:
        return [unobserved("server-silent", "the server recorded nothing for this connection")]
    if observed is None or observed.reason not in acceptable_reasons:
        message = (observed.reason if observed else "") or question.server_reason or "nothing"
        return [
            wrong_reason("other-reason", f"the server reports {message}, expected {' or '.join(acceptable_reasons)}")
        ]
    return []
