"""What a TLS endpoint must not do with clear text."""

from __future__ import annotations

from harness.checks.question import Question, note, unobserved, violation
from harness.model.verdict import Finding

# nginx and others tell a clear-text client so in clear text; that is a refusal by the front end, not an application's
# answer (nginx documentation, "Error Processing" of ngx_http_ssl_module: 497; on the wire 400).
_REFUSALS = frozenset({301, 302, 307, 308, 400, 426, 497})


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
    if status in _REFUSALS:
        return [note("refused-in-clear", f"answered {status} in clear text, which is a refusal")]
    return [violation("clear-text", f"the application answered {status} to a request in clear text")]
