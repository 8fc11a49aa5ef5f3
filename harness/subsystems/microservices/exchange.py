"""Mistakes of a token service, each of which leaves one decision out or makes one answer wrong; and one of services."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase

from harness.subsystems.faults.registry import Change, fault
from harness.subsystems.faults.transport import answering_clear_text
from harness.subsystems.server.policy import ServerPolicy

CHOOSES_ITS_CALLERS = "chooses-its-callers"
"""The trait of a service whose configuration names its callers, users or actors."""
_TOKEN_SERVICES = ("sts", "partner-sts")

SLIPS = {
    "sts-keeps-audience": "issues a token for the subject token's audience, not for the one asked for",
    "sts-exchanges-for-anybody": "exchanges for any audience, whatever its policy says",
    "sts-skips-subject-signature": "verifies no signature of the subject token",
    "sts-accepts-expired-subject": "exchanges a subject token that has expired",
    "sts-pools-issuers-keys": "verifies a token with the keys of every issuer that it trusts, not of the one it names",
    "sts-trusts-any-issuer": "exchanges tokens of issuers that it does not trust",
    "sts-ignores-subject-audience": "exchanges a token that was issued for another service",
    "sts-ignores-may-act": "lets any client act for a user whose token names who alone may",
    "sts-skips-client-authentication": "takes any secret of a client that it knows",
    "sts-ignores-token-types": "requires no subject_token_type and ignores an actor_token_type that stands alone",
    "sts-answers-invalid-grant": "answers invalid_grant where RFC 8693 has invalid_request or invalid_target",
    "sts-loses-user": "names the client as the subject, in the user's place",
    "sts-names-no-actor": "leaves out who acts for the user",
    "sts-omits-issued-token-type": "leaves issued_token_type out of its answer",
    "sts-lets-answers-be-cached": "allows caches to keep the tokens that it issues",
    "sts-takes-any-certificate": "takes any certificate of its CA for that of the client named in the request",
    "sts-takes-inactive-tokens": "exchanges a reference of which its issuer says that it is not active",
    "sts-introspects-for-anybody": "introspects tokens for clients that do not authenticate",
    "sts-calls-any-token-active": "calls any token active",
    "sts-lets-actors-pile-up": "exchanges tokens however many act for the user",
    "sts-issues-long-lived-tokens": "issues tokens that live for a day",
}


def _slip(name: str, summary: str) -> Change:
    def change(rules: ServerPolicy) -> ServerPolicy:
        return replace(rules, slips=rules.slips | {name})

    change.__doc__ = summary
    return change


for _name, _summary in SLIPS.items():
    fault(_name, on=_TOKEN_SERVICES)(_slip(_name, _summary))

_EDGE_SLIPS = {
    "edge-forwards-external-token": "passes the external token on, in place of one of the STS",
    "edge-shares-inner-token": "passes the token on that it has got for another user",
    "edge-takes-inactive-tokens": "lets in who brings a reference that is not active",
    "edge-keeps-introspections": "keeps an introspection however long the token lives",
    "edge-ignores-introspected-audience": "lets in who brings a reference for somebody else",
}
_PROVIDER_SLIPS = {
    "idp-introspects-for-anybody": "introspects tokens for clients that do not authenticate",
    "idp-forgets-revocations": "calls a token active that was revoked",
}

for _server, _slips in (("edge-gateway", _EDGE_SLIPS), ("identity-provider", _PROVIDER_SLIPS)):
    for _name, _summary in _slips.items():
        fault(_name, on=(_server,))(_slip(_name, _summary))

SERVICE_SLIPS = {
    "service-lets-callers-share-a-key": "starts with two callers that have one key",
    "caller-claims-another": "takes a caller for whom its token names, whichever known caller has signed it",
    "caller-key-from-token": "takes the key that a token brings in its header",
    "caller-signature-skipped": "verifies no signature of a caller's own token",
    "caller-token-lives-long": "takes a caller's own token however long it lives",
    "evidence-says-yes": "calls any text evidence that a caller has signed",
    "evidence-expires": "calls evidence no evidence once the token has expired",
    "evidence-keeps-claims-alone": "keeps what a token said and not the token",
    "nested-takes-inner-alone": "takes a user's token that no caller has signed round",
    "nested-skips-outer": "verifies nothing of the caller's token round a user's",
    "nested-skips-inner": "verifies nothing of the user's token in a caller's",
    "nested-has-no-limit": "takes tokens nested in nested tokens, however deep",
    "encrypted-takes-signed-alone": "takes a token that is signed and not encrypted",
    "ignores-certificate-binding": "takes a token that is bound to another client's certificate",
    "service-pools-issuers-keys": "verifies a token with the keys of every issuer that it knows, not of its STS alone",
    "authorises-by-actor": "asks whether the actor may do something, in the user's place",
    "authorises-by-earlier-actor": "lets in for the sake of somebody who acted earlier, not of who acts now",
}

for _name, _summary in SERVICE_SLIPS.items():
    fault(_name, on=(CHOOSES_ITS_CALLERS,))(_slip(_name, _summary))


@fault("matches-audience-as-pattern", on=("service",))
def matches_audience_as_pattern(rules: ServerPolicy) -> ServerPolicy:
    """takes its audience *.ecomm.com as a pattern for host names"""
    return replace(rules, names_audience=_matches)


def _matches(name: str, claim: object) -> bool:
    named = claim if isinstance(claim, list) else [claim]
    return any(fnmatchcase(str(each), name) for each in named)


@fault("service-answers-clear-text", on=("service",))
def service_answers_clear_text(rules: ServerPolicy) -> ServerPolicy:
    """a service answers plain HTTP on its TLS port as well"""
    return answering_clear_text(rules)
