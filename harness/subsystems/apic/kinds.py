"""The kinds of subsystem, a row each: which custom resource describes it, what is its default, what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.subsystems.apic.analytics import Analytics
from harness.subsystems.apic.gateway import Gateway
from harness.subsystems.apic.portal import Portal
from harness.subsystems.microservices.service import Orders
from harness.subsystems.server.application import Application

HALF_HOUR, DAY = 1_800.0, 86_400.0


@dataclass(frozen=True)
class Kind:
    """A kind of subsystem.

    ``endpoint`` is where under spec its hosts are; ``validates`` the documented default of mtlsValidateClient (None:
    it has no such switch and verifies no client); ``needs_one`` says that mTLS and JWT may not both be off; ``can_jwt``
    that it has a jwksUrl; ``subjects`` are the places under spec for the client's subject DN, the current one first;
    ``sends_event_token`` that it can send a JWT with API events (the v5-compatible and event gateways never do);
    ``reloads`` that it takes over a changed jwksUrl as it runs (documented: gateways do, portal and analytics restart);
    ``key_lifetime`` is in seconds (portal: public code; analytics: documented; gateways: assumption).
    """

    name: str
    resource: str
    endpoint: str
    application: Callable[[], Application] | None = None
    validates: bool | None = None
    needs_one: bool = False
    can_jwt: bool = True
    subjects: tuple[str, ...] = ()
    old_switch: str = ""
    ignores_token_under_mtls: bool = False
    key_lifetime: float = HALF_HOUR
    sends_event_token: bool = False
    reloads: bool = False


MANAGEMENT = Kind("management", "ManagementCluster", "platformAPIEndpoint", can_jwt=False)

_GATEWAY = ("GatewayCluster", "gatewayManagerEndpoint", Gateway)

KINDS = {
    kind.name: kind
    for kind in (
        MANAGEMENT,
        Kind(
            "portal",
            "PortalCluster",
            "portalAdminEndpoint",
            Portal,
            validates=True,
            needs_one=True,
            subjects=("adminClientSubjectDN",),
        ),
        Kind(
            "analytics",
            "AnalyticsCluster",
            "ingestion.endpoint",
            Analytics,
            validates=True,
            needs_one=True,
            subjects=("ingestion.clientSubjectDN", "clientSubjectDN"),
            ignores_token_under_mtls=True,
            key_lifetime=DAY,
        ),
        Kind(
            "api-gateway",
            *_GATEWAY,
            validates=False,
            old_switch="validateApimClient",
            sends_event_token=True,
            reloads=True,
        ),
        Kind("v5c-gateway", *_GATEWAY, validates=False, old_switch="validateApimClient", reloads=True),
        # Default mTLS, no documented JWT alternative: so its mTLS cannot be turned off either.
        Kind("event-gateway", *_GATEWAY, validates=True, needs_one=True, can_jwt=False),
        # No part of API Connect: it has a custom resource, and takes its keys, as the others do.
        Kind("service", "Service", "endpoint", Orders, validates=False, needs_one=True),
    )
}
