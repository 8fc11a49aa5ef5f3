"""Checks: pure functions from a question (case and exchange) to findings.  They decide no outcome; the judge does.

A check's name is what a case *expects*: ``served``, ``certificate-refused`` and so on, as the catalogue writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.checks import access, bypass, clients, configuration, script, transport
from harness.checks.question import Question
from harness.model.verdict import Finding

Check = Callable[[Question], list[Finding]]

CHECKS: Mapping[str, Check] = {
    "served": access.served,
    "certificate-refused": access.certificate_refused,
    "token-refused": access.token_refused,
    "refused": access.refused,
    "flow-broken": access.flow_broken,
    "start-refused": configuration.start_refused,
    "no-clear-text": transport.no_clear_text,
    "own-certificate": transport.own_certificate,
    "token-sent": clients.token_sent,
    "nothing-sent": clients.nothing_sent,
    "not-bypassed": clients.not_bypassed,
    "called": clients.called,
    "no-token-sent": clients.no_token_sent,
    "own-request-refused": clients.own_request_refused,
    "keys-published": configuration.keys_published,
    "token-lost": access.token_lost,
    "nothing-passed-on": access.nothing_passed_on,
    "not-let-in": bypass.not_let_in,
    "as-scripted": script.as_scripted,
}

__all__ = ["CHECKS", "Check", "Question"]
