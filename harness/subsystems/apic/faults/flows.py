"""Faults in what a flow is protected with at all: postures, defaults, order, and management as a client."""

from __future__ import annotations

import json
from dataclasses import replace

from cryptography import x509

from harness.subsystems.faults.registry import fault
from harness.subsystems.faults.transport import answering_clear_text
from harness.subsystems.server.jwks import Keys
from harness.subsystems.server.jws import Token
from harness.subsystems.server.policy import Demand, Protection, ServerPolicy

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
def answers_clear_text(rules: ServerPolicy) -> ServerPolicy:
    """answers plain HTTP on the TLS port as well"""
    return answering_clear_text(rules)


@fault("starts-unprotected", on=(*SERVERS, "event-gateway"))
def starts_unprotected(rules: ServerPolicy) -> ServerPolicy:
    """starts with mTLS off and no JWKS URL"""
    return replace(rules, may_be_unprotected=True)


@fault(
    "default-is-tls-only",
    on=(*SERVERS, "event-gateway"),
    implies=("accepts-no-client-certificate",),
)
def default_is_tls_only(rules: ServerPolicy) -> ServerPolicy:
    """treats mtlsValidateClient as false if it is not set"""
    return replace(rules, default_validate=lambda documented: False)


@fault(
    "ignores-token",
    on=(*SERVERS, *GATEWAYS, "service"),
    implies=("BYP-*", "FLW-7", *BAD_TOKENS, "CFG-5", "JWT-*", "STS-*"),
)
def ignores_token(rules: ServerPolicy) -> ServerPolicy:
    """does not verify tokens although a JWKS URL is set"""
    return replace(rules, verifies_token=lambda protection: False)


@fault(
    "verifies-token-by-default",
    on=(*SERVERS, *GATEWAYS),
    implies=(
        "CFG-1-GATEWAY",
        "FLW-1",
        "JWT-6",
    ),
)
def verifies_token_by_default(rules: ServerPolicy) -> ServerPolicy:
    """requires a well-formed, unexpired token although no JWKS URL is set"""

    def proof(token: Token, keys: Keys) -> None:
        if keys:  # without a JWKS URL there are none, and the signature stays unverified
            rules.proof(token, keys)

    return replace(
        rules,
        verifies_token=lambda protection: not protection.jwks_url or rules.verifies_token(protection),
        proof=proof,
    )


@fault("analytics-verifies-jwt-under-mtls", on=("analytics",))
def analytics_verifies_jwt_under_mtls(rules: ServerPolicy) -> ServerPolicy:
    """analytics verifies the JWT although mTLS is on as well"""
    return replace(rules, verifies_token=lambda protection: bool(protection.jwks_url))


@fault(
    "portal-skips-jwt-when-both",
    on=("portal", *GATEWAYS, "service"),
    implies=("BYP-*", "JWT-*", "STS-*", "CFG-3", "FLW-7"),
)
def portal_skips_jwt_when_both(rules: ServerPolicy) -> ServerPolicy:
    """verifies only the certificate where mTLS and JWT are both on"""
    return replace(
        rules, verifies_token=lambda protection: not protection.validate and rules.verifies_token(protection)
    )


@fault(
    "portal-skips-mtls-when-both",
    on=("portal", *GATEWAYS, "service"),
    implies=(
        "BYP-*",
        "CFG-12",
        "JWT-14",
        "STS-14",
        "PKI-*",
        "FLW-2",
        "FLW-3",
    ),
)
def portal_skips_mtls_when_both(rules: ServerPolicy) -> ServerPolicy:
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
def demands_certificate_under_jwt(rules: ServerPolicy) -> ServerPolicy:
    """requires a client certificate although mtlsValidateClient is false, so that no balancer can terminate TLS"""
    return replace(rules, demand=lambda protection: Demand.REQUIRED)


@fault(
    "acts-before-verifying",
    on=(*SERVERS, *GATEWAYS),
    implies=(
        "BYP-*",
        "FLW-7",
        "JWT-*",
        "PKI-*",
        "CFG-*",
    ),
)
def acts_before_verifying(rules: ServerPolicy) -> ServerPolicy:
    """acts on the request and answers 401 afterwards"""
    return replace(rules, acts_first=True)


