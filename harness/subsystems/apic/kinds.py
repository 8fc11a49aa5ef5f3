"""API Connect's kinds of subsystem, a row each.

Sources of ``key_lifetime``: portal: public code; analytics: documented; gateways: assumption.  That a gateway takes
over a changed jwksUrl as it runs, and that portal and analytics restart for it, is documented.
"""

from __future__ import annotations

from functools import partial

from harness.subsystems.apic import faults
from harness.subsystems.apic.analytics import Analytics
from harness.subsystems.apic.caller import caller
from harness.subsystems.apic.gateway import Gateway
from harness.subsystems.apic.management import KEYS_PATH, platform_api, sender
from harness.subsystems.apic.portal import Portal
from harness.subsystems.server.kind import DAY, Kind

__all__ = ["KINDS", "faults"]

KEY_CAS = ("mgmtPlatformEndpointCASecret", "mgmtPlatformEndpointSvcCASecret")
_verifier = partial(Kind, actor=caller, key_cas=KEY_CAS, keys_path=KEYS_PATH)
_gateway = partial(
    _verifier, resource="GatewayCluster", endpoint="gatewayManagerEndpoint", application=lambda _: Gateway()
)

KINDS = (
    Kind(
        "management",
        "ManagementCluster",
        "platformAPIEndpoint",
        platform_api,
        sender,
        can_jwt=False,
        client_secrets=("portal.admin", "analytics.ingestion", "gateway.client"),
    ),
    _verifier(
        "portal",
        "PortalCluster",
        "portalAdminEndpoint",
        lambda _: Portal(),
        validates=True,
        needs_one=True,
        subjects=("adminClientSubjectDN",),
    ),
    _verifier(
        "analytics",
        "AnalyticsCluster",
        "ingestion.endpoint",
        lambda _: Analytics(),
        validates=True,
        needs_one=True,
        subjects=("ingestion.clientSubjectDN", "clientSubjectDN"),
        ignores_token_under_mtls=True,
        key_lifetime=DAY,
    ),
    _gateway("api-gateway", validates=False, old_switch="validateApimClient", sends_event_token=True, reloads=True),
    _gateway("v5c-gateway", validates=False, old_switch="validateApimClient", reloads=True),
    # Default mTLS, no documented JWT alternative: so its mTLS cannot be turned off either.
    _gateway("event-gateway", validates=True, needs_one=True, can_jwt=False),
)
