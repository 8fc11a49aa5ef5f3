"""What the documents say of each flow when a balancer between subsystems is to terminate TLS.  Data only.

Sources: Enable JWT security instead of mTLS; Network requirements for inter-subsystem communication.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.products.apic.rules.profiles import INGESTION_JWT_SINCE, JWT_SINCE, Release
from harness.products.apic.rules.view import ANALYTICS, DEVPORTAL, EVENTS, GATEWAY, MANAGEMENT, PORTAL


@dataclass(frozen=True)
class Flow:
    """A flow to a server of *kind*: ``since`` is the first release in which it can carry a JWT in place of a client
    certificate, ``forbidden`` the rule where it cannot, ``content`` what is in it."""

    name: str
    client: str
    kind: str
    content: str
    since: Release = ()
    forbidden: str = ""


_EVENTS = "API event records: who called which API, and payloads where they are logged"
_REGISTRATION = "gateway service registration, published APIs and their secrets, the ingestion client's key"
FLOWS = {
    flow.name: flow
    for flow in (
        Flow("management-to-portal", MANAGEMENT, PORTAL, "portal registration, sites and their settings", JWT_SINCE),
        Flow(
            "management-to-developer-portal",
            MANAGEMENT,
            DEVPORTAL,
            "portal registration, products, applications",
            forbidden="FLW-3: its resource has neither mtlsValidateClient nor jwksUrl (12.1.0.1), so mTLS stays on",
        ),
        Flow("management-to-analytics", MANAGEMENT, ANALYTICS, "queries of analytics and health checks", JWT_SINCE),
        Flow("management-to-api-gateway", MANAGEMENT, GATEWAY, _REGISTRATION, JWT_SINCE),
        Flow("management-to-v5c-gateway", MANAGEMENT, GATEWAY, _REGISTRATION, JWT_SINCE),
        Flow("api-gateway-to-analytics", "API gateway", ANALYTICS, _EVENTS, INGESTION_JWT_SINCE),
        Flow(
            "management-to-event-gateway",
            MANAGEMENT,
            EVENTS,
            "gateway registration",
            forbidden="FLW-1: its default is mTLS, and no JWT alternative is documented for it",
        ),
        Flow(
            "v5c-gateway-to-analytics",
            "v5 compatible gateway",
            ANALYTICS,
            _EVENTS,
            forbidden="CFG-6: the v5 compatible gateway sends analytics no JWT, and its mTLS cannot be disabled",
        ),
        Flow(
            "event-gateway-to-analytics",
            "event gateway",
            ANALYTICS,
            "event records",
            forbidden="CFG-7: mTLS of the event gateway to analytics cannot be disabled",
        ),
    )
}
OUTAGE: Mapping[str, tuple[str, str]] = {
    PORTAL: (
        "registrations and changes need management anyway",
        "keys are cached for 30 minutes (public portal code); after that a token is refused",
    ),
    ANALYTICS: (
        (
            "API events are accepted while the fetched keys are valid, 24 hours; then they are "
            "refused until management is back"
        ),
        "24 hours (documented)",
    ),
    GATEWAY: (
        "registrations and publishing need management anyway; API calls continue",
        "how long a gateway caches keys is not documented",
    ),
}
"""By server: what stops when management is down, and after how long."""
