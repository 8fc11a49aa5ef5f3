"""A case as a cell of the table that modes of authentication and credentials make, where its row says it is one."""

from __future__ import annotations

from collections.abc import Mapping

from harness.model.case import GOOD, Case
from harness.model.catalogue import Flow

_CERTIFICATES = {GOOD: "trusted", "tls-no-cert": "none", "id-second-registered": "second-trusted"}
_MALFORMED = "header-malformed"
_TOKENS = {GOOD: "valid", "str-no-token": "none"}
_UNAUTHORIZED = 401


_WAYS = {"mtls": "mTLS", "oauth2": "OAuth2"}


def modes_in_words(flow: Flow) -> str:
    """How the server of *flow* authenticates its clients: ``mTLS mandatory, OAuth2 optional``; '' where its posture
    says that."""
    return ", ".join(f"{_WAYS.get(way, way)} {mode}" for way, mode in flow.modes.items())


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
