"""Faults in what a flow is protected with at all: postures, defaults, order, and management as a client."""

from __future__ import annotations

from dataclasses import replace

from harness.subsystems.faults.registry import fault
from harness.subsystems.jwks import Keys
from harness.subsystems.rules import Demand, Protection, Rules
from harness.subsystems.token import Token

SERVERS = ("portal", "analytics")
GATEWAYS = ("api-gateway", "v5c-gateway")
ALL = (*SERVERS, *GATEWAYS, "event-gateway", "management")
BAD_TOKENS = (
    "accepts-missing-token",
    "accepts-alg-none",
    "accepts-hs256-with-public-key",
    "uses-embedded-jwk",
    "trusts-header-x5c",
    "skips-signature",
    "tries-any-key",
    "ignores-expiry",
    "accepts-missing-expiry",
    "ignores-not-before",
    "ignores-crit",
    "accepts-query-token",
)


@fault("answers-clear-text", on=ALL)
def answers_clear_text(rules: Rules) -> Rules:
    """answers plain HTTP on the TLS port as well"""
    return replace(rules, answers_clear_text=True)


@fault("starts-unprotected", on=SERVERS)
def starts_unprotected(rules: Rules) -> Rules:
    """starts with mTLS off and no JWKS URL"""
    return replace(rules, may_be_unprotected=True)


@fault(
    "default-is-tls-only",
    on=(*SERVERS, "event-gateway"),
    implies=("accepts-no-client-certificate",),
)
def default_is_tls_only(rules: Rules) -> Rules:
    """takes mtlsValidateClient as false where it is not set"""
    return replace(rules, default_validate=lambda documented: False)


@fault("ignores-token", on=(*SERVERS, *GATEWAYS), implies=(*BAD_TOKENS, "CFG-5", "JWT-*"))
def ignores_token(rules: Rules) -> Rules:
    """verifies no token although a JWKS URL is set"""
    return replace(rules, verifies_token=lambda protection: False)


@fault("verifies-token-by-default", on=(*SERVERS, *GATEWAYS))
def verifies_token_by_default(rules: Rules) -> Rules:
    """demands a well-formed, unexpired token although no JWKS URL is set"""

    def proof(token: Token, keys: Keys) -> None:
        if keys:  # without a JWKS URL there are none, and the signature stays unverified
            rules.proof(token, keys)

    return replace(
        rules,
        verifies_token=lambda protection: not protection.jwks_url or rules.verifies_token(protection),
        proof=proof,
    )


@fault("analytics-verifies-jwt-under-mtls", on=("analytics",))
def analytics_verifies_jwt_under_mtls(rules: Rules) -> Rules:
    """analytics verifies the JWT although mTLS is on as well"""
    return replace(rules, verifies_token=lambda protection: bool(protection.jwks_url))


@fault("portal-skips-jwt-when-both", on=("portal", *GATEWAYS))
def portal_skips_jwt_when_both(rules: Rules) -> Rules:
    """verifies only the certificate where mTLS and JWT are both on"""
    return replace(
        rules, verifies_token=lambda protection: not protection.validate and rules.verifies_token(protection)
    )


@fault(
    "portal-skips-mtls-when-both",
    on=("portal", *GATEWAYS),
    implies=(
        "PKI-*",
        "FLW-2",
        "FLW-3",
    ),
)
def portal_skips_mtls_when_both(rules: Rules) -> Rules:
    """verifies only the token where mTLS and JWT are both on"""

    def demand(protection: Protection) -> Demand:
        return Demand.NOTHING if protection.jwks_url else rules.demand(protection)

    return replace(rules, demand=demand)


@fault(
    "demands-certificate-under-jwt",
    on=SERVERS,
    implies=(
        "JWT-*",
        "FLW-4",
    ),
)
def demands_certificate_under_jwt(rules: Rules) -> Rules:
    """demands a client certificate although mtlsValidateClient is false, so no balancer may terminate TLS before it"""
    return replace(rules, demand=lambda protection: Demand.REQUIRED)


@fault(
    "acts-before-verifying",
    on=(*SERVERS, *GATEWAYS),
    implies=(
        "JWT-*",
        "PKI-*",
        "CFG-*",
    ),
)
def acts_before_verifying(rules: Rules) -> Rules:
    """does what is asked and answers 401 afterwards"""
    return replace(rules, acts_first=True)


@fault("omits-token", on=("management",))
def omits_token(rules: Rules) -> Rules:
    """management sends no JWT"""
    return replace(rules, sends_token=False)


@fault("sends-stale-token", on=("management",))
def sends_stale_token(rules: Rules) -> Rules:
    """management sends a JWT that expired long ago"""
    return replace(rules, token_age=7 * 86_400.0)


@fault("skips-server-verification", on=("management",))
def skips_server_verification(rules: Rules) -> Rules:
    """management sends requests to servers whose certificate does not verify"""
    return replace(rules, verifies_server=False)
