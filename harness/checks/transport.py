"""What a TLS endpoint must not do with clear text."""

from __future__ import annotations

from harness.checks.question import Question, note, unobserved, violation
from harness.model.verdict import Finding

# nginx and others tell a clear-text client so in clear text; that is a refusal by the front end, not an application's
# answer (nginx documentation, "Error Processing" of ngx_http_ssl_module: 497; on the wire 400).
CLEAR_TEXT_REFUSALS = frozenset({301, 302, 307, 308, 400, 426, 497})


def own_certificate(question: Question) -> list[Finding]:
    """What is called a passthrough must leave the handshake to the server: its own certificate is what a client meets.

    That the certificate is the server's shows no more than that: a copy of its key is enough
    to terminate TLS in between.
    """
    compared = question.exchange.extra["compared"]
    front, direct = compared["front"], compared.get("direct")
    own = direct["leaf"] if direct else compared["own"]
    if not front["leaf"] or not own:
        fault = front["fault"] or (direct["fault"] if direct else "") or "no certificate was seen"
        where = "in front" if not front["leaf"] else "of the server itself"
        return [unobserved("certificate-unseen", f"the certificate {where} could not be seen: {fault}")]
    if front["leaf"] != own:
        observed = f"the client sees the certificate {front['leaf'][:16]}..., the server's own is {own[:16]}..."
        return [
            violation("other-certificate", f"{observed}: something in between terminates TLS and can read the payload")
        ]
    if direct and direct["asked"] != front["asked"]:
        asks = "requests a client certificate, but the front end does not"
        message = asks if direct["asked"] else "requests no client certificate, but the front end does"
        return [violation("other-handshake", f"the server itself {message}: something in between ends TLS")]
    return [
        note("same-certificate", "the same certificate; a front end with a copy of its key could still terminate TLS")
    ]


def no_clear_text(question: Question) -> list[Finding]:
    """A request in clear text, good credentials included, must get no application answer and have no effect."""
    client, status = question.client, question.status
    if question.exchange.effect:
        return [violation("acted-upon", f"acted upon a request in clear text: {question.case.flow.effect}")]
    if client.fault and client.local_port is None:
        return [unobserved("network", client.fault)]
    if status is None:
        # A server that just stays silent and open has not answered either.
        return [note("silent", "the connection stayed open without an answer")] if client.timed_out else []
    if status in CLEAR_TEXT_REFUSALS:
        return [note("refused-in-clear", f"answered {status} in clear text, which is a refusal")]
    return [violation("clear-text", f"the application answered {status} to a request in clear text")]
