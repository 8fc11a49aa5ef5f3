"""What an answer can mean when only the client's side was seen: who gave it, and about which credential.

In our own lab the server says why it refused a client.  Elsewhere a status is all there is, and a balancer, a rate
limiter or a login page may have sent it.  What could be any of these is unobserved: neither a pass nor a failure.
"""

from __future__ import annotations

from harness.checks.question import Question, unobserved
from harness.model.case import GOOD
from harness.model.verdict import Finding
from harness.model.vocabulary import Posture

# Answers of whatever stands in between: its server is away or slow (RFC 9110 section 15.6), or we ask too often.
_TOO_MANY = 429
_IN_BETWEEN = {502: "bad gateway", 503: "service unavailable", 504: "gateway timeout", _TOO_MANY: "too many requests"}


def not_the_server(question: Question) -> list[Finding]:
    """An answer that says nothing about what was presented."""
    status = question.status
    if question.both_sides or status is None:
        return []
    if status in _IN_BETWEEN:
        hint = "; lower rate in the target file, or run with --wait" if status == _TOO_MANY else ""
        message = f"answered {status} ({_IN_BETWEEN[status]}), which says nothing about the request{hint}"
        return [unobserved("in-between", message)]
    if 300 <= status < 400 and not question.marked and status not in _said(question):
        return [unobserved("redirected", f"answered {status}: redirected, neither served nor refused")]
    return []


def _said(question: Question) -> frozenset[int]:
    """The redirections with which this product says no, as its owner has it."""
    return question.token_statuses | question.certificate_statuses


def other_credential(question: Question, blamed: str) -> list[Finding]:
    """With two bad credentials a status may be for the other one; *blamed* is the kind under test.

    A refusal inside TLS can only be for the certificate.  A Bearer challenge says that it is about the token.
    An endpoint that asks for a certificate alone may say 401 of that.
    """
    client, stimulus = question.client, question.case.stimulus
    if question.both_sides or client.response is None:
        return []
    other = stimulus.token if blamed == "certificate" else stimulus.certificate
    if other == GOOD:
        return []
    challenged = any(
        name.lower() == "www-authenticate" and value.lower().startswith("bearer")
        for name, value in client.response.headers
    )
    looks_at_tokens = question.case.posture is not Posture.MTLS
    about_token = looks_at_tokens and client.response.status in question.dialect.token_statuses
    if blamed == "certificate" and (about_token or challenged):
        return [unobserved("ambiguous", f"answered {client.response.status}, which may be for the token")]
    if blamed == "token" and not challenged:
        return [unobserved("ambiguous", f"answered {client.response.status}, which may be for the certificate")]
    return []
