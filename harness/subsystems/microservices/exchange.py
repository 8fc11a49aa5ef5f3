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
    "sts-keeps-audience": "issues a token for the subject token's audience, not for the requested one",
    "sts-exchanges-for-anybody": "issues tokens for any audience, whatever its policy says",
    "sts-skips-subject-signature": "does not verify the subject token's signature",
    "sts-accepts-unsigned-subject": "exchanges a subject token without a signature (alg none)",
    "sts-takes-key-from-subject": "verifies a subject token with the key in its own header",
    "sts-accepts-expired-subject": "exchanges a subject token that has expired",
    "sts-pools-issuers-keys": (
        "verifies a token with the keys of every issuer that it trusts, not only those of the one it names"
    ),
    "sts-trusts-any-issuer": "exchanges tokens of issuers that it does not trust",
    "sts-ignores-subject-audience": "exchanges a token that was issued for another service",
    "sts-ignores-may-act": "ignores may_act, and lets any client act for the user",
    "sts-skips-client-authentication": "accepts any secret from a known client",
    "sts-ignores-token-types": "requires no subject_token_type and ignores an actor_token_type without an actor_token",
    "sts-answers-invalid-grant": "answers invalid_grant where RFC 8693 has invalid_request or invalid_target",
    "sts-loses-user": "names the client as the subject instead of the user",
    "sts-names-no-actor": "leaves out the act claim",
    "sts-omits-issued-token-type": "leaves issued_token_type out of its response",
    "sts-lets-answers-be-cached": "allows caches to keep the tokens that it issues",
    "sts-takes-any-certificate": "accepts any certificate from its CA for the client named in the request",
    "sts-ignores-actor-token": "names the client as the actor, whomever the actor token names",
    "sts-skips-actor-signature": "does not verify the actor token's signature",
    "sts-accepts-expired-actor": "accepts an expired actor token",
    "sts-lets-anybody-be-actor": "accepts any actor token, whoever may_act names",
    "sts-takes-untyped-actor-token": "accepts an actor token without actor_token_type",
    "sts-drops-earlier-actors": "leaves prior actors out of the act claim",
    "sts-takes-inactive-tokens": "exchanges a reference token that its issuer reports as not active",
    "sts-introspects-for-anybody": "introspects tokens for clients that do not authenticate",
    "sts-calls-any-token-active": "calls any token active",
    "sts-lets-actors-pile-up": "exchanges tokens with any number of actors",
    "sts-issues-long-lived-tokens": "issues tokens with a lifetime of a day",
}


def _slip(name: str, summary: str) -> Change:
    def change(rules: ServerPolicy) -> ServerPolicy:
        return replace(rules, slips=rules.slips | {name})

    change.__doc__ = summary
    return change


for _name, _summary in SLIPS.items():
    fault(_name, on=_TOKEN_SERVICES)(_slip(_name, _summary))

_EDGE_SLIPS = {
    "edge-forwards-external-token": "forwards the external token instead of one from the STS",
    "edge-shares-inner-token": "forwards the token that it obtained for another user",
    "edge-takes-inactive-tokens": "accepts a reference token that is not active",
    "edge-keeps-introspections": "caches an introspection response for longer than the token is valid",
    "edge-ignores-introspected-audience": "accepts a reference token for another audience",
}
_PROVIDER_SLIPS = {
    "idp-introspects-for-anybody": "introspects tokens for clients that do not authenticate",
    "idp-forgets-revocations": "reports a revoked token as active",
}

for _server, _slips in (("edge-gateway", _EDGE_SLIPS), ("identity-provider", _PROVIDER_SLIPS)):
    for _name, _summary in _slips.items():
        fault(_name, on=(_server,))(_slip(_name, _summary))

SERVICE_SLIPS = {
    "service-lets-callers-share-a-key": "starts although two callers share one key",
    "caller-claims-another": "accepts the caller named in a token whichever known caller signed it",
    "caller-key-from-token": "accepts the key in a token's own header",
    "caller-token-unsigned": "accepts a caller's token without a signature (alg none)",
    "caller-signature-skipped": "does not verify the signature of a caller's self-signed token",
    "caller-token-lives-long": "accepts a caller's self-signed token with any lifetime",
    "evidence-says-yes": "accepts any text as evidence that a caller signed",
    "evidence-expires": "rejects evidence once the token has expired",
    "evidence-keeps-claims-alone": "keeps the claims of a token but not the token",
    "nested-takes-inner-alone": "accepts a user's token that is not nested in a caller's",
    "nested-skips-outer": "does not verify the caller's token around a user's",
    "nested-skips-inner": "does not verify the user's token inside a caller's",
    "nested-has-no-limit": "accepts nested tokens of any depth",
    "encrypted-takes-signed-alone": "accepts a token that is signed but not encrypted",
    "ignores-certificate-binding": "accepts a token that is bound to another client's certificate",
    "service-pools-issuers-keys": (
        "verifies a token with the keys of every issuer that it knows, not only those of its STS"
    ),
    "authorises-by-actor": "authorises by the actor instead of the user",
    "authorises-by-earlier-actor": "authorises by a prior actor instead of the current one",
}

for _name, _summary in SERVICE_SLIPS.items():
    fault(_name, on=(CHOOSES_ITS_CALLERS,))(_slip(_name, _summary))


@fault("matches-audience-as-pattern", on=("service",))
def matches_audience_as_pattern(rules: ServerPolicy) -> ServerPolicy:
    """treats its audience *.ecomm.com as a pattern for host names"""
    return replace(rules, names_audience=_matches)


def _matches(name: str, claim: object) -> bool:
    named = claim if isinstance(claim, list) else [claim]
    return any(fnmatchcase(str(each), name) for each in named)


@fault("sts-answers-clear-text", on=_TOKEN_SERVICES)
def sts_answers_clear_text(rules: ServerPolicy) -> ServerPolicy:
    """an STS answers plain HTTP on its TLS port as well"""
    return answering_clear_text(rules)


@fault("service-answers-clear-text", on=("service",))
def service_answers_clear_text(rules: ServerPolicy) -> ServerPolicy:
    """a service answers plain HTTP on its TLS port as well"""
    return answering_clear_text(rules)
