"""API Connect's certificates: which authority issues which secret, and for which hosts.

Source: API Connect TLS certificates.
"""

from __future__ import annotations

from harness.pki.deployment import CLIENT, SERVER, Blueprint, Secret, server_secrets

INGRESS_CA, MANAGEMENT_CA = "ingress-ca", "management-ca"
_CLIENTS = ("portal-admin-client", "analytics-ingestion-client", "gateway-client-client")

PKI = Blueprint(
    authorities=(INGRESS_CA, MANAGEMENT_CA, "portal-ca", "analytics-ca"),
    secrets={
        **server_secrets(
            INGRESS_CA,
            {
                "api-endpoint": "api.apic.test",
                "portal-admin": "api.portal.apic.test",
                "analytics-ai-endpoint": "ai.apic.test",
                "gwv6-manager-endpoint": "rgwd.apic.test",
                "gwv5-manager-endpoint": "gwd.apic.test",
                "event-gateway-manager-endpoint": "egwd.apic.test",
            },
        ),
        "management-server": Secret(MANAGEMENT_CA, SERVER, ("management-juhu.apic.svc",)),
        **{name: Secret(INGRESS_CA, CLIENT) for name in _CLIENTS},
    },
    clients=_CLIENTS,
    organization="cert-manager",
    external=INGRESS_CA,
    internal=MANAGEMENT_CA,
)
