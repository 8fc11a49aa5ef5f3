"""What a gateway that reads credentials from headers answers, and what it hands on to the backend behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from harness.checks.access import served, turned_away
from harness.checks.dialect import CERTIFICATE_STATUSES
from harness.checks.question import Question, unobserved, violation, wrong_reason
from harness.model.verdict import Finding, FindingKind

_UNAUTHORIZED = 401
_PROXYS = CERTIFICATE_STATUSES - {_UNAUTHORIZED}
"""What proxies answer to a certificate that they refuse themselves."""


def unauthenticated(question: Question) -> list[Finding]:
    """The request is answered 401 for its certificate or its token, with the documented code, and nothing is done."""
    dialect = question.dialect
    findings = turned_away(
        question,
        question.acceptable_reasons("certificate", "token", "transport") | set(question.case.params.acceptable_reasons),
        dialect.certificate_statuses | dialect.token_statuses,
    )
    if any(finding.kind is not FindingKind.NOTE for finding in findings):
        return findings
    return [*findings, *_documented(question)]


def _documented(question: Question) -> Iterator[Finding]:
    response, params = question.client.response, question.case.params
    asked = bool(params.code or params.challenge)
    if not question.both_sides and not asked:
        return  # that it is turned away is what is asked; how a gateway says so is a row of its own
    if question.case.flow.server.certificate_in_handshake and (response is None or response.status in _PROXYS):
        how = f"answered {response.status}" if response else "the handshake was refused"
        yield unobserved("not-the-gateway", f"{how}: refused before the gateway could answer")
        return
    if response is None:
        yield wrong_reason("no-answer", "the connection ended without an HTTP answer")
        return
    if response.status != _UNAUTHORIZED:
        yield wrong_reason("other-status", f"answered {response.status}, expected {_UNAUTHORIZED}")
    if params.code and (found := _member(response.body, "code")) != params.code:
        yield violation("other-code", f"the body has the code {found or 'none'}, the documented code is {params.code}")
    challenge = next((value for name, value in response.headers if name.lower() == "www-authenticate"), "")
    if params.challenge and params.challenge not in challenge:
        yield violation("other-challenge", f"WWW-Authenticate does not have {params.challenge}")


def _member(body: str, name: str) -> str:
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    return str(found.get(name, "")) if isinstance(found, dict) else ""


def withheld(question: Question) -> list[Finding]:
    """The request is served, and the backend does not get the header."""
    return [*served(question), *_backend(question, present=False)]


def handed_on(question: Question) -> list[Finding]:
    """The request is served, and the backend gets the header."""
    return [*served(question), *_backend(question, present=True)]


def _backend(question: Question, *, present: bool) -> Iterator[Finding]:
    response, header = question.client.response, question.case.params.withheld_header
    try:
        got = json.loads(response.body)["headers"] if response else None
        names = {str(name).lower() for name in got or ()}
    except (ValueError, KeyError, TypeError):
        got = None
    if got is None:
        yield unobserved("backend-silent", "the backend does not show which headers it received")
    elif (header.lower() in names) is not present:
        yield violation("header-at-backend", f"the backend {'did not get' if present else 'got'} {header}")
