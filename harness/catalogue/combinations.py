"""A case as a cell of the table that modes of authentication and credentials make, where its row says it is one."""

from __future__ import annotations

from collections.abc import Mapping

from harness.model.case import GOOD, Case

_CERTIFICATES = {GOOD: "trusted", "tls-no-cert": "none", "id-second-registered": "second-trusted"}
_MALFORMED = "header-malformed"
_TOKENS = {GOOD: "valid", "str-no-token": "none"}
_UNAUTHORIZED = 401


def combination_of(case: Case) -> Mapping[str, str | int]:
    """The modes, what is presented, and the status that must come of it; empty for a case that is no such cell."""
    if not case.params.combination:
        return {}
    stimulus = case.stimulus
    malformed = stimulus.transport == _MALFORMED
    return {
        **case.flow.modes,
        "certificate": "malformed" if malformed else _CERTIFICATES.get(stimulus.certificate, "untrusted"),
        "token": _TOKENS.get(stimulus.token, "broken"),
        "status": case.flow.success if case.expected == "served" else _UNAUTHORIZED,
    }