@fault("omits-token", on=("management",))
def omits_token(rules: ServerPolicy) -> ServerPolicy:
    """management sends no JWT"""
    return replace(rules, sends_token=False)


@fault("sends-stale-token", on=("management",))
def sends_stale_token(rules: ServerPolicy) -> ServerPolicy:
    """management sends a JWT that expired long ago"""
    return replace(rules, token_age=7 * 86_400.0)


CALLERS = ("management", "portal", "analytics", "api-gateway", "v5c-gateway", "event-gateway")


@fault("skips-server-verification", on=CALLERS, implies=("BAL-*",))
def skips_server_verification(rules: ServerPolicy) -> ServerPolicy:
    """sends its own requests to servers whose certificate does not verify"""
    return replace(rules, verifies_server=False)


@fault("skips-host-name", on=CALLERS, implies=("JWT-4",))
def skips_host_name(rules: ServerPolicy) -> ServerPolicy:
    """sends its own requests to any server with a certificate from the CA, whatever its name"""
    return replace(rules, verifies_host=False)


@fault(
    "publishes-private-key",
    on=("management",),
    implies=(
        "PKI-7",
        "PKI-8",
        "STS-*",
        "CFG-*",
        "FLW-*",
        "JWT-*",
    ),
)
def publishes_private_key(rules: ServerPolicy) -> ServerPolicy:
    """publishes a private member of its signing key in the JWK set"""

    def leak(jwks: bytes) -> bytes:
        document = json.loads(jwks)
        for key in document["keys"]:
            key["d"] = "AQAB"
        return json.dumps(document).encode()

    return replace(rules, publishes=leak)


@fault("gateway-omits-token", on=("api-gateway",), implies=("JWT-6",))
def gateway_omits_token(rules: ServerPolicy) -> ServerPolicy:
    """the API gateway sends no JWT with its events, although it was given one"""
    return replace(rules, sends_event_token=lambda documented: False)


@fault("v5c-sends-token", on=("v5c-gateway", "event-gateway"))
def v5c_sends_token(rules: ServerPolicy) -> ServerPolicy:
    """a v5-compatible or event gateway sends a JWT with its events"""
    return replace(rules, sends_event_token=lambda documented: True)


@fault("demands-certificate-by-default", on=GATEWAYS, implies=("CFG-*", "JWT-*"))
def demands_certificate_by_default(rules: ServerPolicy) -> ServerPolicy:
    """a gateway requires a client certificate although that is not enabled"""
    return replace(rules, default_validate=lambda documented: True)


@fault("protects-only-registration", on=GATEWAYS)
def protects_only_registration(rules: ServerPolicy) -> ServerPolicy:
    """a gateway protects the registration of a service, but not the publishing of APIs"""
    return replace(rules, protects=lambda path: not path.startswith("/mgmt/apis/"))


@fault("keeps-old-ingestion-certificate", on=("api-gateway",))
def keeps_old_ingestion_certificate(rules: ServerPolicy) -> ServerPolicy:
    """a gateway keeps presenting the first client certificate it was given"""
    return replace(rules, presents_newest=False)


@fault("ignores-old-switch-name", on=GATEWAYS)
def ignores_old_switch_name(rules: ServerPolicy) -> ServerPolicy:
    """a gateway does not know validateApimClient, the deprecated name of mtlsValidateClient"""
    return replace(rules, reads_old_switch=False)


@fault(
    "refuses-platform-api",
    on=("portal", "analytics", "api-gateway"),
    implies=("JWT-*", "CFG-*", "FLW-*", "BAL-*", "PKI-7", "PKI-8"),
)
def refuses_platform_api(rules: ServerPolicy) -> ServerPolicy:
    """cannot reach the platform API, because it trusts no CA for it"""
    return replace(rules, trusts=lambda authorities: ())


@fault("distrusts-in-cluster-service", on=(*SERVERS, *GATEWAYS))
def distrusts_in_cluster_service(rules: ServerPolicy) -> ServerPolicy:
    """does not trust management-ca, so it fetches no keys from the in-cluster service"""

    def without_management(authorities: tuple[x509.Certificate, ...]) -> tuple[x509.Certificate, ...]:
        return tuple(ca for ca in authorities if ca.subject.rfc4514_string() != "CN=management-ca")

    return replace(rules, trusts=without_management)
